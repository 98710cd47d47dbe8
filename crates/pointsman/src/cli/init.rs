//! `pointsman init`: a first policy file, from the keys that are there.

use super::{Outcome, Stuck, load, out};
use std::io::Write;
use std::path::PathBuf;

pub const EXAMPLES: &str = "Examples:
  OPENAI_API_KEY=... ANTHROPIC_API_KEY=... pointsman init
  pointsman init --output policy/pointsman.yaml";

#[derive(clap::Args)]
pub struct Args {
    /// Where to write
    #[arg(short, long, value_name = "FILE", default_value = "pointsman.yaml")]
    output: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

pub fn run(args: Args) -> Result<Outcome, Stuck> {
    let found = load::found();
    let text = policy::file::starter(&found);
    let path = args.output.display();
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    if args.force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let mut file = options.open(&args.output).map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => Stuck(format!("{path} is there already; --force replaces it")),
        _ => Stuck(format!("{path} cannot be written: {e}")),
    })?;
    file.write_all(text.as_bytes())?;
    if found.is_empty() {
        out::line(format_args!(
            "Wrote {path} without a provider: no provider key stands in the environment."
        ))?;
    } else {
        let names: Vec<&str> = found.iter().map(|p| p.name).collect();
        out::line(format_args!("Wrote {path} for {}.", names.join(", ")))?;
    }
    out::line(format_args!("Next: pointsman check -c {path} && pointsman serve -c {path}"))?;
    Ok(Outcome::Good)
}
