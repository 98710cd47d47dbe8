//! The web pages: rows in, HTML out. No I/O, no state; the admin port serves what this room writes.
//!
//! One page so far: what happens now. It is whole without scripts, and readable on a phone, in the light and in the dark.

use model::{End, RequestRow};
use std::fmt::Write;

const STYLE: &str = include_str!("style.css");

/// A target with what the gateway thinks of it.
pub struct TargetState<'a> {
    /// `provider/model`.
    pub name: &'a str,
    /// Whether it takes traffic, in a word: `open`, `closed`, `probing`, `out`. Nobody probes a target that only waits for
    /// its next request, so `probing` is shown as `resting`.
    pub state: &'static str,
    /// Its usual time to the first token, milliseconds.
    pub latency_ms: Option<u64>,
}

/// The first page: targets and their state, and the newest requests with every attempt.
pub fn overview(policy_digest: &str, targets: &[TargetState<'_>], rows: &[RequestRow]) -> String {
    let mut page = String::with_capacity(16 * 1024);
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Pointsman</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"refresh\" content=\"5\"><style>{STYLE}</style></head><body><main>\
         <h1>Pointsman</h1><p>Policy <code>{}</code>. This page renews itself every five seconds.</p>",
        escape(policy_digest)
    );
    figures(&mut page, rows);
    page.push_str(
        "<h2>Targets</h2><div class=\"wide\"><table><thead><tr><th scope=\"col\">Target</th>\
                   <th scope=\"col\">State</th><th scope=\"col\" class=\"n\">First token</th></tr></thead><tbody>",
    );
    for target in targets {
        let state = if target.state == "probing" { "resting" } else { target.state };
        let latency = target.latency_ms.map_or("–".to_owned(), |ms| format!("{ms} ms"));
        let _ = write!(
            page,
            "<tr><td>{}</td><td><span class=\"{state}\">{state}</span></td><td class=\"n\">{latency}</td></tr>",
            escape(target.name)
        );
    }
    page.push_str("</tbody></table></div><h2>Newest requests</h2>");
    if rows.is_empty() {
        page.push_str("<p>None yet.</p>");
    } else {
        requests(&mut page, rows);
    }
    page.push_str("</main></body></html>");
    page
}

/// What the listed requests add up to.
fn figures(page: &mut String, rows: &[RequestRow]) {
    if rows.is_empty() {
        return;
    }
    let served = rows.iter().filter(|r| r.end == End::Served).count();
    let saved = rows.iter().filter(|r| r.end == End::Served && r.attempts.len() > 1).count();
    let spent: i64 = rows.iter().filter_map(|r| r.cost_usd).map(|m| m.0).sum();
    let unknown = rows.iter().filter(|r| r.cost_usd.is_none() && !r.attempts.is_empty()).count();
    let _ = write!(
        page,
        "<dl><div><dt>Newest requests</dt><dd>{}</dd></div><div><dt>Served</dt><dd>{served}</dd></div>\
         <div><dt>Saved by a further attempt</dt><dd>{saved}</dd></div><div><dt>Spent</dt><dd>${}</dd></div>\
         <div><dt>Cost unknown</dt><dd>{unknown}</dd></div></dl>",
        rows.len(),
        model::Money(spent)
    );
}

/// A row a request. What tells most stands first: a phone shows the left part only, and every renewal scrolls back there.
fn requests(page: &mut String, rows: &[RequestRow]) {
    page.push_str(
        "<div class=\"wide\"><table><thead><tr><th scope=\"col\">End</th><th scope=\"col\">Workflow</th>\
         <th scope=\"col\">Attempts</th><th scope=\"col\" class=\"n\">Cost</th><th scope=\"col\" class=\"n\">Time</th>\
         <th scope=\"col\">At</th><th scope=\"col\">Request</th></tr></thead><tbody>",
    );
    for row in rows {
        let at = row.at.to_string();
        let _ = write!(
            page,
            "<tr><td><span class=\"{0}\">{0}</span></td><td>{1}</td><td>{2}</td><td class=\"n\">{3}</td>\
             <td class=\"n\">{4}</td><td><time datetime=\"{at}\" title=\"{at}\">{5}</time></td><td><code>{6}</code></td></tr>",
            row.end.name(),
            escape(row.workflow.as_deref().unwrap_or("–")),
            attempts(row),
            row.cost_usd.map_or("unknown".to_owned(), |c| format!("${c}")),
            row.total_ms.map_or("–".to_owned(), |ms| format!("{ms} ms")),
            time_of_day(&at),
            row.request_id,
        );
    }
    page.push_str("</tbody></table></div>");
}

/// Every attempt in a line of its own; for a request without one, why there was none.
fn attempts(row: &RequestRow) -> String {
    if row.attempts.is_empty() {
        let problem = row.problem.as_deref();
        return problem.map_or("–".to_owned(), |problem| format!("<small>{}</small>", escape(problem)));
    }
    let shown = row.attempts.iter().map(|a| match a.failure {
        Some(kind) => format!("<del>{}</del> <small>{kind}</small>", escape(&a.target)),
        None => escape(&a.target),
    });
    shown.collect::<Vec<_>>().join("<br>")
}

/// `18:18:10` of `2026-11-22T18:18:10.123Z`.
fn time_of_day(at: &str) -> &str {
    at.split_once('T').and_then(|(_, time)| time.get(..8)).unwrap_or(at)
}

/// Makes text safe between tags and in attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Asked, Dialect, RequestId, Timestamp, Usage};

    #[test]
    fn a_name_cannot_become_markup() {
        let target = TargetState { name: "x/<script>alert(1)</script>", state: "open", latency_ms: Some(12) };
        let page = overview("\"><b>", &[target], &[]);
        assert!(!page.contains("<script>") && !page.contains("<b>"));
        assert!(page.contains("x/&lt;script&gt;") && page.contains("None yet."));
    }

    fn row() -> RequestRow {
        RequestRow {
            request_id: RequestId(0),
            at: Timestamp(1_000_000),
            workflow: None,
            team: None,
            key_id: None,
            dialect: Dialect::OpenAi,
            stream: false,
            data_class: None,
            policy_digest: "d".into(),
            end: End::Denied,
            problem: Some("model_not_found".into()),
            served_by: None,
            gave_up: Vec::new(),
            cache: None,
            cost_usd: None,
            usage: Usage::default(),
            first_token_ms: None,
            total_ms: Some(1),
            attempts: Vec::new(),
            asked: Asked::default(),
        }
    }

    #[test]
    fn a_denied_request_shows_why_and_its_time_of_day() {
        let page = overview("d", &[], &[row()]);
        assert!(page.contains("<td><small>model_not_found</small></td>"), "{page}");
        let time =
            "<time datetime=\"1970-01-01T00:00:01.000Z\" title=\"1970-01-01T00:00:01.000Z\">00:00:01</time>";
        assert!(page.contains(time), "{page}");
        let headings = ["End", "Workflow", "Attempts", "Cost", "Time", "At", "Request"];
        let places: Vec<_> = headings.iter().map(|h| page.find(&format!(">{h}</th>"))).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
    }

    #[test]
    fn a_target_that_waits_for_its_next_request_rests() {
        let target = TargetState { name: "a/b", state: "probing", latency_ms: None };
        let page = overview("d", &[target], &[]);
        assert!(
            page.contains("<span class=\"resting\">resting</span>") && !page.contains(">probing<"),
            "{page}"
        );
    }
}
