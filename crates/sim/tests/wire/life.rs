//! Clients that leave, the log, outages.

use crate::client::{asks, connect, last_ended, openai, read, request, send, start};
use serde_json::json;
use sim::{Ended, Fault, Script, Sim, SimConfig, credential_hash};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

#[tokio::test]
async fn a_client_that_leaves_a_stream_is_noticed() {
    let sim = start().await;
    sim.script(Script::always(Fault::Stall { after_tokens: 3 }));
    let body = asks(json!({"stream": true})).to_string();
    let mut stream = connect(&sim, &request("/v1/chat/completions", &[], &body)).await;
    read(&mut stream, &mut Vec::new()).await;
    assert_eq!(sim.log()[0].ended, Ended::Open, "still there");
    drop(stream);
    let entry = last_ended(&sim).await;
    assert_eq!((entry.ended, entry.status), (Ended::ClientLeft, Some(200)));
    assert!(entry.ended_ms.is_some());
    assert_eq!(entry.usage.expect("what was delivered is billed").output, 4);
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_is_noticed() {
    let config = SimConfig { first_token_ms: 600_000, ..SimConfig::instant("slow") };
    let sim = Sim::start(config).await.unwrap();
    let stream = connect(&sim, &request("/v1/chat/completions", &[], &asks(json!({})).to_string())).await;
    while sim.log().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(stream);
    let entry = last_ended(&sim).await;
    assert_eq!((entry.ended, entry.status, entry.usage), (Ended::ClientLeft, None, None));
}

#[tokio::test]
async fn a_client_that_leaves_while_words_are_flowing_is_noticed() {
    let config = SimConfig { chunk_ms: 5, tokens_per_answer: 100_000, ..SimConfig::instant("endless") };
    let sim = Sim::start(config).await.unwrap();
    let body = asks(json!({"stream": true})).to_string();
    let mut stream = connect(&sim, &request("/v1/chat/completions", &[], &body)).await;
    stream.read_buf(&mut Vec::<u8>::new()).await.unwrap();
    drop(stream);
    assert_eq!(last_ended(&sim).await.ended, Ended::ClientLeft);
}

#[tokio::test]
async fn the_log_keeps_the_exact_body_and_hides_the_credential() {
    let sim = start().await;
    let odd = " {\"model\" : \"gpt-4.1\",\"messages\":[{\"role\":\"user\",\"content\":\"caf\u{e9}\"}]}\n";
    send(&sim, &request("/v1/chat/completions?x=1", &[("x-app", "shop")], odd)).await;
    let over_http = send(&sim, &request("/_sim/log", &[], "").replace("POST", "GET")).await;
    assert!(!over_http.body.contains("sk-test-1234567890"));
    let entry = &over_http.json()[0];
    assert_eq!(
        (entry["body"].as_str(), entry["path"].as_str()),
        (Some(odd), Some("/v1/chat/completions?x=1"))
    );
    assert_eq!(
        (&entry["headers"]["x-app"], &entry["ended"], &entry["status"]),
        (&json!("shop"), &json!("complete"), &json!(200))
    );
    assert_eq!(
        entry["credential"],
        json!({"header": "authorization", "scheme": "Bearer",
                                           "hash": credential_hash("sk-test-1234567890")})
    );
    assert_eq!(entry["body_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(sim.log()[0].usage.unwrap().input, 1);
    let later = send(&sim, &request("/_sim/log?since=1", &[], "").replace("POST", "GET")).await;
    assert_eq!(later.json(), json!([]));
    send(&sim, &request("/_sim/log", &[], "").replace("POST", "DELETE")).await;
    assert!(sim.log().is_empty());
}

#[tokio::test]
async fn unplugging_drops_connections_and_refuses_new_ones_until_plugged_in_again() {
    let sim = start().await;
    sim.script(Script::always(Fault::Stall { after_tokens: 1 }));
    let body = asks(json!({"stream": true})).to_string();
    let mut held = connect(&sim, &request("/v1/chat/completions", &[], &body)).await;
    read(&mut held, &mut Vec::new()).await;
    sim.unplug().await;
    assert!(TcpStream::connect(sim.addr()).await.is_err());
    assert_eq!(read(&mut held, &mut Vec::new()).await, crate::client::End::Closed);
    assert_eq!(last_ended(&sim).await.ended, Ended::Unplugged);
    sim.plug().await;
    sim.clear_script();
    assert_eq!(openai(&sim, &[], asks(json!({}))).await.status, 200);
}

#[tokio::test]
async fn an_outage_asked_for_over_http_ends_by_itself() {
    let sim = start().await;
    let got = send(&sim, &request("/_sim/unplug", &[], "{\"seconds\": 0.2}")).await;
    assert_eq!(got.json(), json!({"unplugged_seconds": 0.2}));
    let until = async |up: bool| {
        while TcpStream::connect(sim.addr()).await.is_ok() != up {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    until(false).await;
    until(true).await;
}

#[tokio::test]
async fn a_provider_stops_when_told_and_when_its_last_handle_is_dropped() {
    let sim = start().await;
    let (addr, twin) = (sim.addr(), sim.clone());
    drop(sim);
    assert!(TcpStream::connect(addr).await.is_ok(), "a handle is left");
    twin.shutdown().await;
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let sim = start().await;
    let once = request("/v1/chat/completions", &[], &asks(json!({})).to_string())
        .replace("connection: close\r\n", "");
    let mut stream = connect(&sim, &format!("{once}{once}")).await;
    let mut bytes = Vec::new();
    read(&mut stream, &mut bytes).await;
    assert_eq!(String::from_utf8(bytes).unwrap().matches("HTTP/1.1 200 OK").count(), 2);
    assert_eq!(sim.log().len(), 2);
}
