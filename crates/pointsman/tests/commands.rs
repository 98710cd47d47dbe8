//! What scripts rely on: exit codes, examples in every help, and commands whose reader leaves.

use model::{Asked, Dialect, End, RequestId, RequestRow, Timestamp, Usage};
use serde_json::Value;
use std::io::pipe;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const POLICY: &str = "\
store: {data_dir: ./data}
providers:
  local: {dialect: openai, base_url: http://127.0.0.1:9/v1, region: onprem}
  other: {dialect: openai, base_url: http://127.0.0.1:9/v1}
models:
  local/small: {context: 32768, price: {input: 0, output: 0}}
workflows:
  answers: {route: [local/small]}
  private: {data_class: phi, route: [other/large]}
data_classes:
  phi: {regions: [onprem]}
";

/// The real program in a directory, without the keys of whoever runs the tests.
fn pointsman(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    command.args(args).current_dir(dir).env_clear().stdin(Stdio::null());
    command
}

fn run(dir: &Path, args: &[&str]) -> Output {
    pointsman(dir, args).output().expect("the program starts")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A directory with a policy file.
fn desk() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("pointsman.yaml"), POLICY).expect("a policy");
    dir
}

/// What a server leaves in the policy's data directory after it denied one request. Returns the request's id.
fn denied(desk: &Path) -> String {
    let id = RequestId(7);
    let store = store::Store::open(&desk.join("data"), &store::Options::default()).expect("a store");
    let row = RequestRow {
        request_id: id,
        at: Timestamp(1_795_348_800_000_000),
        workflow: None,
        team: None,
        key_id: None,
        dialect: Dialect::OpenAi,
        stream: false,
        data_class: None,
        policy_digest: "0".into(),
        end: End::Denied,
        problem: Some("model_not_found".into()),
        served_by: None,
        gave_up: Vec::new(),
        cache: None,
        cost_usd: None,
        usage: Usage::UNKNOWN,
        first_token_ms: None,
        total_ms: Some(1),
        attempts: Vec::new(),
        asked: Asked { model: "no-such-model".into(), ..Asked::default() },
    };
    store.journal().settle(&row).expect("recorded");
    store.close().expect("closed in order");
    id.to_string()
}

/// Asserts the exit code of each of these, in order.
fn ends(dir: &Path, expected: &[(i32, &[&str])]) {
    for (code, args) in expected {
        let output = run(dir, args);
        assert_eq!(output.status.code(), Some(*code), "{args:?}\n{}", said(&output));
    }
}

/// The commands that a help lists.
fn listed(help: &str) -> Vec<String> {
    let section = help.split_once("Commands:\n").map_or("", |(_, rest)| rest);
    let lines = section.lines().take_while(|line| line.starts_with("  "));
    // A name stands two columns in; a description that goes on stands further right.
    let names =
        lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_command_and_subcommand_shows_an_example_in_its_help() {
    let dir = tempfile::tempdir().expect("a directory");
    let top = run(dir.path(), &["--help"]);
    let mut waiting: Vec<Vec<String>> =
        listed(&String::from_utf8_lossy(&top.stdout)).into_iter().map(|c| vec![c]).collect();
    let mut seen = Vec::new();
    while let Some(command) = waiting.pop() {
        let mut args: Vec<&str> = command.iter().map(String::as_str).collect();
        args.push("--help");
        let output = run(dir.path(), &args);
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        assert!(help.contains("Example"), "{command:?} has no example:\n{help}");
        waiting.extend(listed(&help).into_iter().map(|sub| [command.clone(), vec![sub]].concat()));
        seen.push(command.join(" "));
    }
    for expected in
        ["serve", "keys", "keys create", "keys list", "keys revoke", "ledger export", "catalog show"]
    {
        assert!(seen.iter().any(|s| s == expected), "{expected} is not among {seen:?}");
    }
}

#[test]
fn a_reader_who_leaves_ends_no_command_in_a_panic() {
    let dir = desk();
    let id = denied(dir.path());
    let cases: [(&[&str], i32); 11] = [
        (&["catalog", "show"], 0),
        (&["catalog", "show", "--json"], 0),
        (&["check", "--schema"], 0),
        (&["check"], 0),
        (&["check", "--strict", "--json"], 1),
        (&["explain", "--workflow", "answers"], 0),
        (&["why-not", "local/small", "--workflow", "answers"], 0),
        (&["keys", "list"], 0),
        (&["ledger", "export"], 0),
        (&["explain", "--id", &id], 0),
        (&["--help"], 0),
    ];
    for (args, code) in cases {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let output = pointsman(dir.path(), args).stdout(writer).output().expect("the program starts");
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{}", said(&output));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    }
    let (reader, writer) = pipe().expect("a pipe");
    drop(reader);
    let status = pointsman(dir.path(), &["check", "-c", "none.yaml"]).stderr(writer).status();
    assert_eq!(status.expect("the program starts").code(), Some(3), "nobody reads the complaint");
}

#[test]
fn check_tells_a_good_file_from_a_bad_one_and_from_none() {
    let dir = desk();
    let file = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("a file");
    file("bad.yaml", "provider: {}\n");
    file("empty.yaml", "providers: {}\n");
    ends(
        dir.path(),
        &[
            (0, &["check"]),
            (1, &["check", "-c", "bad.yaml"]),
            (0, &["check", "-c", "empty.yaml"]),
            (1, &["check", "-c", "empty.yaml", "--strict"]),
            (3, &["check", "-c", "none.yaml"]),
            (3, &["check", "--no-such-flag"]),
        ],
    );
    let strict = said(&run(dir.path(), &["check", "-c", "empty.yaml", "--strict"]));
    assert!(strict.contains("not good under --strict; errors: 0, warnings: 1"), "{strict}");
    assert!(strict.contains("there is no provider"), "{strict}");
    let bad = said(&run(dir.path(), &["check", "-c", "bad.yaml"]));
    assert!(bad.contains("cannot be used"), "{bad}");
}

#[test]
fn a_decision_is_explained_with_0_a_denial_with_1_and_an_impossible_question_is_3() {
    let dir = desk();
    ends(
        dir.path(),
        &[
            (0, &["explain", "--workflow", "answers"]),
            (1, &["explain", "--workflow", "private"]),
            (3, &["explain"]),
            (3, &["explain", "--request", "none.json"]),
            (3, &["explain", "--id", "nonsense"]),
            (0, &["why-not", "other/large", "--workflow", "private"]),
            (3, &["why-not", "other/large", "--workflow", "no-such-workflow"]),
            (3, &["why-not", "other/large"]),
        ],
    );
    let answer =
        String::from_utf8_lossy(&run(dir.path(), &["why-not", "other/large", "-w", "private"]).stdout)
            .into_owned();
    assert!(answer.ends_with('\n') && !answer.ends_with("\n\n"), "{answer:?}");
}

#[test]
fn keys_are_made_listed_and_revoked_with_0_and_what_is_not_there_is_3() {
    let dir = desk();
    let made = run(dir.path(), &["keys", "create", "--team", "support", "--json"]);
    let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let id = made["id"].as_str().expect("an id");
    assert!(made["key"].as_str().is_some_and(|key| key.contains(id)));
    ends(
        dir.path(),
        &[
            (0, &["keys", "list"]),
            (0, &["keys", "revoke", id]),
            (3, &["keys", "revoke", id]),
            (3, &["keys", "create"]),
            (3, &["keys", "create", "--team", "support", "--expires", "soon"]),
        ],
    );
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(dir.path().join("data")).expect("the data directory").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "keys come before the first start");
}

#[test]
fn init_writes_once_and_replaces_only_when_told_to() {
    let dir = tempfile::tempdir().expect("a directory");
    ends(
        dir.path(),
        &[
            (0, &["init"]),
            (3, &["init"]),
            (0, &["init", "--force"]),
            (0, &["check"]),
            (3, &["init", "-o", "no/such/place.yaml"]),
        ],
    );
}

#[test]
fn the_ledger_is_exported_as_json_lines_under_either_name() {
    let dir = desk();
    ends(dir.path(), &[(3, &["ledger", "export"])]);
    let id = denied(dir.path());
    let plain = run(dir.path(), &["ledger", "export", "--format", "jsonl"]);
    let json = run(dir.path(), &["ledger", "export", "--json"]);
    assert_eq!((json.status.code(), &json.stdout), (Some(0), &plain.stdout));
    let row: Value = serde_json::from_slice(&json.stdout).expect("one row");
    assert_eq!((&row["request_id"], &row["end"]), (&Value::from(id), &Value::from("denied")));
    ends(
        dir.path(),
        &[
            (0, &["ledger", "export", "--format", "csv"]),
            (3, &["ledger", "export", "--json", "--format", "csv"]),
            (3, &["ledger", "export", "--end", "never"]),
        ],
    );
}

#[test]
fn explain_says_why_a_recorded_request_was_denied() {
    let dir = desk();
    let id = denied(dir.path());
    let told = run(dir.path(), &["explain", "--id", &id]);
    assert_eq!(told.status.code(), Some(0), "{}", said(&told));
    assert!(said(&told).contains("denied, the client read `model_not_found`"), "{}", said(&told));
}

#[test]
fn a_model_that_nobody_knows_is_said_to_be_unknown() {
    let dir = tempfile::tempdir().expect("a directory");
    ends(dir.path(), &[(0, &["catalog", "show"]), (1, &["catalog", "show", "no-such-model"])]);
    let told = said(&run(dir.path(), &["catalog", "show", "no-such-model"]));
    assert!(told.contains("`no-such-model`") && told.lines().count() == 1, "{told}");
    let empty = run(dir.path(), &["catalog", "show", "no-such-model", "--json"]);
    let empty: Value = serde_json::from_slice(&empty.stdout).expect("JSON");
    assert_eq!(empty["models"], Value::Array(Vec::new()));
}
