//! Same dialect: frames go on as the bytes they are, neighbours as one slice; only the tail waits.

use super::{Tally, Trouble};
use crate::dialect::{Frame, Language, Peek};
use crate::json::Out;
use crate::sse::Splitter;
use bytes::Bytes;
use model::Money;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::ops::Range;

/// Where a frame stands in the splitter's bytes, and its data in the frame (unless its lines had to be joined).
pub(super) struct At {
    pub(super) frame: Range<usize>,
    pub(super) data: Option<usize>,
}

/// Frames that wait for the ledger, and frames that go on with the next flush.
pub(super) struct Pass {
    asks_usage: bool,
    /// Neighbouring frames that may go on.
    run: Range<usize>,
    /// The tail, from the final usage on.
    held: SmallVec<[Held; 2]>,
}

struct Held {
    bytes: Bytes,
    /// Offset of the usage object's opening brace.
    usage_at: Option<usize>,
}

impl Pass {
    pub(super) fn new(asks_usage: bool) -> Pass {
        Pass { asks_usage, run: 0..0, held: SmallVec::new() }
    }

    /// A comment or an empty frame: keeps its place.
    pub(super) fn idle(&mut self, frame: Range<usize>, splitter: &Splitter, out: &mut VecDeque<Bytes>) {
        if self.held.is_empty() {
            self.extend(frame, splitter, out);
        } else {
            self.held.push(Held { bytes: splitter.share(frame), usage_at: None });
        }
    }

    pub(super) fn frame(
        &mut self,
        theirs: &dyn Language,
        read: Frame<'_>,
        at: At,
        splitter: &Splitter,
        tally: &mut Tally,
        out: &mut VecDeque<Bytes>,
    ) -> Result<(), Trouble> {
        let peek = theirs.peek_frame(read)?;
        if peek.failed {
            return Err(Trouble::InBand);
        }
        if let Some(usage) = &peek.usage {
            theirs.merge_usage(&mut tally.usage, usage);
        }
        // Some servers finish twice; the first reason is the answer's.
        tally.call |= peek.call;
        tally.refusal |= peek.refusal;
        let stop = peek.stop.map(|stop| Peek::honest(stop, tally.call, tally.refusal));
        tally.stop = tally.stop.or(stop);
        tally.content |= peek.content;
        tally.end |= peek.end;
        if tally.model.is_none() {
            tally.model = peek.model.map(|m| m.decode().into_owned());
        }
        if peek.usage_only && !self.asks_usage {
            return Ok(());
        }
        if peek.content && !self.held.is_empty() {
            // Another choice goes on behind one that has finished: what waited was not the end.
            self.flush(splitter, out);
            out.extend(self.held.drain(..).map(|held| held.bytes));
        }
        let last = peek.end || (tally.stop.is_some() && peek.usage.is_some());
        if last || !self.held.is_empty() {
            self.flush(splitter, out);
            let usage_at = peek.usage_at.zip(at.data).map(|(usage, data)| usage + data);
            self.held.push(Held { bytes: splitter.share(at.frame), usage_at });
        } else {
            self.extend(at.frame, splitter, out);
        }
        Ok(())
    }

    /// Adds a frame to the run; one that is no neighbour (another was left out between them) begins a new run.
    fn extend(&mut self, frame: Range<usize>, splitter: &Splitter, out: &mut VecDeque<Bytes>) {
        if self.run.end == frame.start && !self.run.is_empty() {
            self.run.end = frame.end;
        } else {
            self.flush(splitter, out);
            self.run = frame;
        }
    }

    pub(super) fn flush(&mut self, splitter: &Splitter, out: &mut VecDeque<Bytes>) {
        if !self.run.is_empty() {
            out.push_back(splitter.share(self.run.clone()));
        }
        self.run = 0..0;
    }

    pub(super) fn finale(&mut self, cost: Option<Money>, out: &mut VecDeque<Bytes>) {
        let last_usage = self.held.iter().rposition(|held| held.usage_at.is_some());
        let end = self.held.len();
        for (index, held) in self.held.drain(..).enumerate() {
            let mut bytes = held.bytes;
            if let (Some(cost), Some(at), true) = (cost, held.usage_at, last_usage == Some(index)) {
                bytes = priced(&bytes, at, cost);
            }
            // The last frame of a stream may lack its blank line, without which a client would not see it.
            let ended = bytes.ends_with(b"\n\n") || bytes.ends_with(b"\r\n\r\n") || bytes.ends_with(b"\r\r");
            out.push_back(bytes);
            if index + 1 == end && !ended {
                out.push_back(Bytes::from_static(b"\n\n"));
            }
        }
    }
}

/// The frame with the cost as the first member of its usage object.
fn priced(frame: &Bytes, usage_at: usize, cost: Money) -> Bytes {
    let (before, behind) = frame.split_at(usage_at + 1);
    let mut out = Out::behind(Vec::with_capacity(frame.len() + 48));
    out.frame(&String::from_utf8_lossy(before));
    out.key("x-pointsman-cost-usd").plain(&cost.to_string());
    let mut bytes = out.finish();
    let empty = behind.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'}');
    if !empty {
        bytes.push(b',');
    }
    bytes.extend_from_slice(behind);
    Bytes::from(bytes)
}
