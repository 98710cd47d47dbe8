//! The simulator's own interface under `/_sim/`: script, log, unplugging. Described in this crate's README.

use crate::body::Player;
use crate::json::object;
use crate::script::Script;
use crate::server::Shared;
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Outage {
    seconds: f64,
}

impl Default for Outage {
    fn default() -> Self {
        Self { seconds: 10.0 }
    }
}

pub(crate) fn control(
    shared: &Arc<Shared>,
    method: &Method,
    path: &str,
    query: &str,
    body: &[u8],
) -> Response<Player> {
    match (method.as_str(), path) {
        ("POST", "/_sim/script") => match serde_json::from_slice::<Script>(body) {
            Ok(script) => {
                shared.desk.load(script);
                show_script(shared)
            }
            Err(why) => refuse(StatusCode::BAD_REQUEST, &format!("the script does not read: {why}")),
        },
        ("GET", "/_sim/script") => show_script(shared),
        ("DELETE", "/_sim/script") => {
            shared.desk.clear();
            show_script(shared)
        }
        ("GET", "/_sim/log") => {
            let since = query.split('&').find_map(|p| p.strip_prefix("since=")).map(str::parse);
            match since.unwrap_or(Ok(0)) {
                Ok(since) => json(StatusCode::OK, &shared.log.since(since)),
                Err(_) => {
                    refuse(StatusCode::BAD_REQUEST, "`since` is the seq of a log entry, a whole number")
                }
            }
        }
        ("DELETE", "/_sim/log") => {
            shared.forget();
            json(StatusCode::OK, &object! { "cleared": true })
        }
        ("POST", "/_sim/unplug") => {
            let outage = if body.is_empty() { Ok(Outage::default()) } else { serde_json::from_slice(body) };
            match outage.map(|o| Duration::try_from_secs_f64(o.seconds)) {
                Ok(Ok(time)) => {
                    tokio::spawn(unplug(Arc::clone(shared), time));
                    json(StatusCode::OK, &object! { "unplugged_seconds": time.as_secs_f64() })
                }
                _ => refuse(StatusCode::BAD_REQUEST, "write {\"seconds\": 10}"),
            }
        }
        _ => refuse(
            StatusCode::NOT_FOUND,
            "the simulator has POST, GET, DELETE /_sim/script; GET, DELETE /_sim/log; POST /_sim/unplug",
        ),
    }
}

async fn unplug(shared: Arc<Shared>, time: Duration) {
    // Whoever asked is to read the answer before the connection drops.
    tokio::time::sleep(Duration::from_millis(50)).await;
    shared.switch(false).await;
    tokio::time::sleep(time).await;
    shared.switch(true).await;
}

fn show_script(shared: &Shared) -> Response<Player> {
    let rules: Vec<_> = shared
        .desk
        .show()
        .into_iter()
        .map(|(rule, decided)| object! { "rule": rule, "decided": decided })
        .collect();
    json(StatusCode::OK, &object! { "rules": rules })
}

/// An answer of the simulator itself, in no vendor's shape.
pub(crate) fn refuse(status: StatusCode, message: &str) -> Response<Player> {
    json(status, &object! { "error": object! { "type": "simulator_error", "message": message } })
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<Player> {
    let mut response = Response::new(Player::plain(Bytes::from(crate::json::text(value))));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}
