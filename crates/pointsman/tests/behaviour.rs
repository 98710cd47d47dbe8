//! What users may rely on, one promise a test, shown on the real binary.

mod gateway;

use gateway::{Gateway, sims};
use http::Method;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

const JSON: (&str, &str) = ("content-type", "application/json");

fn hello(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "hello there"}]})
}

/// Sends raw bytes and reads until the other side closes or is silent for a second.
fn raw(gateway: &Gateway, bytes: &[u8]) -> String {
    raw_at(&gateway.listen, bytes)
}

fn raw_at(address: &str, bytes: &[u8]) -> String {
    let mut stream = std::net::TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(1))).expect("a time limit");
    stream.write_all(bytes).expect("sent");
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(n) = stream.read(&mut buffer) {
        if n == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..n]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn bytes_of_the_same_dialect_pass_through_with_only_the_model_changed() {
    let sim =
        sim::Sim::start(sim::SimConfig { vendor: sim::Vendor::Compatible, ..sim::SimConfig::instant("s") })
            .await
            .expect("a simulator");
    let policy =
        format!("providers:\n{}workflows:\n  w: {{route: [p/gpt-4.1]}}\n", sims::row("p", "openai", &sim));
    let gateway = Gateway::start(&policy).await;
    let body = "{ \"messages\" : [ {\"role\":\"user\",  \"content\":\"caf\\u00e9 \\ud83d\\ude00 \u{2028} \\/\"} ],\n\t\
                \"x_unknown\": {\"b\":1.50, \"a\":[ ]}, \"model\"  :\"w\" , \"temperature\": 1e0 }";
    let answer = gateway.send(Method::POST, "/v1/chat/completions", &[JSON], body).await.expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let sent = sim.log()[0].body.clone();
    assert_eq!(sent, Some(body.replace("\"w\"", "\"gpt-4.1\"")));
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_call_at_the_provider_within_a_second() {
    let sim = sims::slow("s", 100).await;
    let policy =
        format!("providers:\n{}workflows:\n  w: {{route: [p/gpt-4.1]}}\n", sims::row("p", "openai", &sim));
    let gateway = Gateway::start(&policy).await;
    for stream in [false, true] {
        sim.clear_log();
        let mut body = hello("w");
        body["stream"] = json!(stream);
        let sent = gateway.post("/v1/chat/completions", &[JSON], &body);
        let left = tokio::time::timeout(Duration::from_millis(700), sent).await;
        assert!(left.is_err(), "the answer came before the client could leave");
        let since = Instant::now();
        let ended = loop {
            let ended = sim.log().first().map(|entry| entry.ended);
            if ended != Some(sim::Ended::Open) || since.elapsed() > Duration::from_secs(5) {
                break ended;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        println!("stream {stream}: cancelled at the provider {:?} after the client left", since.elapsed());
        assert_eq!(ended, Some(sim::Ended::ClientLeft));
        assert!(since.elapsed() < Duration::from_secs(1), "it took {:?}", since.elapsed());
    }
    let ends: Vec<Value> = gateway.ledger().iter().map(|row| row["end"].clone()).collect();
    assert_eq!(ends, ["client_left", "client_left"]);
}

#[tokio::test]
async fn bad_input_is_refused_with_a_clear_error_and_reaches_no_provider() {
    let sim = sims::instant("s").await;
    let policy =
        format!("providers:\n{}workflows:\n  w: {{route: [p/gpt-4.1]}}\n", sims::row("p", "openai", &sim));
    let gateway = Gateway::start(&policy).await;
    let deep = format!("{{\"model\":\"w\",\"messages\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    let cases: [(&str, &str, u16, &str); 14] = [
        ("nothing", "", 400, "invalid_request"),
        ("not JSON", "hello", 400, "invalid_request"),
        ("an array", "[]", 400, "invalid_request"),
        ("cut off", "{\"model\":\"w\",\"messages\":[{\"role\":", 400, "invalid_request"),
        ("NaN", "{\"model\":\"w\",\"messages\":[],\"temperature\":NaN}", 400, "invalid_request"),
        ("something behind it", "{\"model\":\"w\",\"messages\":[]} x", 400, "invalid_request"),
        ("no model", "{\"messages\":[]}", 400, "invalid_request"),
        ("a number as model", "{\"model\":4,\"messages\":[]}", 400, "invalid_request"),
        ("an unknown model", "{\"model\":\"nobody\",\"messages\":[]}", 404, "model_not_found"),
        ("two models", "{\"model\":\"w\",\"messages\":[],\"model\":\"p/gpt-4.1\"}", 400, "ambiguous_body"),
        ("an escaped twin", "{\"model\":\"w\",\"messages\":[],\"mod\\u0065l\":\"x\"}", 400, "ambiguous_body"),
        ("another case", "{\"model\":\"w\",\"messages\":[],\"Messages\":[]}", 400, "ambiguous_body"),
        (
            "control characters",
            "{\"model\":\"w\",\"messages\":[{\"role\":\"user\",\"content\":\"a\nb\"}]}",
            400,
            "invalid_request",
        ),
        ("5,000 levels", &deep, 400, "invalid_request"),
    ];
    for (name, body, status, code) in cases {
        for (path, code_at) in
            [("/v1/chat/completions", "/error/code"), ("/v1/messages", "/error/details/error_code")]
        {
            let answer = gateway.send(Method::POST, path, &[JSON], body).await.expect("an answer");
            assert_eq!(answer.status, status, "{name} at {path}: {}", answer.body);
            assert_eq!(
                answer.json().pointer(code_at),
                Some(&json!(code)),
                "{name} at {path}: {}",
                answer.body
            );
        }
    }
    let invalid = b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 27\r\n\r\n{\"model\":\"w\",\"user\":\"\xff\xfe\"}  ";
    assert!(raw(&gateway, invalid).starts_with("HTTP/1.1 400"));
    let split =
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-pointsman-session: a\rb\r\ncontent-length: 0\r\n\r\n";
    let answer = raw(&gateway, split.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer:?}");
    let long = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "a".repeat(200_000));
    assert!(raw(&gateway, long.as_bytes()).starts_with("HTTP/1.1 431"));
    let large = "POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n";
    assert!(raw(&gateway, large.as_bytes()).starts_with("HTTP/1.1 413"));
    let twice = [("x-pointsman-data-class", "internal"), ("x-pointsman-data-class", "phi")];
    let answer = gateway.post("/v1/chat/completions", &twice, &hello("w")).await;
    assert_eq!(answer.status, 400, "a class that stands twice could be lowered: {}", answer.body);
    assert_eq!(sim.log().len(), 0, "nothing of this reached the provider");
    let answer = gateway.post("/v1/chat/completions", &[JSON], &hello("w")).await;
    assert_eq!(answer.status, 200, "and the gateway serves as before");
}

#[tokio::test]
async fn errors_of_the_door_come_in_the_callers_dialect() {
    let gateway = Gateway::start("providers: {openai: {api_key: {env: SIM_KEY}}}\n").await;
    let answer = gateway.send(Method::GET, "/v1/chat/completions", &[], "").await.expect("an answer");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    assert_eq!(answer.json()["error"]["code"], "method_not_allowed");
    let version = ("anthropic-version", "2023-06-01");
    let answer = gateway.send(Method::POST, "/v1/nowhere", &[version], "").await.expect("an answer");
    assert_eq!((answer.status, &answer.json()["type"]), (404, &json!("error")));
    let answer = gateway.send(Method::GET, "/v1/models/openai/gpt-4.1", &[], "").await.expect("an answer");
    assert_eq!((answer.status, &answer.json()["id"]), (200, &json!("openai/gpt-4.1")));
}

#[tokio::test]
async fn a_changed_file_takes_force_and_a_bad_one_does_not() {
    let (one, two) = (sims::instant("one").await, sims::instant("two").await);
    let rows =
        format!("providers:\n{}{}", sims::row("one", "openai", &one), sims::row("two", "openai", &two));
    let gateway = Gateway::start(&format!("{rows}workflows:\n  w: {{route: [one/gpt-4.1]}}\n")).await;
    let by = async || gateway.post("/v1/chat/completions", &[JSON], &hello("w")).await;
    assert_eq!(by().await.served_by(), "one/gpt-4.1");
    gateway.write(&format!("{rows}workflows:\n  w: {{route: [two/gpt-4.1]}}\n"));
    let since = Instant::now();
    let mut asked = 0;
    while by().await.served_by() != "two/gpt-4.1" {
        asked += 1;
        assert!(
            since.elapsed() < Duration::from_secs(10),
            "the change did not take force: {}",
            gateway.log()
        );
    }
    println!(
        "in force after {:?}; {asked} requests were served by the former policy, none dropped",
        since.elapsed()
    );
    gateway.write(&format!("{rows}workflows:\n  w: {{rout: [one/gpt-4.1]}}\n"));
    while !gateway.log().contains("the running policy stays in force") {
        assert!(since.elapsed() < Duration::from_secs(20), "{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(gateway.log().contains("rout"), "the log names the unknown key");
    assert_eq!(by().await.served_by(), "two/gpt-4.1");
}

#[tokio::test]
async fn a_stop_lets_a_stream_under_way_finish() {
    let sim = sims::slow("s", 10).await;
    let policy =
        format!("providers:\n{}workflows:\n  w: {{route: [p/gpt-4.1]}}\n", sims::row("p", "openai", &sim));
    let mut gateway = Gateway::start(&policy).await;
    let mut body = hello("w");
    body["stream"] = json!(true);
    let (listen, pid) = (gateway.listen.clone(), gateway.pid());
    let stream = tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(listen).expect("a connection");
        let body = body.to_string();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("sent");
        let mut text = String::new();
        let mut buffer = [0; 512];
        let mut stopped = false;
        while let Ok(n) = stream.read(&mut buffer) {
            if n == 0 {
                break;
            }
            text.push_str(&String::from_utf8_lossy(&buffer[..n]));
            if !stopped && text.contains("\"content\":\"") {
                stopped = true;
                let kill = std::process::Command::new("kill").args(["-TERM", &pid.to_string()]).status();
                assert!(kill.is_ok_and(|status| status.success()));
            }
        }
        (stopped, text)
    });
    let (stopped, text) = stream.await.expect("a stream");
    assert!(stopped, "the stream was under way when the stop was asked for");
    assert!(text.contains("data: [DONE]"), "and came whole: {text}");
    assert!(gateway.terminate().await.success());
    assert_eq!(gateway.ledger()[0]["end"], "served");
}

#[tokio::test]
async fn once_a_key_exists_every_call_needs_one_and_a_revoked_one_is_refused_within_a_second() {
    let sim = sims::instant("s").await;
    let policy = format!(
        "providers:\n{}workflows:\n  w: {{route: [p/gpt-4.1]}}\n  other: {{route: [p/gpt-4.1]}}\n\
         teams:\n  support: {{workflows: [w]}}\n",
        sims::row("p", "openai", &sim)
    );
    let gateway = Gateway::start(&policy).await;
    let call = async |headers: &[(&str, &str)], model: &str| {
        gateway.post("/v1/chat/completions", headers, &hello(model)).await.status
    };
    assert_eq!(call(&[], "w").await, 200, "while no key exists, this machine may call");
    let out = gateway.run(&["keys", "create", "--team", "support", "--json"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let made: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let (id, key) = (made["id"].as_str().expect("an id"), made["key"].as_str().expect("a key"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let bearer = format!("Bearer {key}");
    assert_eq!(call(&[], "w").await, 401);
    assert_eq!(call(&[("authorization", "Bearer pm_wrong")], "w").await, 401);
    assert_eq!(call(&[("authorization", &bearer)], "w").await, 200);
    assert_eq!(call(&[("x-api-key", key)], "w").await, 200);
    assert_eq!(call(&[("x-goog-api-key", key)], "w").await, 200);
    assert_eq!(call(&[("x-api-key", key)], "other").await, 403, "the team's workflows only");
    assert_eq!(call(&[("x-api-key", key)], "p/gpt-4.1").await, 403, "no direct targets");
    let models =
        gateway.send(Method::GET, "/v1/models", &[("x-api-key", key)], "").await.expect("an answer").json();
    let listed: Vec<&str> =
        models["data"].as_array().expect("a list").iter().filter_map(|m| m["id"].as_str()).collect();
    assert_eq!(listed, ["w"]);
    assert!(gateway.run(&["keys", "revoke", id]).status.success());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(call(&[("x-api-key", key)], "w").await, 401);
    assert_eq!(sim.log().len(), 4, "no refused call reached the provider");
    assert!(!gateway.log().contains(key), "the key is not in the log");
}

#[tokio::test]
async fn other_machines_are_not_served_while_no_key_exists() {
    let dir = tempfile::tempdir().expect("a directory");
    let policy = "server: {listen: '0.0.0.0:0', admin: '127.0.0.1:0'}\nstore: {data_dir: data}\nproviders: {ollama: {}}\n";
    std::fs::write(dir.path().join("pointsman.yaml"), policy).expect("written");
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_pointsman"))
        .args(["serve", "-c", "pointsman.yaml"])
        .current_dir(dir.path())
        .output()
        .expect("it runs");
    assert_eq!(run.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&run.stderr).contains("pointsman keys create"));
}

#[tokio::test]
async fn the_admin_port_needs_its_token_and_shows_metrics_requests_and_keys() {
    let sim = sims::instant("s").await;
    let policy = format!(
        "providers:\n{}models: {{p/gpt-4.1: {{price: {{input: 2, output: 8}}}}}}\n\
         workflows:\n  w: {{route: [p/fault-overloaded, p/gpt-4.1]}}\n",
        sims::row("p", "openai", &sim)
    );
    let gateway = Gateway::start(&policy).await;
    let answer = gateway.post("/v1/chat/completions", &[JSON], &hello("w")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let refused = gateway.send(Method::GET, "/metrics", &[], "").await.expect("an answer");
    assert_eq!(refused.status, 404, "the application port has no metrics");
    let metrics = gateway.operate(Method::GET, "/metrics", "").await.body;
    for line in [
        "pointsman_requests_total{workflow=\"w\",dialect=\"openai\",end=\"served\"} 1",
        "pointsman_attempts_total{target=\"p/fault-overloaded\",failure=\"overloaded\"}",
        "pointsman_attempts_total{target=\"p/gpt-4.1\",failure=\"none\"} 1",
        "pointsman_tokens_total{target=\"p/gpt-4.1\",kind=\"input\"}",
        "pointsman_target_closed{target=\"p/gpt-4.1\"} 0",
        "pointsman_ready 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing in:\n{metrics}");
    }
    let row = gateway.operate(Method::GET, &format!("/admin/v1/requests/{}", answer.id()), "").await.json();
    assert_eq!(row["served_by"], "p/gpt-4.1");
    assert_eq!(row["cost_usd"], answer.header("x-pointsman-cost-usd").unwrap_or("none"));
    let page = gateway.operate(Method::GET, "/", "").await;
    assert!(page.body.contains("p/gpt-4.1") && page.header("content-security-policy").is_some());
    let made = gateway.operate(Method::POST, "/admin/v1/keys", "{\"team\":\"a\"}").await;
    assert_eq!(made.status, 201);
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(gateway.operate(Method::GET, "/admin/v1/keys", "").await.json()["keys"][0]["id"], id.as_str());
    assert_eq!(gateway.operate(Method::DELETE, &format!("/admin/v1/keys/{id}"), "").await.status, 200);
    assert_eq!(gateway.operate(Method::DELETE, &format!("/admin/v1/keys/{id}"), "").await.status, 404);
    assert_eq!(gateway.operate(Method::GET, "/admin/v1/nowhere", "").await.status, 404);
}

#[tokio::test]
async fn a_client_may_speak_http_2() {
    use http_body_util::{BodyExt, Full};
    let sim = sims::instant("s").await;
    let policy =
        format!("providers:\n{}workflows:\n  w: {{route: [p/gpt-4.1]}}\n", sims::row("p", "openai", &sim));
    let gateway = Gateway::start(&policy).await;
    let executor = hyper_util::rt::TokioExecutor::new();
    let client = hyper_util::client::legacy::Client::builder(executor).http2_only(true).build_http();
    let mut body = hello("w");
    body["stream"] = json!(true);
    let request = http::Request::post(format!("http://{}/v1/chat/completions", gateway.listen))
        .body(Full::<bytes::Bytes>::from(body.to_string()))
        .expect("a request");
    let response = client.request(request).await.expect("a response");
    assert_eq!((response.version(), response.status().as_u16()), (http::Version::HTTP_2, 200));
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    assert!(String::from_utf8_lossy(&body).trim_end().ends_with("data: [DONE]"));
}

#[tokio::test]
async fn a_callers_short_deadline_says_nothing_of_the_target() {
    let sim = sims::slow("s", 30).await;
    let policy =
        format!("providers:\n{}workflows:\n  w: {{route: [p/gpt-4.1]}}\n", sims::row("p", "openai", &sim));
    let gateway = Gateway::start(&policy).await;
    for _ in 0..8 {
        let hurried =
            gateway.post("/v1/chat/completions", &[("x-pointsman-deadline-ms", "10")], &hello("w")).await;
        assert_eq!(hurried.status, 504, "{}", hurried.body);
    }
    let mut body = hello("w");
    body["max_tokens"] = json!(5);
    let patient = gateway.post("/v1/chat/completions", &[JSON], &body).await;
    assert_eq!(patient.status, 200, "{}", patient.body);
}

#[tokio::test]
async fn a_denied_request_is_booked_under_its_workflow() {
    let policy = "providers: {openai: {api_key: {env: SIM_KEY}}}\n\
                  models: {openai/gpt-4.1: {price: {input: 1000, output: 1000}}}\n\
                  workflows:\n  dear: {max_cost: 0.001, route: [openai/gpt-4.1]}\n";
    let gateway = Gateway::start(policy).await;
    let answer = gateway.post("/v1/chat/completions", &[JSON], &hello("dear")).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (400, Some("max_cost_exceeded")));
    assert_eq!(answer.header("x-pointsman-workflow"), Some("dear"));
    let row = gateway.row(answer.id());
    assert_eq!((&row["workflow"], &row["end"]), (&json!("dear"), &json!("denied")));
}

#[tokio::test]
async fn a_mended_key_file_takes_force_on_a_signal() {
    let sim = sims::instant("s").await;
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("key");
    std::fs::write(&file, "").expect("written");
    let policy = format!(
        "providers:\n  p: {{dialect: openai, base_url: '{}/v1', api_key: {{file: '{}'}}}}\nworkflows:\n  w: {{route: [p/gpt-4.1]}}\n",
        sim.url(),
        file.display()
    );
    let gateway = Gateway::start(&policy).await;
    let ask = async || gateway.post("/v1/chat/completions", &[JSON], &hello("w")).await.status;
    assert_eq!(ask().await, 502, "without a key nothing is sent");
    assert_eq!(sim.log().len(), 0);
    std::fs::write(&file, "sk-mended").expect("written");
    let hangup = std::process::Command::new("kill").args(["-HUP", &gateway.pid().to_string()]).status();
    assert!(hangup.is_ok_and(|status| status.success()));
    let since = Instant::now();
    while ask().await != 200 {
        assert!(since.elapsed() < Duration::from_secs(10), "{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn what_a_browser_sends_along_by_itself_can_read_but_change_nothing() {
    let gateway = Gateway::start("providers: {openai: {api_key: {env: SIM_KEY}}}\n").await;
    let basic = "Basic eDp0b2tlbi1vZi10aGUtdGVzdHM=";
    let get =
        format!("GET /metrics HTTP/1.1\r\nhost: x\r\nauthorization: {basic}\r\nconnection: close\r\n\r\n");
    let post = format!(
        "POST /admin/v1/keys HTTP/1.1\r\nhost: x\r\nauthorization: {basic}\r\ncontent-length: 12\r\nconnection: close\r\n\r\n{{\"team\":\"a\"}}"
    );
    assert!(raw_at(&gateway.admin, get.as_bytes()).starts_with("HTTP/1.1 200"));
    assert!(raw_at(&gateway.admin, post.as_bytes()).starts_with("HTTP/1.1 401"));
    let foreign = gateway
        .post("/v1/chat/completions", &[("sec-fetch-site", "cross-site")], &hello("openai/gpt-4.1"))
        .await;
    assert_eq!(foreign.status, 403, "nor may another site's page spend money while no key exists");
}

#[tokio::test]
async fn a_silent_target_of_an_impatient_workflow_is_noticed_by_its_breaker() {
    let sim = sims::instant("s").await;
    let rows = sims::row("p", "openai", &sim);
    let policy = format!(
        "providers:\n{rows}workflows:\n  w: {{latency: {{total: 1s}}, route: [p/fault-silence, p/gpt-4.1]}}\n"
    );
    let gateway = Gateway::start(&policy).await;
    for _ in 0..6 {
        let answer = gateway.post("/v1/chat/completions", &[JSON], &hello("w")).await;
        assert_eq!((answer.status, answer.served_by()), (200, "p/gpt-4.1"), "{}", answer.body);
    }
    let asked = sim.log().iter().filter(|entry| entry.model == "fault-silence").count();
    assert_eq!(asked, 5, "five failures in a row open the breaker, the sixth request goes elsewhere at once");
}
