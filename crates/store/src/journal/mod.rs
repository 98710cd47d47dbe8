//! The journal: what is about to be sent and how it ended, before anybody else learns of it.
//!
//! An append serialises a row straight into a memory-mapped, preallocated file under a short lock: no system call, no
//! waiting, under a microsecond, and safe from `kill -9` once it returns. The keeper (see `keeper`) flushes every 20 ms
//! while there is something to flush, which bounds what a power cut can take, and prepares segments ahead.
//!
//! Room is promised, not hoped for: an intent is taken only if, after it, every open request still has room for its
//! settlement. So a full disk refuses new requests and never the end of one that was sent.
//!
//! `mapping` has the memory, `record` the bytes, `segment` the files; `crate::feeder` empties all this into the ledger.

pub(crate) mod keeper;
mod mapping;
pub(crate) mod open;
pub(crate) mod record;
pub(crate) mod segment;

use crate::NotDurable;
use model::RequestRow;
use open::OpenRequests;
use record::{Kind, MAX_BODY};
use segment::{START, Segment, Source};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Instant;

/// Room kept for a settlement beyond the size of its intent: outcomes, counts, a provider's words.
const GROWTH: u64 = 2048;

/// Takes the rows of requests before they are sent and when they are over. Shared by every thread.
pub struct Journal {
    pub(crate) directory: PathBuf,
    pub(crate) segment_bytes: u64,
    pub(crate) max_segments: usize,
    writer: Mutex<Writer>,
    /// Set once the keeper runs; it is woken for the first append after a flush and for every used-up segment.
    keeper: OnceLock<Thread>,
}

struct Writer {
    active: Segment,
    /// Where the next record goes.
    at: u64,
    ready: VecDeque<Segment>,
    /// Full segments that the feeder has not finished with, oldest first.
    sealed: VecDeque<Source>,
    open: OpenRequests,
    next_sequence: u64,
    appended: u64,
    dirty: bool,
    /// Nobody reads what would be appended.
    closed: bool,
    /// The oldest segment that may hold data no flush has covered.
    flushed_from: u64,
    trouble: Trouble,
}

/// What stands in the way of new requests, as the background threads found it.
#[derive(Default)]
struct Trouble {
    /// No further segment could be made.
    allocation: Option<String>,
    /// Data could not be flushed: nothing new until it can.
    flushing: Option<String>,
    /// The ledger takes no rows, and since when.
    feeding: Option<(Instant, String)>,
}

/// The journal as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalState {
    /// Whether a new request would be recorded.
    pub ready: bool,
    /// What is wrong and what to do, also while it still serves.
    pub why: Option<String>,
    /// Records appended since the journal was opened.
    pub appended: u64,
    /// Requests that were sent and are not settled.
    pub open_requests: usize,
    /// Segment files in use: full ones the ledger has not taken, the active one, those prepared.
    pub segments: usize,
}

impl Journal {
    pub(crate) fn new(
        directory: PathBuf,
        segment_bytes: u64,
        max_segments: usize,
        active: Segment,
        ready: VecDeque<Segment>,
    ) -> Journal {
        let next_sequence = ready.back().unwrap_or(&active).sequence + 1;
        let writer = Writer {
            active,
            at: START,
            ready,
            sealed: VecDeque::new(),
            open: OpenRequests::default(),
            next_sequence,
            appended: 0,
            dirty: false,
            closed: false,
            flushed_from: 0,
            trouble: Trouble::default(),
        };
        let writer = Mutex::new(writer);
        Journal { directory, segment_bytes, max_segments, writer, keeper: OnceLock::new() }
    }

    /// Records that the last attempt of `row` is about to begin. Before every dispatch; the request must not be sent
    /// when this fails.
    pub fn intend(&self, row: &RequestRow) -> Result<(), NotDurable> {
        self.append(Kind::Intent, row)
    }

