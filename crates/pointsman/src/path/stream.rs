//! A streamed answer on its way to the client: bytes in from the provider, bytes out in the client's dialect, the visit
//! inside. It ends with the dialect's terminator only when the answer is whole and its settlement is durable.

use crate::path::Visit;
use bytes::Bytes;
use http_body::Body as _;
use hyper::body::Incoming;
use model::{Code, Dialect, End, Failure, FailureKind, Problem, Tick};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use wire::{Progress, Relay};

/// A provider's stream being read for one attempt.
pub struct Feed {
    /// The provider's bytes.
    pub upstream: Incoming,
    /// The translation.
    pub relay: Relay,
    /// Bytes for the client, ready to go.
    pub ready: VecDeque<Bytes>,
}

impl Feed {
    /// Reads one more frame of the provider. `Whole` when the answer is complete.
    pub fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<Progress, Failure>> {
        let fed = match ready!(Pin::new(&mut self.upstream).poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(bytes) => self.relay.feed(bytes, &mut self.ready),
                Err(_trailers) => Ok(Progress::More),
            },
            Some(Err(e)) => Err(Failure::new(FailureKind::Cut, crate::upstream::chain(&e))),
            None => self.relay.eof(),
        };
        Poll::Ready(fed)
    }
}

/// A stream after its first content, on its way to the client.
pub struct Answering {
    feed: Option<Feed>,
    ready: VecDeque<Bytes>,
    visit: Visit,
    dialect: Dialect,
    /// The longest silence allowed, and when the provider last spoke.
    idle: Duration,
    heard: Tick,
    /// When the whole answer must be there.
    deadline: Tick,
    alarm: Pin<Box<Sleep>>,
}

impl Answering {
    /// Takes over a feed whose first content has arrived. `remaining` is the time left for the whole answer.
    pub fn new(
        mut feed: Feed,
        whole: Progress,
        visit: Visit,
        idle: Duration,
        remaining: Duration,
    ) -> Answering {
        let dialect = visit.row.dialect;
        let heard = visit.gateway.clock.tick();
        let ready = std::mem::take(&mut feed.ready);
        let alarm = Box::pin(tokio::time::sleep(idle.min(remaining)));
        let deadline = heard.after(remaining);
        let mut answering =
            Answering { feed: Some(feed), ready, visit, dialect, idle, heard, deadline, alarm };
        if matches!(whole, Progress::Whole) {
            answering.complete();
        }
        answering
    }

    /// The next bytes for the client; `None` at the end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Some(bytes));
            }
            let Some(feed) = &mut self.feed else { return Poll::Ready(None) };
            match feed.poll_more(cx) {
                Poll::Ready(Ok(progress)) => {
                    self.heard = self.visit.gateway.clock.tick();
                    std::mem::swap(&mut self.ready, &mut feed.ready);
                    if matches!(progress, Progress::Whole) {
                        self.complete();
                    }
                }
                Poll::Ready(Err(failure)) => {
                    // What was whole before the break still belongs to the client.
                    std::mem::swap(&mut self.ready, &mut feed.ready);
                    self.break_off(failure);
                }
                Poll::Pending => match ready!(self.poll_alarm(cx)) {
                    Some(failure) => self.break_off(failure),
                    None => continue,
                },
            }
        }
    }

    /// Waits until the provider has been silent too long or the time is up. The alarm is set anew only when it rings, so
    /// a chunk costs no timer.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<Option<Failure>> {
        ready!(self.alarm.as_mut().poll(cx));
        let now = self.visit.gateway.clock.tick();
        let silent = self.heard.after(self.idle);
        if now >= self.deadline {
            return Poll::Ready(Some(Failure::new(
                FailureKind::Deadline,
                "the time for the whole answer is over",
            )));
        }
        if now >= silent {
            let why = format!("no byte for {:?} in mid-stream", self.idle);
            return Poll::Ready(Some(Failure::new(FailureKind::Stall, why)));
        }
        let next = silent.min(self.deadline).since(now).max(Duration::from_millis(1));
        self.alarm.as_mut().reset(Instant::now() + next);
        Poll::Ready(None)
    }

    /// The answer is whole: settle first, then let its end go.
    fn complete(&mut self) {
        let Some(mut feed) = self.feed.take() else { return };
        let usage = feed.relay.usage();
        let cost = match feed.relay.stop().and_then(super::declining) {
            Some(failure) => self.visit.declined(&failure, usage),
            None => self.visit.succeeded(usage),
        };
        match self.visit.settle(End::Served, None) {
            Ok(()) => feed.relay.finale(cost, &mut self.ready),
            Err(problem) => self.say(&problem),
        }
    }

    /// The answer cannot be completed: the client is told so in its dialect, and never sees a normal end.
    fn break_off(&mut self, failure: Failure) {
        let Some(feed) = self.feed.take() else { return };
        self.visit.failed(&failure, feed.relay.usage(), true);
        drop(feed);
        let problem = match failure.kind {
            FailureKind::Deadline => Problem::new(
                Code::Deadline,
                "The time allowed for this request passed before the stream was whole.",
            ),
            FailureKind::ContentFilter | FailureKind::Refusal => {
                Problem::new(Code::ContentFiltered, "A content filter of the provider cut the answer off.")
            }
            _ => Problem::new(Code::StreamBroken, "The provider's stream broke off before its end."),
        };
        let problem = self.visit.refuse(super::Stage::Write, problem);
        self.say(&problem);
    }

    fn say(&mut self, problem: &Problem) {
        let id = self.visit.row.request_id.to_string();
        self.ready.push_back(wire::error_event(self.dialect, problem, &id));
    }
}

impl Drop for Answering {
    /// A client that leaves takes the rest of the stream with it; what is known of its usage stays.
    fn drop(&mut self) {
        if let Some(feed) = &self.feed {
            self.visit.known(feed.relay.usage());
        }
    }
}
