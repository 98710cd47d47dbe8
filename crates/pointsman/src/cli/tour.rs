//! `pointsman demo --tour`: a story told by real requests to the real gateway. Every step checks what it shows.

use super::demo::Demo;
use super::{Outcome, Stuck};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use model::FailureKind;
use serde_json::{Value, json};
use sim::{Fault, Rule, Script};
use std::time::Duration;

/// What a client saw.
struct Seen {
    status: u16,
    headers: http::HeaderMap,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("-")
    }
}

/// Tells the story; every step prints what happened and whether it held.
pub async fn play(demo: &Demo) -> Result<Outcome, Stuck> {
    let mut teller = Teller { demo, step: 0, failed: 0 };
    teller.ordinary().await?;
    teller.outage().await?;
    teller.recovery().await?;
    teller.cut_stream().await?;
    teller.data_rule().await?;
    teller.bad_request().await?;
    teller.ledger().await?;
    if teller.failed > 0 {
        println!("\n{} of {} steps did not hold.", teller.failed, teller.step);
        return Ok(Outcome::Fails);
    }
    println!("\nAll {} steps held.", teller.step);
    Ok(Outcome::Good)
}

struct Teller<'a> {
    demo: &'a Demo,
    step: u32,
    failed: u32,
}

impl Teller<'_> {
    fn tell(&mut self, what: &str, held: bool, shown: &str) {
        self.step += 1;
        self.failed += u32::from(!held);
        println!("{}. {what}\n   {} {shown}", self.step, if held { "held:" } else { "DID NOT HOLD:" });
    }

    async fn ask(&self, path: &str, body: Value) -> Result<Seen, Stuck> {
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
        let request = Request::post(format!("http://{}{path}", self.demo.served.listen))
            .header("content-type", "application/json")
            .header("anthropic-version", "2023-06-01")
            .body(Full::from(body.to_string()))?;
        let response = client.request(request).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Seen { status: head.status.as_u16(), headers: head.headers, body })
    }

    async fn chat(&self, workflow: &str, stream: bool) -> Result<Seen, Stuck> {
        let body = json!({
            "model": workflow,
            "stream": stream,
            "messages": [{"role": "user", "content": "Where is my order 4711?"}],
        });
        self.ask("/v1/chat/completions", body).await
    }

    async fn ordinary(&mut self) -> Result<(), Stuck> {
        let openai = self.chat("support-reply", false).await?;
        let body = json!({
            "model": "support-reply",
            "max_tokens": 200,
            "messages": [{"role": "user", "content": "Where is my order 4711?"}],
        });
        let anthropic = self.ask("/v1/messages", body).await?;
        let by = "anthropic/claude-sonnet-4-5";
        let held =
            [&openai, &anthropic].iter().all(|s| s.status == 200 && s.header("x-pointsman-served-by") == by);
        let shown = format!(
            "both served by {by}; ${} and ${}",
            openai.header("x-pointsman-cost-usd"),
            anthropic.header("x-pointsman-cost-usd")
        );
        self.tell("An OpenAI client and an Anthropic client ask the same workflow.", held, &shown);
        Ok(())
    }

    async fn outage(&mut self) -> Result<(), Stuck> {
        self.demo.anthropic.unplug().await;
        let whole = self.chat("support-reply", false).await?;
        let stream = self.chat("support-reply", true).await?;
        let by = "openai/gpt-4.1";
        let served =
            [&whole, &stream].iter().all(|s| s.status == 200 && s.header("x-pointsman-served-by") == by);
        let ended = stream.body.trim_end().ends_with("data: [DONE]");
        let shown = format!(
            "served by {}, {} attempts; the stream too, whole to its end",
            whole.header("x-pointsman-served-by"),
            whole.header("x-pointsman-attempts")
        );
        self.tell(
            "The first provider's plug is pulled; the next step of the plan answers.",
            served && ended,
            &shown,
        );
        self.demo.openai.unplug().await;
        let last = self.chat("support-reply", false).await?;
        let held = last.status == 200
            && last.header("x-pointsman-served-by") == "onprem/llama-3.1-8b"
            && last.header("x-pointsman-gave-up") == "reasoning";
        let shown = format!(
            "served by {}, gave up: {}",
            last.header("x-pointsman-served-by"),
            last.header("x-pointsman-gave-up")
        );
        self.tell(
            "The second goes dark as well; a permitted downgrade answers and says what it gave up.",
            held,
            &shown,
        );
        Ok(())
    }

    async fn recovery(&mut self) -> Result<(), Stuck> {
        self.demo.anthropic.plug().await;
        self.demo.openai.plug().await;
        let mut asked = 0;
        let mut back = false;
        while asked < 60 && !back {
            tokio::time::sleep(Duration::from_millis(250)).await;
            asked += 1;
            let seen = self.chat("support-reply", false).await?;
            back = seen.header("x-pointsman-served-by") == "anthropic/claude-sonnet-4-5";
        }
        let shown = format!("back on the first provider after {asked} requests, four a second");
        self.tell("Both come back; a probe finds out and traffic returns.", back, &shown);
        Ok(())
    }

    async fn cut_stream(&mut self) -> Result<(), Stuck> {
        let rule = Rule::of(Fault::Cut { after_tokens: 5 }).times(1);
        self.demo.anthropic.script(Script { rules: vec![rule], append: false });
        let seen = self.chat("support-reply", true).await?;
        let held = seen.body.contains("stream_broken") && !seen.body.contains("[DONE]");
        let shown = "the client reads an error event and never the normal end";
        self.tell("A stream is cut after five tokens.", held, shown);
        Ok(())
    }

    async fn data_rule(&mut self) -> Result<(), Stuck> {
        let before = self.demo.openai.log().len();
        let seen = self.chat("patient-notes", false).await?;
        let untouched = self.demo.openai.log().len() == before;
        let by = seen.header("x-pointsman-served-by").to_owned();
        self.demo.onprem.unplug().await;
        let refused = self.chat("patient-notes", false).await?;
        self.demo.onprem.plug().await;
        let still = self.demo.openai.log().len() == before;
        let held = by == "onprem/llama-3.1-8b" && untouched && still && refused.status >= 500;
        let shown = format!(
            "served by {by}; with that down the answer is {}, and the cloud saw nothing",
            refused.status
        );
        self.tell("Patients' notes may reach the server on the premises alone.", held, &shown);
        Ok(())
    }

    async fn bad_request(&mut self) -> Result<(), Stuck> {
        let seen = self.ask("/v1/chat/completions", json!({"model": "suport-reply", "messages": []})).await?;
        let body: Value = serde_json::from_str(&seen.body)?;
        let code = body["error"]["code"].as_str().unwrap_or("-").to_owned();
        let held = seen.status == 404 && code == "model_not_found" && seen.body.contains("support-reply");
        let shown = format!("{} {code}: {}", seen.status, body["error"]["message"].as_str().unwrap_or("-"));
        self.tell("A misspelt workflow.", held, &shown);
        Ok(())
    }

    async fn ledger(&mut self) -> Result<(), Stuck> {
        let gateway = &self.demo.served.gateway;
        gateway.store.flush()?;
        let rows = gateway.recent(1000)?;
        let refused =
            |row: &&model::RequestRow| row.attempts.iter().any(|a| a.failure == Some(FailureKind::Connect));
        let failed = rows.iter().filter(refused).count();
        let priced = rows.iter().filter(|r| r.served_by.is_some()).all(|r| r.cost_usd.is_some());
        let held = failed > 0 && priced;
        let shown = format!(
            "{} requests; {failed} met a refused connection, {} ended other than served; every served one has its exact cost",
            rows.len(),
            rows.iter().filter(|r| r.end != model::End::Served).count()
        );
        self.tell("The ledger tells the same story.", held, &shown);
        Ok(())
    }
}