    /// Records how a request ended. Before its terminal event; also for requests that were never sent. For a request
    /// with an intent this fails only if its row is larger than a segment takes, since its room was kept.
    pub fn settle(&self, row: &RequestRow) -> Result<(), NotDurable> {
        self.append(Kind::Settlement, row)
    }

    /// How the journal is.
    pub fn state(&self) -> JournalState {
        let writer = self.lock();
        let room = writer.room(self.longest());
        // An intent of common size, and what is kept for its settlement.
        let refused =
            writer.closed || writer.trouble.flushing.is_some() || room < writer.open.reserved() + 2 * GROWTH;
        JournalState {
            ready: !refused,
            why: (refused || writer.trouble.any()).then(|| writer.why(self.max_segments)),
            appended: writer.appended,
            open_requests: writer.open.len(),
            segments: writer.files(),
        }
    }

    /// A poisoned lock means a panic in this file between two plain stores; a record that was not published does not
    /// exist, so the state behind it is whole.
    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The longest body a segment of this size takes, so that segment ends waste little.
    fn longest(&self) -> usize {
        MAX_BODY.min(self.segment_bytes as usize / 16)
    }

    fn append(&self, kind: Kind, row: &RequestRow) -> Result<(), NotDurable> {
        let (result, wake) = {
            let mut writer = self.lock();
            let before = (writer.dirty, writer.ready.len());
            let result = writer.append(kind, row, self.longest(), self.max_segments);
            (result, (writer.dirty, writer.ready.len()) != before)
        };
        if wake || result.is_err() {
            self.wake_keeper();
        }
        result
    }

    /// Refuses everything from here on: the lock that keeps other processes away is about to go.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
    }

    fn wake_keeper(&self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.unpark();
        }
    }

    /// Every segment from `sequence` on with the end of what was published, oldest first. All but the last are full.
    pub(crate) fn published(&self, sequence: u64) -> Vec<Source> {
        let writer = self.lock();
        let sealed = writer.sealed.iter().filter(|s| s.sequence >= sequence).cloned();
        sealed.chain([writer.active_source()]).collect()
    }

    /// Full segments before `sequence`, which the feeder has read to their end.
    pub(crate) fn sealed_before(&self, sequence: u64) -> Vec<Source> {
        self.lock().sealed.iter().filter(|s| s.sequence < sequence).cloned().collect()
    }

    /// Forgets full segments before `sequence`: their files are gone.
    pub(crate) fn forget_before(&self, sequence: u64) {
        self.lock().sealed.retain(|s| s.sequence >= sequence);
        self.wake_keeper();
    }

    /// Notes that the ledger takes no rows, or takes them again.
    pub(crate) fn feeding(&self, failure: Option<String>) {
        let mut writer = self.lock();
        let since = writer.trouble.feeding.take().map(|(since, _)| since);
        writer.trouble.feeding = failure.map(|why| (since.unwrap_or_else(Instant::now), why));
    }
}

impl Writer {
    fn append(
        &mut self,
        kind: Kind,
        row: &RequestRow,
        longest: usize,
        max_segments: usize,
    ) -> Result<(), NotDurable> {
        if self.closed {
            return Err(self.refusal(max_segments));
        }
        let kept = self.open.kept_for(row.request_id);
        let promised = kind == Kind::Settlement && kept.is_some();
        if !promised && self.trouble.flushing.is_some() {
            return Err(self.refusal(max_segments));
        }
        let length = match self.place(kind, row, longest) {
            Some(length) => length,
            None => {
                // Longer than a body may be: as good as never, and then words are cut rather than the row lost.
                let short = record::shortened(row);
                match self.place(kind, &short, longest) {
                    Some(length) => length,
                    None if self.has_space(longest) => return Err(too_long(longest)),
                    None => return Err(self.refusal(max_segments)),
                }
            }
        };
        let stride = record::stride(length) as u64;
        let keep = if kind == Kind::Intent { stride + GROWTH } else { 0 };
        if !promised {
            let reserved = self.open.reserved() - kept.unwrap_or(0) + keep;
            if self.room(longest).saturating_sub(stride) < reserved {
                return Err(self.refusal(max_segments));
            }
        }
        let (from, salt) = (self.at as usize, self.active.salt);
        let bytes = self.active.mapping.bytes_mut();
        let word = record::head(salt, &bytes[from + record::HEAD..from + record::HEAD + length]);
        self.active.mapping.publish(from, word);
        self.at += stride;
        self.appended += 1;
        self.dirty = true;
        match kind {
            Kind::Intent => self.open.keep(row.request_id, keep),
            Kind::Settlement => self.open.release(row.request_id),
        }
        Ok(())
    }

