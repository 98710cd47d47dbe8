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
    /// Whether it takes traffic, in a word: `open`, `closed`, `probing`, `out`.
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
                   <th scope=\"col\">State</th><th scope=\"col\">First token</th></tr></thead><tbody>",
    );
    for target in targets {
        let latency = target.latency_ms.map_or("–".to_owned(), |ms| format!("{ms} ms"));
        let _ = write!(
            page,
            "<tr><td>{}</td><td><span class=\"{1}\">{1}</span></td><td>{latency}</td></tr>",
            escape(target.name),
            target.state
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

fn requests(page: &mut String, rows: &[RequestRow]) {
    page.push_str(
        "<div class=\"wide\"><table><thead><tr><th scope=\"col\">At</th><th scope=\"col\">Workflow</th>\
         <th scope=\"col\">End</th><th scope=\"col\">Attempts</th><th scope=\"col\">Time</th>\
         <th scope=\"col\">Cost</th><th scope=\"col\">Request</th></tr></thead><tbody>",
    );
    for row in rows {
        let attempts: Vec<String> = row
            .attempts
            .iter()
            .map(|a| match a.failure {
                Some(kind) => format!("<del>{}</del> <small>{kind}</small>", escape(&a.target)),
                None => escape(&a.target),
            })
            .collect();
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}</td><td><span class=\"{2}\">{2}</span></td><td>{3}</td><td>{4}</td><td>{5}</td>\
             <td><code>{6}</code></td></tr>",
            row.at,
            escape(row.workflow.as_deref().unwrap_or("–")),
            row.end.name(),
            if attempts.is_empty() { "–".to_owned() } else { attempts.join("<br>") },
            row.total_ms.map_or("–".to_owned(), |ms| format!("{ms} ms")),
            row.cost_usd.map_or("unknown".to_owned(), |c| format!("${c}")),
            row.request_id,
        );
    }
    page.push_str("</tbody></table></div>");
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

    #[test]
    fn a_name_cannot_become_markup() {
        let target = TargetState { name: "x/<script>alert(1)</script>", state: "open", latency_ms: Some(12) };
        let page = overview("\"><b>", &[target], &[]);
        assert!(!page.contains("<script>") && !page.contains("<b>"));
        assert!(page.contains("x/&lt;script&gt;") && page.contains("None yet."));
    }
}
