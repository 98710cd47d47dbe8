//! Answers as they arrive: one [`Relay`] per attempt, between a provider's stream and the client's.
//!
//! In the same dialect ([`pass`]) frames go on as the bytes they are; in another one ([`translate`]) they become
//! events and frames again. Either way the relay knows three things for the path: whether the client has seen
//! content, what the tokens are, and whether the stream was whole. Everything from the final usage on waits for
//! [`Relay::finale`], so that the ledger is settled before the client reads the end. A stream that breaks ends in a
//! [`Failure`]; its terminator is never written.

mod pass;
mod translate;

use crate::answer::{empty, empty_is_failure, unspoken};
use crate::classify;
use crate::dialect::{Frame, Language, Reply, language};
use crate::json::Fault;
use crate::providers::Row;
use crate::sse::{Splitter, TooLong};
use bytes::Bytes;
use model::{Dialect, Failure, FailureKind, Money, Stop, Usage};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

/// Malformed frames tolerated in one stream.
const TOLERATED: u32 = 3;

/// What a relay must know of the request.
#[derive(Clone, Debug, Default)]
pub struct RelayOptions<'a> {
    /// Whether the client's stream reports usage ([`crate::Glance::asks_usage`]).
    pub asks_usage: bool,
    /// The model as the client asked for it.
    pub model: &'a str,
    /// Seconds since the epoch, for dialects whose frames carry it.
    pub created: i64,
    /// An id for answers whose vendor gives none, such as the request's.
    pub id_hint: &'a str,
}

/// How far a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More is to come.
    More,
    /// The dialect's own terminator has been read; [`Relay::finale`] writes the end.
    Whole,
}

/// What has been learnt of the answer so far.
#[derive(Debug, Default)]
struct Tally {
    usage: Usage,
    stop: Option<Stop>,
    content: bool,
    call: bool,
    refusal: bool,
    end: bool,
    model: Option<String>,
}

/// Between one provider's stream and one client's.
pub struct Relay {
    provider: Dialect,
    theirs: Option<&'static dyn Language>,
    side: Side,
    splitter: Splitter,
    tally: Tally,
    malformed: u32,
    /// Whether any event with data has come: before it, foreign lines mean that this is no event stream at all.
    events: bool,
    whole: bool,
}

enum Side {
    Pass(pass::Pass),
    Translate(translate::Translate),
    /// One of the dialects is not spoken.
    Mute(Dialect),
}

impl Relay {
    /// A relay for one attempt.
    pub fn new(client: Dialect, provider: Dialect, _row: &Row, options: RelayOptions<'_>) -> Relay {
        let theirs = language(provider);
        let reply = Reply {
            model: options.model.to_owned(),
            created: options.created,
            asks_usage: options.asks_usage,
            id: options.id_hint.to_owned(),
        };
        let side = match (theirs, language(client)) {
            (None, _) => Side::Mute(provider),
            (_, None) => Side::Mute(client),
            (Some(_), Some(_)) if client == provider => Side::Pass(pass::Pass::new(options.asks_usage)),
            (Some(theirs), Some(ours)) => {
                Side::Translate(translate::Translate::new(theirs.decoder(), ours.encoder(reply)))
            }
        };
        Relay {
            provider,
            theirs,
            side,
            splitter: Splitter::default(),
            tally: Tally::default(),
            malformed: 0,
            events: false,
            whole: false,
        }
    }

    /// Takes bytes of the provider's and appends what the client may read now. However the bytes are cut, the client
    /// reads the same. After a failure what was appended before it still stands; the relay is done.
    pub fn feed(&mut self, chunk: Bytes, out: &mut VecDeque<Bytes>) -> Result<Progress, Failure> {
        if self.whole {
            return Ok(Progress::Whole);
        }
        self.splitter.feed(chunk);
        let result = self.frames(out);
        self.flush(out);
        result
    }

    /// The provider closed its stream: whole only if its terminator has been read.
    pub fn eof(&mut self) -> Result<Progress, Failure> {
        if self.whole {
            return Ok(Progress::Whole);
        }
        let rest = self.splitter.rest();
        if !rest.is_empty() {
            let foreign =
                !self.events && self.splitter.view(rest.clone()).first().is_some_and(|b| *b == b'{');
            if foreign {
                let body = String::from_utf8_lossy(self.splitter.view(rest)).into_owned();
                return Err(not_a_stream(self.provider, self.theirs, &body));
            }
            // What the client could read of a last frame is of no use to it without an end.
            self.frame(rest, &mut VecDeque::new())?;
            if self.whole {
                return Ok(Progress::Whole);
            }
        }
        let failure = if self.events || self.malformed == 0 {
            Failure::new(FailureKind::Cut, "the stream ended without its terminal event")
        } else {
            Failure::new(FailureKind::Malformed, "the answer is not an event stream")
        };
        Err(failure)
    }

    /// Whether the client has been given content. Frames that only open or keep a stream are not.
    pub fn content_seen(&self) -> bool {
        self.tally.content
    }