    /// Serialises behind the head of the next record, in the next segment if this one has no room. Nothing is published.
    fn place(&mut self, kind: Kind, row: &RequestRow, longest: usize) -> Option<usize> {
        if let Some(length) = self.place_here(kind, row, longest) {
            return Some(length);
        }
        // Either the row is too long or the rest of the segment too short; only the second is cured by another segment.
        if self.has_space(longest) || self.ready.is_empty() {
            return None;
        }
        self.rotate();
        self.place_here(kind, row, longest)
    }

    /// Whether the active segment takes a record of the greatest length.
    fn has_space(&self, longest: usize) -> bool {
        (self.active.len - self.at) as usize >= record::stride(longest)
    }

    fn place_here(&mut self, kind: Kind, row: &RequestRow, longest: usize) -> Option<usize> {
        let from = self.at as usize + record::HEAD;
        let to = (from + longest).min(self.active.len as usize / 8 * 8);
        record::write(kind, row, self.active.mapping.bytes_mut().get_mut(from..to)?)
    }

    fn rotate(&mut self) {
        let Some(next) = self.ready.pop_front() else { return };
        let full = self.active_source();
        self.active = next;
        self.at = START;
        self.sealed.push_back(full);
    }

    fn active_source(&self) -> Source {
        let Segment { sequence, salt, ref file, .. } = self.active;
        Source { sequence, salt, file: file.clone(), end: self.at }
    }

    /// Bytes that are sure to take records: what a record of the greatest length could waste at the end of a segment is
    /// not counted.
    fn room(&self, longest: usize) -> u64 {
        let waste = record::stride(longest) as u64;
        let usable = |free: u64| free.saturating_sub(waste);
        usable(self.active.len - self.at) + self.ready.iter().map(|s| usable(s.len - START)).sum::<u64>()
    }

    fn files(&self) -> usize {
        self.sealed.len() + 1 + self.ready.len()
    }

    #[cold]
    fn refusal(&self, max_segments: usize) -> NotDurable {
        NotDurable { why: self.why(max_segments) }
    }

    fn why(&self, max_segments: usize) -> String {
        if self.closed {
            return "the store is closed, the server is stopping".to_owned();
        }
        if let Some(why) = &self.trouble.flushing {
            return why.clone();
        }
        if let Some((since, why)) = &self.trouble.feeding {
            let seconds = since.elapsed().as_secs();
            return format!(
                "the ledger database has taken no rows for {seconds} s ({why}); {} of {max_segments} journal segments \
                 are in use; it serves again by itself once the database takes rows",
                self.files()
            );
        }
        if let Some(why) = &self.trouble.allocation {
            return why.clone();
        }
        if self.files() >= max_segments {
            return format!(
                "all {max_segments} journal segments wait for the ledger database, which takes rows more slowly than \
                 they come; give it a faster disk or raise the number of segments"
            );
        }
        "the next journal segment is being prepared; send the request again".to_owned()
    }
}

#[cold]
fn too_long(longest: usize) -> NotDurable {
    NotDurable { why: format!("its row is longer than the {longest} bytes of a journal record") }
}

impl Trouble {
    fn any(&self) -> bool {
        self.allocation.is_some() || self.flushing.is_some() || self.feeding.is_some()
    }
}
