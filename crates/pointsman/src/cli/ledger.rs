//! `pointsman ledger`: the durable record, row by row.

use super::{Outcome, Stuck, load};
use clap::{Subcommand, ValueEnum};
use model::{End, RequestRow, Timestamp};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use store::Filter;

pub const EXAMPLES: &str = "Examples:
  pointsman ledger export --format jsonl > rows.jsonl
  pointsman ledger export --json --since 1h --end failed
  pointsman ledger export --format csv --since 7d --workflow refund-triage --output rows.csv";

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print rows, oldest first; works beside a running server and after a crash
    #[command(after_help = EXAMPLES)]
    Export(Export),
}

#[derive(clap::Args)]
struct Export {
    /// The form of a row
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// Print JSON: the same as --format jsonl
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Only rows of the last so much time, as in 7d
    #[arg(long, value_name = "DURATION")]
    since: Option<String>,
    /// Only rows of this workflow
    #[arg(long)]
    workflow: Option<String>,
    /// Only rows that ended so: served, denied, failed, client_left, unknown
    #[arg(long)]
    end: Option<String>,
    /// A file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The policy file that says where the store is
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the store is, if not where the policy says
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Jsonl,
    Csv,
}

/// Takes row after row.
type Sink<'a> = dyn FnMut(&RequestRow) -> io::Result<()> + 'a;

pub fn run(args: Args) -> Result<Outcome, Stuck> {
    let Command::Export(args) = args.command;
    let data_dir = load::data_dir(args.data_dir.as_deref(), args.config.as_deref())?;
    let since = match &args.since {
        None => None,
        Some(text) => {
            let ago = policy::file::duration(text).map_err(|why| Stuck(format!("--since {text}: {why}")))?;
            Some(Timestamp(load::now().0.saturating_sub(i64::try_from(ago.as_micros()).unwrap_or(i64::MAX))))
        }
    };
    let end = args.end.as_deref().map(end).transpose()?;
    let filter = Filter { since, workflow: args.workflow.map(Into::into), end, ..Filter::default() };
    let mut out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(BufWriter::new(
            std::fs::File::create(path)
                .map_err(|e| Stuck(format!("{} cannot be written: {e}", path.display())))?,
        )),
        None => Box::new(BufWriter::new(io::stdout().lock())),
    };
    let mut write: Box<Sink<'_>> = match args.format {
        Format::Jsonl => Box::new(|row| store::write_json_line(row, &mut out)),
        Format::Csv => {
            writeln!(out, "{}", store::CSV_HEAD)?;
            Box::new(|row| store::write_csv(row, &mut out))
        }
    };
    let written = store::export(&data_dir, &filter, &mut write);
    drop(write);
    match written {
        Ok(_) => {}
        // `ledger export | head` is no error.
        Err(store::StoreError::Sink(e)) if e.kind() == io::ErrorKind::BrokenPipe => {
            return Ok(Outcome::Good);
        }
        Err(e) => return Err(e.into()),
    }
    match out.flush() {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e.into()),
        _ => Ok(Outcome::Good),
    }
}

fn end(text: &str) -> Result<End, Stuck> {
    let all = [End::Served, End::Denied, End::Failed, End::ClientLeft, End::Unknown];
    all.into_iter().find(|end| end.name() == text).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|end| end.name()).collect();
        Stuck(format!("--end {text}: a request ends as {}", names.join(", ")))
    })
}
