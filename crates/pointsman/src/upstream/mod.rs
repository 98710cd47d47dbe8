//! Calls providers: pooled connections, HTTP/1.1 and HTTP/2, and every way a call can break under its own name.
//!
//! Nothing here decides: a [`Failure`] goes back to the path, which asks `policy::next`. Dropping a call or a body
//! cancels it at the provider.

mod connect;
mod endpoint;

pub use endpoint::Endpoint;

use bytes::Bytes;
use connect::{ConnectFailure, Connector};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use model::{Failure, FailureKind};
use smallvec::SmallVec;
use std::convert::Infallible;
use std::error::Error as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Connections to every provider, shared by all requests.
#[derive(Clone)]
pub struct Upstream {
    client: Client<Connector, Pieces>,
}

impl Upstream {
    /// Errors when the TLS library refuses its own defaults.
    pub fn new() -> Result<Upstream, rustls::Error> {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(1024)
            .retry_canceled_requests(true)
            .build(Connector::new()?);
        Ok(Upstream { client })
    }

    /// Sends one request and waits for its headers.
    pub async fn call(&self, request: Request<Pieces>) -> Result<Response<Incoming>, Failure> {
        self.client.request(request).await.map_err(|e| name(&e))
    }
}

/// Gives a transport error its class.
fn name(error: &Error) -> Failure {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(connect) = inner.downcast_ref::<ConnectFailure>() {
            return Failure::new(connect.kind, connect.detail.clone());
        }
        cause = inner.source();
    }
    Failure::new(FailureKind::Reset, chain(error))
}

/// An error with its causes, for logs and the ledger.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// A request body in a few pieces, sent without joining them.
pub struct Pieces {
    pieces: SmallVec<[Bytes; 3]>,
    next: usize,
}

impl Pieces {
    /// The pieces, in order.
    pub fn new(pieces: SmallVec<[Bytes; 3]>) -> Pieces {
        Pieces { pieces, next: 0 }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let at = self.next;
        self.next += 1;
        Poll::Ready(self.pieces.get_mut(at).map(|piece| Ok(Frame::data(std::mem::take(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.next >= self.pieces.len()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.pieces.iter().map(|p| p.len() as u64).sum())
    }
}
