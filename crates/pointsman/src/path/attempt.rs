//! One call to one target: send, read, and either an answer or a failure with its name.

use crate::edge::{Ungathered, gather};
use crate::gateway::Gateway;
use crate::path::stream::Feed;
use crate::upstream::{Endpoint, Pieces};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use model::{Dialect, Failure, FailureKind, Operation, Timestamp, Usage};
use policy::Limits;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::time::Duration;
use wire::{Glance, Outgoing, Progress, Relay, RelayOptions, Relayed};

/// Error bodies are read this far; what matters in them stands at the start.
const ERROR_BODY: usize = 64 << 10;

/// What every attempt of a request needs, whatever its target.
pub struct Original<'a> {
    /// The client's dialect.
    pub dialect: Dialect,
    /// What is asked.
    pub operation: Operation,
    /// The body as the client sent it.
    pub body: &'a Bytes,
    /// What was read of it.
    pub glance: &'a Glance<'a>,
    /// The client's headers.
    pub headers: &'a HeaderMap,
    /// When the request was admitted.
    pub at: Timestamp,
    /// The request's id, for dialects whose vendor names answers and whose provider does not.
    pub id: &'a str,
}

/// What an attempt that served brought.
pub enum Served {
    /// A whole answer.
    Whole(Relayed),
    /// A stream whose first content has arrived, and whether it is already complete.
    Stream(Box<Feed>, Progress),
}

/// A failed attempt: why, the provider's status, and what it reported of usage before it failed.
pub struct Broken {
    /// Why.
    pub failure: Failure,
    /// Tokens that are known to be spent.
    pub usage: Usage,
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Broken {
        Broken { failure, usage: Usage::UNKNOWN }
    }
}

/// Makes the call. `noticed` is told the status as soon as it is known.
pub async fn attempt(
    gateway: &Gateway,
    endpoint: &Endpoint,
    model: &str,
    original: &Original<'_>,
    limits: &Limits,
    noticed: &mut (dyn FnMut(u16) + Send),
) -> Result<Served, Broken> {
    let request = compose(endpoint, model, original)?;
    if original.glance.stream {
        let limit = limits.first_token.min(limits.total);
        let first = stream(gateway, endpoint, model, original, request, noticed);
        return within(limit, FailureKind::FirstTokenTimeout, "no content", first).await;
    }
    let answer = whole(gateway, endpoint, original, request, limits.first_token, noticed);
    within(limits.total, FailureKind::Deadline, "no whole answer", answer).await
}

async fn within<T>(
    limit: Duration,
    kind: FailureKind,
    what: &str,
    call: impl Future<Output = Result<T, Broken>>,
) -> Result<T, Broken> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result,
        Err(_) => Err(Failure::new(kind, format!("{what} within {limit:?}")).into()),
    }
}

