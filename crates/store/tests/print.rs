//! The forms that programs outside rely on: the contract's JSON line, CSV, and the bytes in database and journal.

#![allow(clippy::unwrap_used)]

mod rows;

use model::RequestRow;
use rows::{denied, failed, served};
use store::{CSV_HEAD, write_csv, write_json_line};

fn json(row: &RequestRow) -> String {
    let mut out = Vec::new();
    write_json_line(row, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_served_request_is_the_contracts_object_in_the_contracts_order() {
    let usage = r#"{"input":402,"output":57,"cache_read":128,"cache_write":null,"reasoning":null}"#;
    let expected = format!(
        concat!(
            r#"{{"request_id":"{}","at":"2026-11-22T12:00:00.002Z","workflow":"refund-triage","team":"support","#,
            r#""key_id":"4hx2q8v0m3kd","dialect":"openai","stream":true,"data_class":"internal","policy_digest":"{}","#,
            r#""end":"served","served_by":"anthropic/claude-sonnet-4-5","gave_up":[],"cache":null,"#,
            r#""cost_usd":"0.001234502","usage":{usage},"first_token_ms":310,"total_ms":1202,"attempts":[{{"step":0,"#,
            r#""target":"anthropic/claude-sonnet-4-5","began":"2026-11-22T12:00:00.002Z","status":200,"failure":null,"#,
            r#""first_token_ms":309,"total_ms":1199,"usage":{usage},"cost_usd":"0.001234502","permit":"primary","#,
            r#""detail":null}}],"problem":null,"asked":{{"model":"refund-triage","needs":["json_schema"],"#,
            r#""estimated_tokens":414,"max_output":512}}}}"#,
            "\n"
        ),
        rows::id(2),
        served(2).policy_digest,
        usage = usage
    );
    assert_eq!(json(&served(2)), expected);
}

#[test]
fn unknown_is_null_and_failures_have_their_names() {
    let line: serde_json::Value = serde_json::from_str(&json(&failed(3))).unwrap();
    assert_eq!(line["end"], "failed");
    assert_eq!(line["problem"], "all_targets_failed");
    for field in ["workflow", "data_class", "served_by", "cost_usd", "first_token_ms", "total_ms"] {
        assert!(line[field].is_null(), "{field}");
    }
    assert_eq!(line["attempts"][0]["failure"], "overloaded");
    assert_eq!(line["attempts"][0]["status"], 529);
    assert_eq!(line["attempts"][1]["permit"], "certified:cert_01");
    assert!(line["attempts"][1]["usage"]["input"].is_null());
    assert_eq!(line["gave_up"][0], "reasoning");
    let line: serde_json::Value = serde_json::from_str(&json(&denied(4))).unwrap();
    assert_eq!(line["attempts"], serde_json::json!([]));
}

/// Splits one line as RFC 4180 says.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.trim_end_matches("\r\n").chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    cells.push(cell);
    cells
}

#[test]
fn a_csv_line_has_a_cell_for_every_column_whatever_stands_in_it() {
    let head = cells(CSV_HEAD);
    for row in [served(1), failed(2), denied(3)] {
        let mut out = Vec::new();
        write_csv(&row, &mut out).unwrap();
        let line = String::from_utf8(out).unwrap();
        assert!(line.ends_with("\r\n"));
        let cells = cells(&line);
        assert_eq!(cells.len(), head.len());
        let cell = |name: &str| cells[head.iter().position(|h| h == name).unwrap()].as_str();
        assert_eq!(cell("request_id"), row.request_id.to_string());
        assert_eq!(cell("end"), row.end.name());
        assert_eq!(cell("workflow"), row.workflow.as_deref().unwrap_or(""));
        assert_eq!(cell("cost_usd"), row.cost_usd.map(|m| m.to_string()).unwrap_or_default());
        assert_eq!(cell("gave_up"), row.gave_up.join(" "));
        let attempts: serde_json::Value = serde_json::from_str(cell("attempts")).unwrap();
        assert_eq!(attempts.as_array().unwrap().len(), row.attempts.len());
    }
}

#[test]
fn the_bytes_of_a_stored_row_change_only_with_their_version_number() {
    // Journal segments and the ledger's blobs hold rows as postcard writes them. If this fails, `model::RequestRow` or
    // something inside it changed: raise `LAYOUT` in journal/segment.rs and `REST` in ledger/row.rs, keep a reader for
    // the blobs already written, and put the new sum here.
    let rows = [served(1), failed(2), denied(3)];
    let sums = rows.map(|row| crc32fast::hash(&postcard::to_stdvec(&row).unwrap()));
    assert_eq!(sums, [2_375_368_804, 1_868_183_277, 2_902_490_290]);
}
