//! The thread that keeps the journal ready: segments made ahead, written data flushed, memory of written pages given back.
//!
//! It sleeps until an append wakes it, so an idle program has no timer here.

use super::Journal;
use super::segment::{self, Disk, Segment};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How soon something that failed is tried again.
const AGAIN: Duration = Duration::from_millis(500);
/// Written bytes whose memory is kept mapped.
const MAPPED: u64 = 1024 * 1024;

/// Keeps `journal` until `stop`.
pub(crate) struct Keeper {
    pub(crate) journal: Arc<Journal>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) flush_every: Duration,
    /// Called when there is something to feed.
    pub(crate) appended: Box<dyn Fn() + Send>,
}

impl Keeper {
    /// Runs on its own thread; returns after a last flush when `stop` is set and the thread is unparked.
    pub(crate) fn run(self) {
        let _ = self.journal.keeper.set(thread::current());
        let mut flushed = Instant::now();
        let mut released = Released { sequence: 0, at: 0 };
        loop {
            let stopping = self.stop.load(Ordering::Acquire);
            self.prepare();
            let (dirty, troubled) = self.look();
            if dirty {
                (self.appended)();
                let pause = if troubled { AGAIN } else { self.flush_every };
                let wait = pause.saturating_sub(flushed.elapsed());
                if !stopping && !wait.is_zero() {
                    thread::park_timeout(wait);
                    continue;
                }
                self.flush();
                flushed = Instant::now();
                self.release(&mut released);
            }
            if stopping {
                return;
            }
            if troubled {
                thread::park_timeout(AGAIN);
            } else if !dirty {
                thread::park();
            }
        }
    }

    /// Whether there is something to flush, and whether something must be tried again.
    fn look(&self) -> (bool, bool) {
        let writer = self.journal.lock();
        (writer.dirty, writer.trouble.flushing.is_some() || writer.trouble.allocation.is_some())
    }

    /// Makes segments until there is room for every promised settlement and two segments more.
    fn prepare(&self) {
        loop {
            let sequence = {
                let mut writer = self.journal.lock();
                let promised = writer.open.reserved().div_ceil(self.journal.segment_bytes) as usize;
                if writer.ready.len() >= 2 + promised {
                    writer.trouble.allocation = None;
                    return;
                }
                if writer.files() >= self.journal.max_segments {
                    return;
                }
                writer.next_sequence
            };
            match self.make(sequence) {
                Ok(made) => {
                    let mut writer = self.journal.lock();
                    writer.next_sequence = sequence + 1;
                    writer.ready.push_back(made);
                }
                Err(why) => {
                    self.journal.lock().trouble.allocation = Some(why);
                    return;
                }
            }
        }
    }

    fn make(&self, sequence: u64) -> Result<Segment, String> {
        let Journal { directory, segment_bytes, .. } = &*self.journal;
        segment::create(directory, sequence, *segment_bytes, &*self.disk)
            .map_err(|e| format!("{e}; it serves again by itself"))
    }

    /// Makes everything appended so far durable.
    fn flush(&self) {
        let (files, upto) = {
            let mut writer = self.journal.lock();
            writer.dirty = false;
            let unflushed = writer.sealed.iter().filter(|s| s.sequence >= writer.flushed_from);
            let files: Vec<Arc<File>> =
                unflushed.map(|s| s.file.clone()).chain([writer.active.file.clone()]).collect();
            (files, writer.active.sequence)
        };
        let failure = files.iter().find_map(|file| self.disk.flush(file).err());
        let mut writer = self.journal.lock();
        let Some(error) = failure else {
            writer.flushed_from = upto;
            writer.trouble.flushing = None;
            return;
        };
        writer.dirty = true;
        let first = writer.trouble.flushing.is_none();
        writer.trouble.flushing = Some(format!(
            "the journal in {} cannot be flushed to disk: {error}; check the disk, it serves again by itself once a \
             flush succeeds",
            self.journal.directory.display()
        ));
        if first {
            // The kernel may count pages it could not write as written: what follows goes to a fresh file.
            writer.rotate();
        }
    }

    /// Unmaps what was written a while ago, so that resident memory does not grow with the segment.
    fn release(&self, done: &mut Released) {
        let mut writer = self.journal.lock();
        if done.sequence != writer.active.sequence {
            *done = Released { sequence: writer.active.sequence, at: 0 };
        }
        let at = writer.at;
        if at - done.at > 2 * MAPPED {
            let until = at - MAPPED;
            writer.active.mapping.release(done.at as usize..until as usize);
            done.at = until;
        }
    }
}

/// How far the memory of a segment was given back.
struct Released {
    sequence: u64,
    at: u64,
}