/// The request as this target wants it, made afresh from the client's own.
fn compose(endpoint: &Endpoint, model: &str, original: &Original<'_>) -> Result<Request<Pieces>, Failure> {
    if let Some(why) = &endpoint.key_missing {
        return Err(Failure::new(FailureKind::Auth, format!("{why}, so the provider was not called")));
    }
    let key = endpoint.key.as_ref().map(|key| key.expose());
    let Outgoing { path_and_query, headers, body } = wire::outgoing(
        original.dialect,
        original.operation,
        endpoint.row,
        endpoint.dialect,
        model,
        key,
        original.body,
        original.glance,
        original.headers,
    )
    .map_err(|uncarried| Failure::new(FailureKind::BadRequest, uncarried.to_string()))?;
    let uri = endpoint
        .uri(&path_and_query)
        .map_err(|e| Failure::new(FailureKind::ModelGone, format!("{model} makes no valid address: {e}")))?;
    let mut request = Request::new(Pieces::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    request.headers_mut().extend(headers);
    Ok(request)
}

async fn whole(
    gateway: &Gateway,
    endpoint: &Endpoint,
    original: &Original<'_>,
    request: Request<Pieces>,
    limit: Duration,
    noticed: &mut (dyn FnMut(u16) + Send),
) -> Result<Served, Broken> {
    let accepted = accepted(gateway, endpoint, original, request, noticed);
    let response = within(limit, FailureKind::FirstTokenTimeout, "no answer begun", accepted).await?;
    let body = collect(response.into_body(), gateway.bounds.answer).await?;
    let relayed = wire::answer(original.dialect, endpoint.dialect, endpoint.row, body, original.at)?;
    Ok(Served::Whole(relayed))
}

async fn stream(
    gateway: &Gateway,
    endpoint: &Endpoint,
    model: &str,
    original: &Original<'_>,
    request: Request<Pieces>,
    noticed: &mut (dyn FnMut(u16) + Send),
) -> Result<Served, Broken> {
    let response = accepted(gateway, endpoint, original, request, noticed).await?;
    if !is_stream(response.headers()) {
        // A whole answer where a stream was asked for: an error in a 200, or a page of some proxy.
        let body = collect(response.into_body(), ERROR_BODY).await?;
        let why = match wire::answer(endpoint.dialect, endpoint.dialect, endpoint.row, body, original.at) {
            Err(failure) => failure,
            Ok(_) => Failure::new(FailureKind::Malformed, "a whole answer where a stream was asked for"),
        };
        return Err(why.into());
    }
    let options = RelayOptions {
        asks_usage: original.glance.asks_usage,
        model,
        created: original.at.seconds(),
        id_hint: original.id,
    };
    let relay = Relay::new(original.dialect, endpoint.dialect, endpoint.row, options);
    let mut feed = Box::new(Feed { upstream: response.into_body(), relay, ready: VecDeque::new() });
    // Nothing reaches the client before the first semantic token: until then any step may follow.
    loop {
        match poll_fn(|cx| feed.poll_more(cx)).await {
            Ok(Progress::Whole) if !feed.relay.content_seen() => {
                let usage = feed.relay.usage();
                let failure = Failure::new(FailureKind::Empty, "the stream ended without any content");
                return Err(Broken { failure, usage });
            }
            Ok(Progress::More) if !feed.relay.content_seen() => {}
            Ok(progress) => return Ok(Served::Stream(feed, progress)),
            Err(failure) => return Err(Broken { failure, usage: feed.relay.usage() }),
        }
    }
}

/// Sends, and turns every status that is not a success into a failure.
async fn accepted(
    gateway: &Gateway,
    endpoint: &Endpoint,
    original: &Original<'_>,
    request: Request<Pieces>,
    noticed: &mut (dyn FnMut(u16) + Send),
) -> Result<Response<Incoming>, Broken> {
    let response = gateway.upstream.call(request).await?;
    let status = response.status();
    noticed(status.as_u16());
    if status.is_success() {
        return Ok(response);
    }
    let (head, body) = response.into_parts();
    let body = collect(body, ERROR_BODY).await.unwrap_or_default();
    let secret = endpoint.key.as_ref().map(|key| key.expose());
    let failure = wire::classify(
        endpoint.dialect,
        endpoint.row,
        status.as_u16(),
        &head.headers,
        &body,
        original.at,
        secret,
    );
    Err(failure.into())
}

fn is_stream(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|v| {
        let v = v.as_bytes();
        v.starts_with(b"text/event-stream") || v.starts_with(b"application/vnd.amazon.eventstream")
    })
}

/// A provider's whole body.
async fn collect(body: Incoming, bound: usize) -> Result<Bytes, Failure> {
    let announced = body.size_hint().exact().map_or(0, |n| n as usize);
    gather(body, announced, bound).await.map_err(|why| match why {
        Ungathered::TooLarge => {
            Failure::new(FailureKind::Malformed, format!("the answer is larger than {bound} bytes"))
        }
        Ungathered::Broken(why) => Failure::new(FailureKind::Cut, why),
    })
}
