//! Every fault of the simulator, streamed and whole, at providers of both dialects, seen by clients of both dialects:
//! what the client reads, which attempts were made, what the ledger holds.

mod gateway;

use gateway::{Answer, Gateway};
use model::Dialect;
use serde_json::{Value, json};
use sim::{Sim, SimConfig, SimHandle};
use std::fmt::Write;

/// What must come of a fault.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expect {
    /// The faulty provider fails under this name and the next step serves.
    Next(&'static str),
    /// The faulty provider serves all the same.
    Serves,
    /// The stream had begun: it ends with the dialect's error event; the attempt fails under this name.
    Breaks(&'static str),
    /// The client is handed the answer as it is, marked with this stop reason of the OpenAI dialect.
    AsIs(&'static str),
    /// The provider's refusal is handed on as an error; the attempt fails under this name and nobody else is asked.
    Refused(&'static str),
}

use Expect::{AsIs, Breaks, Next, Refused, Serves};

/// Fault, whole, streamed; where the vendors differ, the last pair is Anthropic's.
type Row = (&'static str, Expect, Expect, Option<(Expect, Expect)>);

/// Every fault with what must come of it.
const TABLE: &[Row] = &[
    ("status:code=502", Next("server_error"), Next("server_error"), None),
    ("status:code=504", Next("server_error"), Next("server_error"), None),
    ("status:code=408", Next("server_error"), Next("server_error"), None),
    ("rate_limit", Next("rate_limited"), Next("rate_limited"), None),
    ("rate_limit:retry_after=30", Next("rate_limited"), Next("rate_limited"), None),
    ("quota", Next("quota"), Next("quota"), None),
    ("overloaded", Next("overloaded"), Next("overloaded"), None),
    ("server_error", Next("server_error"), Next("server_error"), None),
    ("auth", Next("auth"), Next("auth"), None),
    ("echo_key", Next("auth"), Next("auth"), None),
    ("model_gone", Next("model_gone"), Next("model_gone"), None),
    ("context_exceeded", Next("context_exceeded"), Next("context_exceeded"), None),
    ("reset", Next("reset"), Next("reset"), None),
    ("silence", Next("first_token_timeout"), Next("first_token_timeout"), None),
    ("slow_headers:ms=50", Serves, Serves, None),
    ("slow_first_token:ms=50", Serves, Serves, None),
    ("slow_first_token:ms=60000", Next("first_token_timeout"), Next("first_token_timeout"), None),
    ("stall:after_tokens=3", Next("stall"), Breaks("stall"), None),
    ("cut:after_tokens=0", Next("cut"), Next("cut"), None),
    ("cut:after_tokens=3", Next("cut"), Breaks("cut"), None),
    ("reset_mid:after_tokens=3", Next("cut"), Breaks("cut"), None),
    ("malformed_chunk", Next("malformed"), Serves, None),
    ("malformed_chunk:at=3,count=5", Next("malformed"), Breaks("cut"), None),
    (
        "in_stream_error:after_tokens=0",
        Next("server_error"),
        Next("in_band_error"),
        Some((Next("server_error"), Next("overloaded"))),
    ),
    (
        "in_stream_error:after_tokens=3",
        Next("server_error"),
        Breaks("in_band_error"),
        Some((Next("server_error"), Breaks("overloaded"))),
    ),
    ("error_in_200", Next("in_band_error"), Next("in_band_error"), None),
    ("html_200", Next("malformed"), Next("malformed"), None),
    ("empty", Next("empty"), Next("empty"), None),
    ("empty_body", Next("malformed"), Next("cut"), None),
    ("refusal", AsIs("refusal"), AsIs("refusal"), None),
    (
        "content_filter",
        AsIs("content_filter"),
        AsIs("content_filter"),
        Some((Refused("content_filter"), Breaks("content_filter"))),
    ),
    ("truncate", AsIs("length"), AsIs("length"), None),
    ("bad_json", Serves, Serves, None),
    ("fenced_json", Serves, Serves, None),
    ("double_finish", Serves, Serves, None),
    ("no_usage", Serves, Serves, None),
    ("crlf_frames", Serves, Serves, None),
    ("comments", Serves, Serves, None),
    ("split_frames", Serves, Serves, None),
    ("no_final_newline", Serves, Serves, None),
];

struct World {
    gateway: Gateway,
    faulty: SimHandle,
    _steady: SimHandle,
}

/// One provider row and one workflow for every fault and dialect, so that no breaker of one case touches another.
async fn world() -> World {
    let faulty = Sim::start(SimConfig::instant("faulty")).await.expect("a simulator");
    let steady = Sim::start(SimConfig::instant("steady")).await.expect("a simulator");
    let mut providers = String::new();
    let mut models = String::new();
    let mut workflows = String::new();
    let price = "price: {input: 1, output: 2}";
    for (dialect, base) in [("openai", format!("{}/v1", faulty.url())), ("anthropic", faulty.url())] {
        for (i, (fault, ..)) in TABLE.iter().enumerate() {
            for form in ["whole", "stream"] {
                for client in ["openai", "anthropic"] {
                    let name = format!("{dialect}-{i}-{form}-{client}");
                    let key = "api_key: {env: SIM_KEY}";
                    let _ =
                        writeln!(providers, "  {name}: {{dialect: {dialect}, base_url: '{base}', {key}}}");
                    let target = format!("{name}/fault-{fault}");
                    let _ = writeln!(models, "  '{target}': {{context: 1000, {price}}}");
                    let _ = writeln!(
                        workflows,
                        "  {name}:\n    latency: {{first_token: 1s, total: 24s}}\n    on: {{timeout: next}}\n    \
                         route: ['{target}', steady/gpt-4.1]"
                    );
                }
            }
        }
    }
    let steady_row =
        format!("  steady: {{dialect: openai, base_url: '{}/v1', api_key: {{env: SIM_KEY}}}}", steady.url());
    let policy = format!(
        "providers:\n{providers}{steady_row}\nmodels:\n{models}  steady/gpt-4.1: {{context: 100000, {price}}}\n\
         workflows:\n{workflows}"
    );
    World { gateway: Gateway::start(&policy).await, faulty, _steady: steady }
}

async fn ask(gateway: &Gateway, client: Dialect, workflow: &str, stream: bool) -> Answer {
    let mut body = json!({
        "model": workflow,
        "max_tokens": 300,
        "stream": stream,
        "messages": [{"role": "user", "content": "Tell me about the weather in Lisbon today"}],
    });
    if stream && client == Dialect::OpenAi {
        body["stream_options"] = json!({"include_usage": true});
    }
    let path = match client {
        Dialect::Anthropic => "/v1/messages",
        _ => "/v1/chat/completions",
    };
    gateway
        .post(path, &[("content-type", "application/json"), ("anthropic-version", "2023-06-01")], &body)
        .await
}

/// The text, the stop reason in OpenAI's words, whether the normal terminator came, whether an error event came.
struct Read {
    text: String,
    stop: Option<String>,
    ended: bool,
    error: bool,
}

fn read(client: Dialect, stream: bool, answer: &Answer) -> Read {
    match (client, stream) {
        (Dialect::Anthropic, false) => {
            let body = answer.json();
            let text: Vec<&str> = body["content"]
                .as_array()
                .map_or(vec![], |parts| parts.iter().filter_map(|p| p["text"].as_str()).collect());
            let stop = body["stop_reason"].as_str().map(stop_word);
            Read { text: text.concat(), ended: stop.is_some(), stop, error: body["type"] == "error" }
        }
        (_, false) => {
            let body = answer.json();
            let choice = &body["choices"][0];
            let words = choice["message"]["content"].as_str().or(choice["message"]["refusal"].as_str());
            // OpenAI says a refusal in a field of its own and stops normally.
            let refused = choice["message"]["refusal"].is_string();
            let stop = choice["finish_reason"]
                .as_str()
                .map(|s| if refused { "refusal".to_owned() } else { s.to_owned() });
            Read {
                text: words.unwrap_or_default().to_owned(),
                ended: stop.is_some(),
                stop,
                error: body["error"].is_object(),
            }
        }
        (client, true) => read_stream(client, &answer.body),
    }
}

fn stop_word(anthropic: &str) -> String {
    match anthropic {
        "end_turn" => "stop",
        "max_tokens" => "length",
        "refusal" => "refusal",
        other => other,
    }
    .to_owned()
}

fn read_stream(client: Dialect, body: &str) -> Read {
    let mut read = Read { text: String::new(), stop: None, ended: false, error: false };
    for line in body.lines().filter_map(|line| line.strip_prefix("data: ")) {
        if line == "[DONE]" {
            read.ended = true;
            continue;
        }
        // A frame that the provider itself broke is passed over, as an SDK's reader would have to.
        let Ok(data) = serde_json::from_str::<Value>(line) else { continue };
        if client == Dialect::Anthropic {
            match data["type"].as_str() {
                Some("content_block_delta") => {
                    read.text.push_str(data["delta"]["text"].as_str().unwrap_or_default())
                }
                Some("message_delta") => read.stop = data["delta"]["stop_reason"].as_str().map(stop_word),
                Some("message_stop") => read.ended = true,
                Some("error") => read.error = true,
                _ => {}
            }
        } else {
            let choice = &data["choices"][0];
            read.error |= data["error"].is_object();
            read.text.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
            if let Some(refusal) = choice["delta"]["refusal"].as_str() {
                read.text.push_str(refusal);
                read.stop = Some("refusal".to_owned());
            }
            if let Some(stop) = choice["finish_reason"].as_str()
                && read.stop.is_none()
            {
                read.stop = Some(stop.to_owned());
            }
        }
    }
    read
}

/// Every complaint about one case; none when it is as expected.
fn complaints(expect: Expect, client: Dialect, stream: bool, answer: &Answer, row: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            wrong.push(what)
        }
    };
    let seen = read(client, stream, answer);
    let attempts = row["attempts"].as_array().cloned().unwrap_or_default();
    let failure = attempts.first().map_or(Value::Null, |a| a["failure"].clone());
    let end = row["end"].as_str().unwrap_or("none");
    must(answer.complete, "the HTTP body broke off".into());
    must(!answer.body.contains("sk-sim-0123456789abcdef"), "the provider's key reached the client".into());
    must(
        !row.to_string().contains("sk-sim-0123456789abcdef"),
        "the provider's key reached the ledger".into(),
    );
    if !matches!(expect, Breaks(_) | Refused(_)) {
        must(answer.status == 200, format!("status {}: {}", answer.status, answer.body));
        // A refusal may be without words.
        must(!seen.text.is_empty() || expect == AsIs("refusal"), "no text".into());
        must(seen.ended, "no normal end".into());
        must(!seen.error, "an error as well".into());
        must(end == "served", format!("the ledger says {end}"));
    }
    match expect {
        Next(kind) => {
            must(answer.served_by() == "steady/gpt-4.1", format!("served by {}", answer.served_by()));
            must(failure == kind, format!("the first attempt failed as {failure}, not {kind}"));
            must(seen.stop.as_deref() == Some("stop"), format!("stopped by {:?}", seen.stop));
            must(
                attempts.len()
                    == answer.header("x-pointsman-attempts").and_then(|n| n.parse().ok()).unwrap_or(0),
                "the header counts otherwise".into(),
            );
        }
        Serves => {
            must(answer.served_by().contains("/fault-"), format!("served by {}", answer.served_by()));
            must(attempts.len() == 1 && failure.is_null(), format!("attempts {attempts:?}"));
            must(seen.stop.as_deref() == Some("stop"), format!("stopped by {:?}", seen.stop));
        }
        AsIs(stop) => {
            must(attempts.len() == 1, format!("{} attempts", attempts.len()));
            let client_says = match (client, stop) {
                (Dialect::Anthropic, "content_filter") => "refusal",
                (_, stop) => stop,
            };
            let said = seen.stop.as_deref();
            let filter_as_refusal = stop == "refusal" && said == Some("content_filter");
            must(said == Some(client_says) || filter_as_refusal, format!("stopped by {said:?}"));
        }
        Refused(kind) => {
            must(answer.status == 400 && seen.error, format!("status {}: {}", answer.status, answer.body));
            must(attempts.len() == 1, format!("{} attempts", attempts.len()));
            must(failure == kind, format!("failed as {failure}, not {kind}"));
            must(end == "failed", format!("the ledger says {end}"));
        }
        Breaks(kind) => {
            must(answer.status == 200, format!("status {}", answer.status));
            must(!seen.text.is_empty(), "no text before the break".into());
            must(seen.error, "no error event".into());
            must(!seen.ended, "a normal end after a break".into());
            must(attempts.len() == 1, format!("{} attempts", attempts.len()));
            must(failure == kind, format!("failed as {failure}, not {kind}"));
            must(end == "failed", format!("the ledger says {end}"));
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_has_its_name_and_its_reaction_in_every_pair_of_dialects() {
    let world = world().await;
    let gateway = &world.gateway;
    let mut cases = Vec::new();
    for (provider, name) in [(Dialect::OpenAi, "openai"), (Dialect::Anthropic, "anthropic")] {
        for (i, (fault, whole, streamed, anthropic)) in TABLE.iter().enumerate() {
            let (whole, streamed) = match (provider, anthropic) {
                (Dialect::Anthropic, Some((whole, streamed))) => (*whole, *streamed),
                _ => (*whole, *streamed),
            };
            for (client, client_name) in [(Dialect::OpenAi, "openai"), (Dialect::Anthropic, "anthropic")] {
                for (stream, expect, form) in [(false, whole, "whole"), (true, streamed, "stream")] {
                    let workflow = format!("{name}-{i}-{form}-{client_name}");
                    cases.push(async move {
                        let answer = ask(gateway, client, &workflow, stream).await;
                        (format!("{fault} {workflow}"), expect, client, stream, answer)
                    });
                }
            }
        }
    }
    let count = cases.len();
    let answers = futures(cases).await;
    let rows: std::collections::HashMap<String, Value> = gateway
        .ledger()
        .into_iter()
        .map(|row| (row["request_id"].as_str().unwrap_or_default().to_owned(), row))
        .collect();
    let mut wrong = Vec::new();
    for (name, expect, client, stream, answer) in &answers {
        let row = rows.get(answer.id()).cloned().unwrap_or(Value::Null);
        for complaint in complaints(*expect, *client, *stream, answer, &row) {
            wrong.push(format!("{name}: expected {expect:?}: {complaint}"));
        }
    }
    assert_eq!(rows.len(), count, "one row a request");
    let sent = world.faulty.log().len();
    println!("{count} cases, {} attempts at the faulty provider, {} complaints", sent, wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs all cases at the same time, in waves that keep the machine responsive.
async fn futures<F: Future>(cases: Vec<F>) -> Vec<F::Output> {
    let mut outputs = Vec::new();
    let mut cases = cases.into_iter();
    loop {
        let wave: Vec<F> = cases.by_ref().take(64).collect();
        if wave.is_empty() {
            return outputs;
        }
        outputs.extend(futures_util::future::join_all(wave).await);
    }
}
