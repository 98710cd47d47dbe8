//! `pointsman explain`: a decision, looked at from all sides and not carried out.

use super::{Outcome, Stuck, load, out, rehearse};
use crate::edge::Route;
use crate::path::Facts;
use http::{HeaderMap, HeaderName, HeaderValue};
use model::{Dialect, Operation, Problem, Request, RequestId, RequestRow};
use policy::{Explanation, Policy};
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;
use std::str::FromStr;

pub const EXAMPLES: &str = "Examples:
  pointsman explain --workflow refund-triage -c pointsman.yaml
  pointsman explain --request request.json --dialect anthropic
  pointsman explain --id req_01m3y6r8v0e9tq2k5w7x1z4b6c   # what happened then, what would now";

#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["request", "workflow", "id"])))]
pub struct Args {
    /// The policy file
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A request body as an application would send it
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// An ordinary request of this workflow
    #[arg(long)]
    workflow: Option<String>,
    /// A request that the ledger holds
    #[arg(long, value_name = "REQUEST_ID")]
    id: Option<RequestId>,
    /// The dialect of --request
    #[arg(long, default_value = "openai")]
    dialect: String,
    /// Headers that --request would carry
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The data class that the request claims
    #[arg(long)]
    data_class: Option<String>,
    /// Where the ledger is, if not where the policy says
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<Outcome, Stuck> {
    let (policy, _) = load::policy(args.config.as_deref())?;
    if let Some(id) = args.id {
        return recorded(&args, &policy, id);
    }
    let dialect: Dialect = args.dialect.parse().map_err(|()| {
        let all: Vec<&str> = Dialect::ALL.iter().map(|d| d.name()).collect();
        Stuck(format!("{} is no dialect; there are {}", args.dialect, all.join(", ")))
    })?;
    let body = match (&args.request, &args.workflow) {
        (Some(file), _) => {
            std::fs::read(file).map_err(|e| Stuck(format!("{} cannot be read: {e}", file.display())))?
        }
        (None, Some(workflow)) => json!({"model": workflow, "messages": []}).to_string().into_bytes(),
        (None, None) => return Err(Stuck("name --request, --workflow or --id".to_owned())),
    };
    // Body and headers are read by the very functions that serve, so that nothing is understood otherwise here.
    let stuck = |problem: Problem| Stuck(problem.sentence());
    let route = Route { dialect, operation: Operation::Chat, model: None };
    let headers = headers(&args.headers)?;
    let glance = wire::glance(dialect, route.operation, &body).map_err(stuck)?;
    let facts = Facts::read(&route, &headers, &glance, None, &policy).map_err(stuck)?;
    let mut request = facts.request();
    request.data_class = args.data_class.as_deref().or(request.data_class);
    if args.request.is_none() {
        request.estimated_tokens = Request::ordinary("").estimated_tokens;
    }
    let explanation = decide(&policy, &request);
    if args.json {
        out::line(serde_json::to_string_pretty(&explanation)?)?;
    } else {
        out::text(&explanation)?;
        out::line(
            "\nHealth is taken as good. A running server answers with its own at GET /admin/v1/explain/WORKFLOW.",
        )?;
    }
    Ok(if explanation.denial.is_some() { Outcome::Fails } else { Outcome::Good })
}

fn decide(policy: &Policy, request: &Request<'_>) -> Explanation {
    policy::explain(policy, request, &rehearse::Calm, rehearse::now(), 0)
}

fn headers(given: &[String]) -> Result<HeaderMap, Stuck> {
    let read = |line: &String| {
        let (name, value) = line.split_once(':')?;
        Some((HeaderName::from_str(name.trim()).ok()?, HeaderValue::from_str(value.trim()).ok()?))
    };
    given
        .iter()
        .map(|line| read(line).ok_or_else(|| Stuck(format!("`{line}` is no header; write `name: value`"))))
        .collect()
}

/// What the ledger says of a request, and what the policy of today would do with its like.
fn recorded(args: &Args, policy: &Policy, id: RequestId) -> Result<Outcome, Stuck> {
    let data_dir = args.data_dir.clone().unwrap_or_else(|| policy.store.data_dir.clone());
    let row = store::find(&data_dir, id)?
        .ok_or_else(|| Stuck(format!("the ledger in {} has no request {id}", data_dir.display())))?;
    let request = Request {
        dialect: row.dialect,
        stream: row.stream,
        workflow: row.workflow.as_deref(),
        data_class: row.data_class.as_deref(),
        needs: row.asked.needs,
        estimated_tokens: row.asked.estimated_tokens,
        max_output: row.asked.max_output,
        ..Request::ordinary(&row.asked.model)
    };
    let explanation = decide(policy, &request);
    let same = *row.policy_digest == *policy.digest;
    if args.json {
        let mut line = Vec::new();
        store::write_json_line(&row, &mut line)?;
        let line: serde_json::Value = serde_json::from_slice(&line)?;
        let report = json!({"recorded": line, "same_policy": same, "now": explanation});
        out::line(serde_json::to_string_pretty(&report)?)?;
    } else {
        out::text(told(&row)?)?;
        let under = if same { "the same policy" } else { "another policy than then" };
        out::text(format!(
            "\nDecided again now, under {under}, with health taken as good:\n\n{explanation}"
        ))?;
    }
    Ok(Outcome::Good)
}

/// What happened to a request, in lines.
fn told(row: &RequestRow) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    write!(text, "{} at {}: {}", row.request_id, row.at, row.end.name())?;
    if let Some(problem) = &row.problem {
        write!(text, ", the client read `{problem}`")?;
    }
    let workflow = row.workflow.as_deref().unwrap_or("none (direct)");
    writeln!(text, "\n  asked for `{}`, workflow {workflow}", row.asked.model)?;
    for attempt in &row.attempts {
        let outcome = match attempt.failure {
            Some(kind) => format!("failed: {kind}"),
            None if row.served_by.as_ref() == Some(&attempt.target) => "served".to_owned(),
            None => "unfinished".to_owned(),
        };
        let took = attempt.total_ms.map_or("unknown time".to_owned(), |ms| format!("{ms} ms"));
        writeln!(
            text,
            "  step {} {} ({}): {outcome} after {took}",
            attempt.step, attempt.target, attempt.permit
        )?;
        if let Some(detail) = &attempt.detail {
            writeln!(text, "      {detail}")?;
        }
    }
    match row.cost_usd {
        Some(cost) => writeln!(text, "  cost ${cost}")?,
        None => writeln!(text, "  cost unknown")?,
    }
    Ok(text)
}