    /// Tokens, as far as the provider has told.
    ///
    /// Before the model has stopped, what a vendor says of the output is a placeholder: unknown.
    pub fn usage(&self) -> Usage {
        match self.tally.stop {
            Some(_) => self.tally.usage,
            None => Usage { output: None, reasoning: None, ..self.tally.usage },
        }
    }

    /// Why the model stopped, once it said so.
    pub fn stop(&self) -> Option<Stop> {
        self.tally.stop
    }

    /// The model that the provider says it is.
    pub fn model(&self) -> Option<&str> {
        self.tally.model.as_deref()
    }

    /// Frames that were skipped because they were broken.
    pub fn malformed(&self) -> u32 {
        self.malformed
    }

    /// Writes the end of a whole stream: what was held back, the cost in its usage where the dialect has room, and
    /// the terminator. Writes nothing for a stream that is not whole.
    pub fn finale(&mut self, cost: Option<Money>, out: &mut VecDeque<Bytes>) {
        if !self.whole {
            return;
        }
        match &mut self.side {
            Side::Pass(pass) => pass.finale(cost, out),
            Side::Translate(translate) => translate.finale(&self.tally, cost, out),
            Side::Mute(_) => {}
        }
    }

    fn frames(&mut self, out: &mut VecDeque<Bytes>) -> Result<Progress, Failure> {
        loop {
            let frame = self.splitter.next_frame().map_err(|TooLong| {
                Failure::new(FailureKind::Malformed, "a frame of the stream is longer than 4 MiB")
            })?;
            let Some(frame) = frame else { return Ok(Progress::More) };
            self.frame(frame, out)?;
            if self.whole {
                return Ok(Progress::Whole);
            }
        }
    }

    fn frame(&mut self, frame: Range<usize>, out: &mut VecDeque<Bytes>) -> Result<(), Failure> {
        let Some(theirs) = self.theirs else { return Err(unspoken(self.provider)) };
        let bytes = self.splitter.view(frame.clone());
        let fields = crate::sse::fields(bytes);
        let Some(data) = fields.data else {
            if !fields.regular {
                return self.skip("a line that no event stream has");
            }
            if let Side::Pass(pass) = &mut self.side {
                pass.idle(frame, &self.splitter, out);
            }
            return Ok(());
        };
        self.events = true;
        let (Ok(event), Ok(text)) = (crate::json::text(fields.event), crate::json::text(&data)) else {
            return self.skip("bytes that are not UTF-8");
        };
        let read = Frame { event, data: text };
        let result = match &mut self.side {
            Side::Pass(pass) => {
                let data_at = matches!(data, Cow::Borrowed(_)).then_some(fields.data_at);
                let at = pass::At { frame, data: data_at };
                pass.frame(theirs, read, at, &self.splitter, &mut self.tally, out)
            }
            Side::Translate(translate) => translate.frame(read, &mut self.tally),
            Side::Mute(dialect) => return Err(unspoken(*dialect)),
        };
        match result {
            Ok(()) => self.conclude(),
            Err(Trouble::Skip(fault)) => self.skip(fault.what),
            Err(Trouble::InBand) => Err(classify::in_band(self.provider, text)),
            Err(Trouble::Failed(failure)) => Err(failure),
        }
    }

    /// After a frame: is the stream whole, and is what it brought an answer?
    fn conclude(&mut self) -> Result<(), Failure> {
        if !self.tally.end {
            return Ok(());
        }
        match self.tally.stop {
            // Proxies in the middle have been seen to write the terminator behind a stream they had cut.
            None => {
                Err(Failure::new(FailureKind::Cut, "the stream's terminator came without a reason to stop"))
            }
            Some(stop) if !self.tally.content && empty_is_failure(stop) => Err(empty()),
            Some(_) => {
                self.whole = true;
                Ok(())
            }
        }
    }

    fn skip(&mut self, what: &str) -> Result<(), Failure> {
        self.malformed += 1;
        if self.malformed > TOLERATED {
            let kind = if self.events { FailureKind::Cut } else { FailureKind::Malformed };
            return Err(Failure::new(
                kind,
                format!("more than {TOLERATED} frames are broken; the last one: {what}"),
            ));
        }
        Ok(())
    }

    fn flush(&mut self, out: &mut VecDeque<Bytes>) {
        match &mut self.side {
            Side::Pass(pass) => pass.flush(&self.splitter, out),
            Side::Translate(translate) => translate.flush(out),
            Side::Mute(_) => {}
        }
    }
}

/// Why a frame was not simply passed on.
enum Trouble {
    /// It is broken and is left out.
    Skip(Fault),
    /// It is the provider's error.
    InBand,
    /// The provider's error, classified already.
    Failed(Failure),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Trouble {
        Trouble::Skip(fault)
    }
}

/// A success that should have been a stream and is a JSON document: an error in most cases.
fn not_a_stream(provider: Dialect, theirs: Option<&'static dyn Language>, body: &str) -> Failure {
    let failed = theirs.and_then(|l| l.peek_answer(body).ok()).is_some_and(|peek| peek.failed);
    if failed {
        return classify::in_band(provider, body);
    }
    crate::answer::malformed(body.as_bytes(), "is a document where a stream was asked for")
}
