//! The admin port: metrics, keys, health, explanations and the console. Everything but the two probes needs the token.

use crate::edge::door::{json, plain, ready};
use crate::edge::{Body, gather, keys};
use crate::gateway::Gateway;
use crate::path::credential;
use crate::running::Live;
use base64::Engine;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use model::{RequestId, Tick};
use policy::Health;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use store::StoreError;
use subtle::ConstantTimeEq;

/// Bytes of an admin request.
const BOUND: usize = 1 << 20;

/// Answers one request of an operator.
pub async fn admin(gateway: Arc<Gateway>, token: Arc<str>, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    match path {
        "/healthz" => return plain(StatusCode::OK, "ok\n"),
        "/readyz" => return ready(&gateway),
        _ => {}
    }
    if !admitted(&head, &token) {
        let message = "The admin port needs the admin token as `Authorization: Bearer`; `pointsman serve` says where it is.";
        let mut response = error(StatusCode::UNAUTHORIZED, "invalid_admin_token", message);
        // A browser asks for a name and a password; any name will do, the password is the token.
        let realm = HeaderValue::from_static("Basic realm=\"Pointsman: the password is the admin token\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, realm);
        return response;
    }
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (&head.method, segments.as_slice()) {
        (&Method::GET, [""]) => console(gateway).await,
        (&Method::GET, ["metrics"]) => metrics(&gateway),
        (&Method::GET, ["admin", "v1", "health"]) => health(&gateway),
        (&Method::GET, ["admin", "v1", "keys"]) => aside(move || keys::list(&gateway)).await,
        (&Method::POST, ["admin", "v1", "keys"]) => {
            match gather(body, 0, BOUND, Duration::from_secs(10)).await {
                Ok(body) => aside(move || keys::create(&gateway, &body)).await,
                Err(_) => error(StatusCode::BAD_REQUEST, "invalid_request", "The body could not be read."),
            }
        }
        (&Method::DELETE, ["admin", "v1", "keys", id]) => {
            let id = (*id).to_owned();
            aside(move || keys::revoke(&gateway, &id)).await
        }
        (&Method::GET, ["admin", "v1", "requests"]) => recent(gateway).await,
        (&Method::GET, ["admin", "v1", "requests", id]) => find(gateway, id).await,
        (&Method::GET, ["admin", "v1", "explain", workflow]) => explain(&gateway, workflow),
        (method, _) => {
            let message = format!("There is no {method} {path} on the admin port.");
            error(StatusCode::NOT_FOUND, "not_found", &message)
        }
    }
}

/// Whether the token was presented: as Bearer, or to read as the password of Basic. Browsers send Basic along with requests
/// that any other page makes, so it changes nothing.
fn admitted(head: &Parts, token: &str) -> bool {
    let headers = &head.headers;
    let same = |presented: &[u8]| bool::from(presented.ct_eq(token.as_bytes()));
    if credential(headers, None).is_some_and(|presented| same(presented.as_bytes())) {
        return true;
    }
    if head.method != Method::GET {
        return false;
    }
    let basic =
        headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Basic "));
    let decoded =
        basic.and_then(|encoded| base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok());
    let password = decoded.as_deref().and_then(|pair| pair.splitn(2, |b| *b == b':').nth(1));
    password.is_some_and(same)
}

/// An error as operators read it.
pub fn error(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let mut response = json(json!({"error": {"code": code, "message": message}}).to_string());
    *response.status_mut() = status;
    response
}

/// An error of ours.
pub fn broken(what: &str, why: impl std::fmt::Display) -> Response<Body> {
    tracing::error!(%why, "{what}");
    error(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", &format!("{what}: {why}"))
}

fn metrics(gateway: &Gateway) -> Response<Body> {
    let running = gateway.running();
    let store = gateway.store.state();
    let now = gateway.clock.tick();
    let targets =
        running.watched(now).map(|(name, health)| (name, matches!(state(&health, now), "closed" | "out")));
    match gateway.metrics.text(targets, store.lag_records, store.ready) {
        Ok(text) => {
            let mut response = Response::new(Body::from(text));
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            response
        }
        Err(e) => broken("The metrics could not be written", e),
    }
}

fn health(gateway: &Gateway) -> Response<Body> {
    let running = gateway.running();
    let now = gateway.clock.tick();
    let targets: Vec<Value> = running
        .watched(now)
        .map(|(name, health)| {
            json!({
                "target": name,
                "state": state(&health, now),
                "out": health.out.map(|kind| kind.name()),
                "opens_in_ms": health.closed_until.map(|until| until.since(now).as_millis() as u64),
                "first_token_ms": health.latency.map(|l| l.as_millis() as u64),
                "in_flight": health.in_flight,
            })
        })
        .collect();
    let store = gateway.store.state();
    let ledger = json!({
        "ready": store.ready,
        "why": store.why,
        "lag_records": store.lag_records,
        "open_requests": store.open_requests,
        "segments": store.segments,
        "rows": store.fed_rows_total,
        "damage": store.damage_total,
    });
    json(json!({"policy_digest": &*running.policy.digest, "ledger": ledger, "targets": targets}).to_string())
}

/// Whether a target takes traffic, in a word.
fn state(health: &Health, now: Tick) -> &'static str {
    match health {
        Health { out: Some(_), .. } => "out",
        Health { closed_until: Some(until), .. } if *until > now => "closed",
        Health { probe: true, .. } => "probing",
        _ => "open",
    }
}

/// Works with files off the threads that serve.
async fn aside(work: impl FnOnce() -> Response<Body> + Send + 'static) -> Response<Body> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| broken("The work failed", e))
}

/// Reads the ledger on a thread of its own.
async fn reading<T: Send + 'static>(
    gateway: Arc<Gateway>,
    read: impl FnOnce(&Gateway) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Response<Body>> {
    match tokio::task::spawn_blocking(move || read(&gateway)).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(e)) => Err(broken("The ledger could not be read", e)),
        Err(e) => Err(broken("Reading the ledger failed", e)),
    }
}

