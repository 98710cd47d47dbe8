//! One request on its way: read, ask the script, log, have a reply decided, perform it.
//!
//! What the reply is comes from [`crate::reply`]; here it only meets the connection.

use crate::body::{Player, ended};
use crate::clock::since_epoch;
use crate::control;
use crate::dialect::{Endpoint, Trouble, fallback, route};
use crate::fault::Fault;
use crate::hangup::Hangup;
use crate::log::{Arrival, Visit};
use crate::play::Act;
use crate::reply::{Reply, Task};
use crate::script::{Rule, Seen};
use crate::seed::{Mint, hash};
use crate::server::Shared;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::{Map, Value};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// Anthropic's own limit for a request.
const MOST_BODY: usize = 32 * 1024 * 1024;

pub(crate) async fn answer(
    shared: Arc<Shared>,
    hangup: Arc<Hangup>,
    request: Request<Incoming>,
) -> Result<Response<Player>, Infallible> {
    let began = Instant::now();
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if path == "/healthz" {
        return Ok(Response::new(Player::plain(Bytes::from_static(b"ok\n"))));
    }
    let (body, too_large) = match Limited::new(body, MOST_BODY).collect().await {
        Ok(collected) => (collected.to_bytes(), false),
        Err(why) if why.is::<LengthLimitError>() => (Bytes::new(), true),
        Err(_) => return Ok(control::refuse(StatusCode::BAD_REQUEST, "the request body broke off")),
    };
    if path.starts_with("/_sim/") {
        let query = head.uri.query().unwrap_or_default();
        return Ok(control::control(&shared, &head.method, path, query, &body));
    }

    let routed = route(&head.method, path, &head.headers);
    let dialect = routed.as_ref().map_or_else(|| fallback(&head.headers), |(dialect, _)| *dialect);
    let parsed = if head.method == Method::GET {
        Ok(Value::Object(Map::new()))
    } else {
        serde_json::from_slice(&body)
    };
    let named = match (&parsed, &routed) {
        (_, Some((_, Endpoint::Model(id)))) => id.clone(),
        (Ok(value), _) => value["model"].as_str().unwrap_or_default().to_owned(),
        (Err(_), _) => String::new(),
    };
    let named = named.as_str();
    let stream = parsed.as_ref().is_ok_and(|v: &Value| v["stream"] == true);
    let seen = Seen {
        provider: &shared.config.name,
        dialect: dialect.name(),
        model: named,
        path,
        headers: &head.headers,
        body: std::str::from_utf8(&body).unwrap_or_default(),
        stream,
    };
    let rule = match direct_fault(&head.headers, named) {
        Some(Ok(fault)) => Rule::of(fault),
        Some(Err(why)) => return Ok(control::refuse(StatusCode::BAD_REQUEST, &why)),
        None => shared.desk.decide(&seen).unwrap_or_default(),
    };
    let seq = shared.log.arrive(&Arrival {
        provider: &shared.config.name,
        dialect: dialect.name(),
        method: &head.method,
        path: head.uri.path_and_query().map_or(path, |p| p.as_str()).to_owned(),
        version: head.version,
        model: named,
        stream,
        headers: &head.headers,
        body: &body,
        fault: rule.fault.as_ref().and_then(|f| serde_json::to_value(f).ok()),
        keep_body: shared.config.log_body_bytes,
    });
    let mut visit = Visit::new(Arc::clone(&shared.log), seq, began, Arc::clone(&hangup));
    let mint =
        Mint::new(hash(&body) ^ seq.wrapping_mul(0x9E37_79B9), since_epoch(SystemTime::now()).as_secs());
    let task = Task {
        shared: &shared,
        dialect,
        headers: &head.headers,
        rule: &rule,
        mint: &mint,
        began,
        model: named,
        stream,
    };
    let reply = match (too_large, routed, parsed) {
        (true, ..) => task.trouble(&Trouble::TooLarge),
        (_, None, _) => task.trouble(&Trouble::NoRoute(head.method.clone(), path.to_owned())),
        (_, Some((_, endpoint)), parsed) => task.reply(&endpoint, parsed),
    };
    before_headers(&mut visit, &hangup, &reply.lead).await;
    visit.bill(reply.bill, reply.by_the_word);
    visit.answers(reply.status);
    Ok(response(reply, visit, hangup))
}

/// Performs what comes before the headers. Does not return where there are to be none.
async fn before_headers(visit: &mut Visit, hangup: &Hangup, lead: &[Act]) {
    for act in lead {
        match act {
            Act::Wait(time) => tokio::time::sleep(*time).await,
            Act::Send { .. } => {}
            Act::Hang => std::future::pending().await,
            Act::End(ending) => {
                visit.end(ended(*ending));
                hangup.end(*ending);
                std::future::pending().await
            }
        }
    }
}

fn response(reply: Reply, visit: Visit, hangup: Arc<Hangup>) -> Response<Player> {
    let mut response = Response::new(Player::new(reply.acts, visit, hangup));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        // A script may ask for a header that HTTP does not allow; it is left out.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// A fault asked for by the request itself: the `x-sim-fault` header, or a model name such as `fault-cut`.
fn direct_fault(headers: &HeaderMap, model: &str) -> Option<Result<Fault, String>> {
    let header = headers.get("x-sim-fault").map(|v| v.to_str().unwrap_or_default());
    header.or_else(|| model.strip_prefix("fault-")).map(Fault::parse)
}
