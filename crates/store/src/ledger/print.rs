//! Rows as people and programs read them: one JSON object a line in the contract's field order, or CSV.
//!
//! Unknown is `null` in JSON and empty in CSV. Money is a decimal string, times are RFC 3339 with milliseconds, UTC.

use model::{Asked, AttemptRow, Money, RequestRow, Timestamp, Usage};
use serde::{Serialize, Serializer};
use std::fmt::Display;
use std::io::{self, Write};
use std::sync::Arc;

/// The contract's object; what it does not name follows behind.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(serialize_with = "shown")]
    request_id: model::RequestId,
    #[serde(serialize_with = "shown")]
    at: Timestamp,
    workflow: Option<&'a str>,
    team: Option<&'a str>,
    key_id: Option<&'a str>,
    dialect: &'a str,
    stream: bool,
    data_class: Option<&'a str>,
    policy_digest: &'a str,
    end: &'a str,
    served_by: Option<&'a str>,
    gave_up: &'a [Arc<str>],
    cache: Option<&'a str>,
    cost_usd: Option<Money>,
    usage: UsageLine,
    first_token_ms: Option<u64>,
    total_ms: Option<u64>,
    attempts: Attempts<'a>,
    problem: Option<&'a str>,
    asked: &'a Asked,
}

#[derive(Serialize)]
struct AttemptLine<'a> {
    step: u32,
    target: &'a str,
    #[serde(serialize_with = "shown")]
    began: Timestamp,
    status: Option<u16>,
    failure: Option<&'a str>,
    first_token_ms: Option<u64>,
    total_ms: Option<u64>,
    usage: UsageLine,
    cost_usd: Option<Money>,
    permit: &'a str,
    detail: Option<&'a str>,
}

#[derive(Serialize)]
struct UsageLine {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    reasoning: Option<u64>,
}

struct Attempts<'a>(&'a [AttemptRow]);

impl Serialize for Attempts<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.0.iter().map(attempt))
    }
}

fn shown<T: Display, S: Serializer>(value: &T, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(value)
}

fn usage(usage: &Usage) -> UsageLine {
    let Usage { input, output, cache_read, cache_write, reasoning } = *usage;
    UsageLine { input, output, cache_read, cache_write, reasoning }
}

fn attempt(row: &AttemptRow) -> AttemptLine<'_> {
    AttemptLine {
        step: row.step,
        target: &row.target,
        began: row.began,
        status: row.status,
        failure: row.failure.map(model::FailureKind::name),
        first_token_ms: row.first_token_ms,
        total_ms: row.total_ms,
        usage: usage(&row.usage),
        cost_usd: row.cost_usd,
        permit: &row.permit,
        detail: row.detail.as_deref(),
    }
}

fn line(row: &RequestRow) -> Line<'_> {
    Line {
        request_id: row.request_id,
        at: row.at,
        workflow: row.workflow.as_deref(),
        team: row.team.as_deref(),
        key_id: row.key_id.as_deref(),
        dialect: row.dialect.name(),
        stream: row.stream,
        data_class: row.data_class.as_deref(),
        policy_digest: &row.policy_digest,
        end: row.end.name(),
        served_by: row.served_by.as_deref(),
        gave_up: &row.gave_up,
        cache: row.cache.as_deref(),
        cost_usd: row.cost_usd,
        usage: usage(&row.usage),
        first_token_ms: row.first_token_ms,
        total_ms: row.total_ms,
        attempts: Attempts(&row.attempts),
        problem: row.problem.as_deref(),
        asked: &row.asked,
    }
}

/// Writes one row as a JSON object and a line feed.
pub fn write_json_line(row: &RequestRow, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &line(row))?;
    out.write_all(b"\n")
}

/// The first line of a CSV file, without its line end.
pub const CSV_HEAD: &str = "request_id,at,workflow,team,key_id,dialect,stream,data_class,policy_digest,end,served_by,\
    gave_up,cache,cost_usd,input,output,cache_read,cache_write,reasoning,first_token_ms,total_ms,attempts,problem";

/// Writes one row as a line of CSV: `gave_up` separated by spaces, `attempts` as the JSON of the JSON lines.
pub fn write_csv(row: &RequestRow, out: &mut dyn Write) -> io::Result<()> {
    let l = line(row);
    let attempts = serde_json::to_string(&l.attempts)?;
    let cells: [&dyn Display; 23] = [
        &l.request_id,
        &l.at,
        &text(l.workflow),
        &text(l.team),
        &text(l.key_id),
        &l.dialect,
        &l.stream,
        &text(l.data_class),
        &l.policy_digest,
        &l.end,
        &text(l.served_by),
        &l.gave_up.join(" "),
        &text(l.cache),
        &known(l.cost_usd),
        &known(l.usage.input),
        &known(l.usage.output),
        &known(l.usage.cache_read),
        &known(l.usage.cache_write),
        &known(l.usage.reasoning),
        &known(l.first_token_ms),
        &known(l.total_ms),
        &attempts,
        &text(l.problem),
    ];
    for (i, cell) in cells.iter().enumerate() {
        if i > 0 {
            out.write_all(b",")?;
        }
        write_cell(&cell.to_string(), out)?;
    }
    out.write_all(b"\r\n")
}

fn text(value: Option<&str>) -> &str {
    value.unwrap_or_default()
}

fn known<T: Display>(value: Option<T>) -> String {
    value.map(|v| v.to_string()).unwrap_or_default()
}

/// RFC 4180.
fn write_cell(cell: &str, out: &mut dyn Write) -> io::Result<()> {
    if !cell.contains([',', '"', '\n', '\r']) {
        return out.write_all(cell.as_bytes());
    }
    write!(out, "\"{}\"", cell.replace('"', "\"\""))
}
