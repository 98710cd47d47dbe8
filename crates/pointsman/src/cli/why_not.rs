//! `pointsman why-not`: the smallest change that would admit a target.

use super::{Outcome, Stuck, load, out, rehearse};
use model::Request;
use std::path::PathBuf;

pub const EXAMPLES: &str = "Examples:
  pointsman why-not openai/gpt-4.1-mini --workflow refund-triage -c pointsman.yaml";

#[derive(clap::Args)]
pub struct Args {
    /// The target, as provider/model
    target: String,
    /// The workflow that should admit it
    #[arg(short, long)]
    workflow: String,
    /// The policy file
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<Outcome, Stuck> {
    let policy = load::checked(args.config.as_deref())?.usable()?;
    let request = Request::ordinary(&args.workflow);
    let answer =
        policy::why_not(&policy, &args.target, &args.workflow, &request, &rehearse::Calm, rehearse::now())?;
    if args.json {
        out::line(serde_json::to_string_pretty(&answer)?)?;
    } else {
        out::text(answer)?;
    }
    Ok(Outcome::Good)
}
