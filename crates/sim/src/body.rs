//! Performs a list of acts as an HTTP body: sends, waits, hangs, breaks the connection.
//!
//! What the acts are is decided in [`crate::play`]. When the client leaves, hyper drops the body, and the [`Visit`]
//! in it reports that.

use crate::hangup::Hangup;
use crate::log::{Ended, Visit};
use crate::play::{Act, Ending};
use bytes::Bytes;
use http_body::{Body, Frame};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::Sleep;

/// A body that follows a script.
pub(crate) struct Player {
    acts: VecDeque<Act>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Something was sent since the connection last had a chance to flush.
    unflushed: bool,
    visit: Option<(Visit, Arc<Hangup>)>,
}

impl Player {
    pub(crate) fn new(acts: Vec<Act>, visit: Visit, hangup: Arc<Hangup>) -> Self {
        let mut player =
            Self { acts: acts.into(), sleep: None, unflushed: false, visit: Some((visit, hangup)) };
        player.settle();
        player
    }

    /// A body that nobody keeps a record of.
    pub(crate) fn plain(bytes: Bytes) -> Self {
        let acts = if bytes.is_empty() { VecDeque::new() } else { [Act::Send { bytes, chars: 0 }].into() };
        Self { acts, sleep: None, unflushed: false, visit: None }
    }

    /// Complete once the last act is handed over: hyper may not ask again after that.
    fn settle(&mut self) {
        if let Some((visit, _)) = self.visit.as_mut().filter(|_| self.acts.is_empty()) {
            visit.end(Ended::Complete);
        }
    }

    /// Whether to return to hyper first, so that what was sent reaches the socket before what comes next.
    fn must_flush(&mut self, cx: &mut Context<'_>) -> bool {
        let must = std::mem::take(&mut self.unflushed);
        if must {
            cx.waker().wake_by_ref();
        }
        must
    }
}

impl Body for Player {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                std::task::ready!(sleep.as_mut().poll(cx));
                self.sleep = None;
            }
            if self.must_flush(cx) {
                return Poll::Pending;
            }
            match self.acts.pop_front() {
                None => return Poll::Ready(None),
                Some(Act::Wait(time)) if time.is_zero() => {}
                Some(Act::Wait(time)) => self.sleep = Some(Box::pin(tokio::time::sleep(time))),
                Some(Act::Send { bytes, chars }) => {
                    self.unflushed = true;
                    if let Some((visit, _)) = &mut self.visit {
                        visit.delivered(chars);
                    }
                    self.settle();
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Act::Hang) => {
                    self.acts.push_front(Act::Hang);
                    return Poll::Pending;
                }
                Some(Act::End(ending)) => {
                    self.acts.push_front(Act::Hang);
                    if let Some((visit, hangup)) = &mut self.visit {
                        visit.end(ended(ending));
                        hangup.end(ending);
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.acts.is_empty() && self.sleep.is_none()
    }
}

pub(crate) fn ended(ending: Ending) -> Ended {
    match ending {
        Ending::Cut => Ended::Cut,
        Ending::Reset => Ended::Reset,
    }
}