async fn find(gateway: Arc<Gateway>, id: &str) -> Response<Body> {
    let id: RequestId = match id.parse() {
        Ok(id) => id,
        Err(why) => return error(StatusCode::BAD_REQUEST, "invalid_request", why),
    };
    match reading(gateway, move |gateway| gateway.find(id)).await {
        Ok(Some(row)) => json(lines(std::slice::from_ref(&row)).concat()),
        Ok(None) => error(StatusCode::NOT_FOUND, "not_found", &format!("The ledger has no request {id}.")),
        Err(response) => response,
    }
}

async fn recent(gateway: Arc<Gateway>) -> Response<Body> {
    match reading(gateway, |gateway| gateway.recent(100)).await {
        Ok(rows) => json(format!("{{\"requests\":[{}]}}", lines(&rows).join(","))),
        Err(response) => response,
    }
}

/// Rows as `ledger export` prints them.
fn lines(rows: &[model::RequestRow]) -> Vec<String> {
    let line = |row| {
        let mut out = Vec::with_capacity(1024);
        // Writing into memory does not fail.
        drop(store::write_json_line(row, &mut out));
        String::from_utf8_lossy(&out).trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// The plan that an ordinary request of the workflow would get right now, health included.
fn explain(gateway: &Gateway, workflow: &str) -> Response<Body> {
    let running = gateway.running();
    let now = gateway.clock.now();
    let request = model::Request::ordinary(workflow);
    let world = Live { running: &running, now, retries: gateway.retries().has_room() };
    let explanation = policy::explain(&running.policy, &request, &world, now, 0);
    match serde_json::to_vec(&explanation) {
        Ok(body) => json(Bytes::from(body)),
        Err(e) => broken("The explanation could not be written", e),
    }
}

async fn console(gateway: Arc<Gateway>) -> Response<Body> {
    let rows = match reading(Arc::clone(&gateway), |gateway| gateway.recent(50)).await {
        Ok(rows) => rows,
        Err(response) => return response,
    };
    let running = gateway.running();
    let now = gateway.clock.tick();
    let targets: Vec<_> = running
        .watched(now)
        .map(|(name, health)| console::TargetState {
            name,
            state: state(&health, now),
            latency_ms: health.latency.map(|l| l.as_millis() as u64),
        })
        .collect();
    let mut response = Response::new(Body::from(console::overview(&running.policy.digest, &targets, &rows)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let csp = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    headers.insert("content-security-policy", HeaderValue::from_static(csp));
    response
}
