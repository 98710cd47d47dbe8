//! `pointsman check`: every problem of a file at once.

use super::load::checked;
use super::{Outcome, Stuck, out};
use policy::file::Severity;
use serde_json::json;
use std::path::PathBuf;

pub const EXAMPLES: &str = "Examples:
  pointsman check -c pointsman.yaml
  pointsman check -c pointsman.yaml --strict     # warnings fail too
  pointsman check --schema > pointsman.schema.json";

#[derive(clap::Args)]
pub struct Args {
    /// The policy file
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
    /// Print the JSON Schema of the file instead
    #[arg(long)]
    schema: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<Outcome, Stuck> {
    if args.schema {
        out::line(serde_json::to_string_pretty(&policy::file::schema())?)?;
        return Ok(Outcome::Good);
    }
    let checked = checked(args.config.as_deref())?;
    let path = checked.path.display().to_string();
    let count = |severity| checked.findings.iter().filter(|f| f.severity == severity).count();
    let (errors, warnings, notes) = (count(Severity::Error), count(Severity::Warning), count(Severity::Note));
    let good = errors == 0 && !(args.strict && warnings > 0);
    if args.json {
        let report = json!({
            "file": path,
            "good": good,
            "digest": checked.policy.as_ref().map(|p| &*p.digest),
            "findings": checked.findings,
        });
        out::line(serde_json::to_string_pretty(&report)?)?;
    } else {
        for finding in &checked.findings {
            out::line(format_args!("{}\n", finding.in_file(&path)))?;
        }
        let verdict = match good {
            true => "good",
            false if errors == 0 => "not good under --strict",
            false => "cannot be used",
        };
        out::line(format_args!("{path}: {verdict}; errors: {errors}, warnings: {warnings}, notes: {notes}"))?;
    }
    Ok(if good { Outcome::Good } else { Outcome::Fails })
}
