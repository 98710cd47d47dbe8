//! One call to one target: send, read, and either an answer or a failure with its name.

use crate::edge::{Ungathered, gather};
use crate::gateway::{Gateway, LARGEST_ANSWER};
use crate::path::stream::Feed;
use crate::upstream::{Endpoint, Pieces};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use model::{Dialect, Failure, FailureKind, Operation, Stop, Timestamp, Usage};
use policy::Limits;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::time::{Duration, Instant};
use tokio::time::timeout;
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

impl Served {
    /// Why the model stopped, where that is known already.
    pub fn stop(&self) -> Option<Stop> {
        match self {
            Served::Whole(relayed) => Some(relayed.stop),
            Served::Stream(feed, Progress::Whole) => feed.relay.stop(),
            Served::Stream(_, Progress::More) => None,
        }
    }

    /// Tokens known so far.
    pub fn usage(&self) -> Usage {
        match self {
            Served::Whole(relayed) => relayed.usage,
            Served::Stream(feed, _) => feed.relay.usage(),
        }
    }
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

/// One call to one target.
pub struct Call<'a> {
    /// Connections and bounds.
    pub gateway: &'a Gateway,
    /// Where.
    pub endpoint: &'a Endpoint,
    /// The id the provider is sent.
    pub model: &'a str,
    /// What was asked.
    pub original: &'a Original<'a>,
    /// How long everything may take.
    pub limits: &'a Limits,
}

impl Call<'_> {
    /// Makes it. `noticed` is told the status as soon as it is known.
    pub async fn make(&self, noticed: &mut (dyn FnMut(u16) + Send)) -> Result<Served, Broken> {
        let request = self.compose()?;
        let (first, total) = (self.limits.first_token.min(self.limits.total), self.limits.total);
        if self.original.glance.stream {
            // The first limit holds until the first content, not only until the headers.
            let begun = timeout(first, self.stream(request, noticed)).await;
            return begun.unwrap_or_else(|_| late(FailureKind::FirstTokenTimeout, "no content", first));
        }
        let began = Instant::now();
        let begun = timeout(first, self.send(request, noticed)).await;
        let response =
            begun.unwrap_or_else(|_| late(FailureKind::FirstTokenTimeout, "no answer begun", first))?;
        let whole = timeout(total.saturating_sub(began.elapsed()), self.whole(response)).await;
        whole.unwrap_or_else(|_| late(FailureKind::Deadline, "no whole answer", total))
    }

    /// The request as this target wants it, made afresh from the client's own.
    fn compose(&self) -> Result<Request<Pieces>, Failure> {
        let (endpoint, original) = (self.endpoint, self.original);
        if let Some(why) = &endpoint.key_missing {
            return Err(Failure::new(FailureKind::Auth, format!("{why}, so the provider was not called")));
        }
        let Outgoing { path_and_query, headers, body } = wire::outgoing(
            original.dialect,
            original.operation,
            endpoint.row,
            endpoint.dialect,
            self.model,
            self.secret(),
            original.body,
            original.glance,
            original.headers,
        )
        .map_err(|uncarried| Failure::new(FailureKind::BadRequest, uncarried.to_string()))?;
        let uri = endpoint.uri(&path_and_query).map_err(|e| {
            Failure::new(FailureKind::ModelGone, format!("{} makes no valid address: {e}", self.model))
        })?;
        let mut request = Request::new(Pieces::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        request.headers_mut().extend(headers);
        Ok(request)
    }

    fn secret(&self) -> Option<&str> {
        self.endpoint.key.as_ref().map(|key| key.expose())
    }

    /// Sends, and turns every status that is not a success into a failure.
    async fn send(
        &self,
        request: Request<Pieces>,
        noticed: &mut (dyn FnMut(u16) + Send),
    ) -> Result<Response<Incoming>, Broken> {
        let response = self.gateway.upstream.call(request).await?;
        let status = response.status();
        noticed(status.as_u16());
        if status.is_success() {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        // The status alone tells enough where the body breaks off.
        let body = self.collect(body, ERROR_BODY).await.unwrap_or_default();
        let Endpoint { dialect, row, .. } = self.endpoint;
        let at = self.original.at;
        Err(wire::classify(*dialect, row, status.as_u16(), &head.headers, &body, at, self.secret()).into())
    }

    async fn whole(&self, response: Response<Incoming>) -> Result<Served, Broken> {
        let body = self.collect(response.into_body(), LARGEST_ANSWER).await?;
        if self.original.operation == Operation::CountTokens {
            // A count is no answer: nothing is generated and nothing is billed.
            let usage = Usage { input: Some(0), output: Some(0), ..Usage::UNKNOWN };
            return Ok(Served::Whole(Relayed {
                body,
                usage,
                stop: Stop::EndTurn,
                model: None,
                stop_detail: None,
            }));
        }
        let Endpoint { dialect, row, .. } = self.endpoint;
        Ok(Served::Whole(wire::answer(self.original.dialect, *dialect, row, body, self.original.at)?))
    }

    async fn stream(
        &self,
        request: Request<Pieces>,
        noticed: &mut (dyn FnMut(u16) + Send),
    ) -> Result<Served, Broken> {
        let response = self.send(request, noticed).await?;
        let Original { dialect: client, glance, at, id, .. } = *self.original;
        let Endpoint { dialect, row, .. } = self.endpoint;
        if !is_stream(response.headers()) {
            // A whole answer where a stream was asked for: an error in a 200, or a page of some proxy.
            let body = self.collect(response.into_body(), ERROR_BODY).await?;
            let why = match wire::answer(*dialect, *dialect, row, body, at) {
                Err(failure) => failure,
                Ok(_) => Failure::new(FailureKind::Malformed, "a whole answer where a stream was asked for"),
            };
            return Err(why.into());
        }
        let options = RelayOptions {
            asks_usage: glance.asks_usage,
            model: self.model,
            created: at.seconds(),
            id_hint: id,
        };
        let relay = Relay::new(client, *dialect, row, options);
        let mut feed = Box::new(Feed { upstream: response.into_body(), relay, ready: VecDeque::new() });
        // Nothing reaches the client before the first semantic token: until then any step may follow.
        loop {
            match poll_fn(|cx| feed.poll_more(cx)).await {
                Ok(Progress::More) if !feed.relay.content_seen() => {}
                Ok(progress) => return Ok(Served::Stream(feed, progress)),
                Err(failure) => return Err(Broken { failure, usage: feed.relay.usage() }),
            }
        }
    }

    /// A provider's whole body.
    async fn collect(&self, body: Incoming, bound: usize) -> Result<Bytes, Failure> {
        let announced = body.size_hint().exact().map_or(0, |n| n as usize);
        let idle = self.limits.idle;
        gather(body, announced, bound, idle).await.map_err(|why| match why {
            Ungathered::TooLarge => {
                Failure::new(FailureKind::Malformed, format!("the answer is larger than {bound} bytes"))
            }
            Ungathered::Broken(why) => Failure::new(FailureKind::Cut, why),
            Ungathered::Silent => {
                Failure::new(FailureKind::Stall, format!("no byte for {idle:?} in mid-answer"))
            }
        })
    }
}

fn late<T>(kind: FailureKind, what: &str, limit: Duration) -> Result<T, Broken> {
    Err(Failure::new(kind, format!("{what} within {limit:?}")).into())
}

fn is_stream(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|v| {
        let v = v.as_bytes();
        v.starts_with(b"text/event-stream") || v.starts_with(b"application/vnd.amazon.eventstream")
    })
}
