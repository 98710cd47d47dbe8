//! The store as a server holds it: one lock, one journal, one feeder, the keys; opened, watched and closed here.

use crate::damage::Recovery;
use crate::feeder::Feeder;
use crate::journal::keeper::Keeper;
use crate::journal::segment::{self, Disk, SystemDisk};
use crate::journal::{Journal, JournalState};
use crate::keys::KeyRing;
use crate::lock::Lock;
use crate::{StoreError, recovery, secret_file};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How soon the database is tried again after it refused rows.
const AGAIN: Duration = Duration::from_millis(500);
/// The smallest segment: below it, the longest record would waste too much of one.
const LEAST_SEGMENT: u64 = 65_536;

/// Sizes and paces. The defaults suit a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of a journal segment, at least 64 KiB.
    pub segment_bytes: u64,
    /// Segments at most before new requests are refused; at least 4.
    pub max_segments: usize,
    /// What a power cut can take, at most.
    pub flush_every: Duration,
    /// How long a settled row may take to reach the database.
    pub feed_every: Duration,
    /// Rows in one transaction, at most.
    pub batch_rows: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            segment_bytes: 16 * 1024 * 1024,
            max_segments: 64,
            flush_every: Duration::from_millis(20),
            feed_every: Duration::from_millis(100),
            batch_rows: 4096,
        }
    }
}

/// The store as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Whether a new request would be recorded.
    pub ready: bool,
    /// What is wrong and what to do, also while it still serves.
    pub why: Option<String>,
    /// Journal records that the ledger has not read.
    pub lag_records: u64,
    /// Requests that were sent and are not settled.
    pub open_requests: usize,
    /// Journal segments in use.
    pub segments: usize,
    /// Rows written to the ledger since the start, recovered ones included.
    pub fed_rows_total: u64,
    /// Places of damage found in the journal since the start, those of recovery included.
    pub damage_total: u64,
}

/// Everything a server remembers.
pub struct Store {
    journal: Arc<Journal>,
    keys: Arc<KeyRing>,
    recovery: Recovery,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    _lock: Lock,
}

/// What the feeding thread and the store share.
struct Shared {
    journal: Arc<Journal>,
    feeder: Mutex<Feeder>,
    progress: Mutex<Progress>,
    stop: Arc<AtomicBool>,
}

#[derive(Clone, Copy, Default)]
struct Progress {
    /// Records of this journal that the ledger has read.
    records: u64,
    rows: u64,
    damage: u64,
}

impl Store {
    /// Takes the directory (made if missing), brings what an earlier process left into the ledger, and starts.
    pub fn open(data_dir: &Path, options: &Options) -> Result<Store, StoreError> {
        Store::open_on(data_dir, options, Arc::new(SystemDisk))
    }

    pub(crate) fn open_on(
        data_dir: &Path,
        options: &Options,
        disk: Arc<dyn Disk>,
    ) -> Result<Store, StoreError> {
        secret_file::make_data_dir(data_dir)?;
        let lock = Lock::take(data_dir)?;
        let keys = Arc::new(KeyRing::open(data_dir)?);
        let mut feeder = Feeder::open(data_dir, options.batch_rows.max(1))?;
        let (recovery, first) = recovery::recover(data_dir, &mut feeder)?;
        let bytes = options.segment_bytes.max(LEAST_SEGMENT).next_multiple_of(8);
        let directory = segment::directory(data_dir);
        let make = |sequence| segment::create(&directory, sequence, bytes, &*disk);
        let (active, ready) = (make(first)?, [make(first + 1)?].into());
        let journal =
            Arc::new(Journal::new(directory.clone(), bytes, options.max_segments.max(4), active, ready));
        let stop = Arc::new(AtomicBool::new(false));
        let before = Progress::of(&feeder);
        let shared = Arc::new(Shared {
            journal: journal.clone(),
            feeder: Mutex::new(feeder),
            progress: Mutex::new(before),
            stop: stop.clone(),
        });
        let start = |name: &str, body: Box<dyn FnOnce() + Send>| {
            let path = data_dir;
            thread::Builder::new()
                .name(name.to_owned())
                .spawn(body)
                .map_err(StoreError::io("start a thread for", path))
        };
        let feeding = shared.clone();
        let every = options.feed_every;
        let feeder = start("ledger-feeder", Box::new(move || feeding.run(every)))?;
        let woken = feeder.thread().clone();
        let keeper = Keeper {
            journal: journal.clone(),
            stop,
            disk,
            flush_every: options.flush_every,
            appended: Box::new(move || woken.unpark()),
        };
        let keeper = start("journal-keeper", Box::new(move || keeper.run()))?;
        Ok(Store { journal, keys, recovery, shared, threads: vec![keeper, feeder], _lock: lock })
    }

    /// Takes rows; share it with every thread.
    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// Client keys.
    pub fn keys(&self) -> &Arc<KeyRing> {
        &self.keys
    }

    /// What opening found of an earlier process.
    pub fn recovered(&self) -> &Recovery {
        &self.recovery
    }

    /// How it is.
    pub fn state(&self) -> State {
        let progress = *lock(&self.shared.progress);
        let JournalState { ready, why, appended, open_requests, segments } = self.journal.state();
        State {
            ready,
            why,
            lag_records: appended.saturating_sub(progress.records),
            open_requests,
            segments,
            fed_rows_total: progress.rows,
            damage_total: progress.damage,
        }
    }

    /// Brings everything settled so far into the ledger, now.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.shared.feed()
    }

    /// Ends in order, once every request is settled: the journal takes nothing more, everything settled is in the ledger, which is one file again.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.stop();
        self.shared.feed()?;
        lock(&self.shared.feeder).checkpoint()
    }

    fn stop(&mut self) {
        self.journal.close();
        self.shared.stop.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            // A thread that panicked has already said so; what it left undone, the next start recovers.
            let _ = thread.join();
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Progress {
    fn of(feeder: &Feeder) -> Progress {
        let tally = feeder.tally();
        Progress { records: tally.records, rows: tally.rows, damage: tally.damage.len() as u64 }
    }
}

impl Shared {
    /// The feeding thread: a round at most every `every` while there is something to feed.
    fn run(&self, every: Duration) {
        let mut last = Instant::now();
        while !self.stop.load(Ordering::Acquire) {
            let wait = every.saturating_sub(last.elapsed());
            if !wait.is_zero() {
                thread::park_timeout(wait);
                continue;
            }
            let failed = self.feed().is_err();
            last = Instant::now();
            if failed {
                thread::park_timeout(AGAIN);
            } else if self.idle() {
                // The keeper wakes this thread at the first append from here on.
                thread::park();
            }
        }
    }

    fn idle(&self) -> bool {
        self.journal.state().appended <= lock(&self.progress).records
    }

    /// One round: every published record into the database, read segments removed.
    fn feed(&self) -> Result<(), StoreError> {
        let mut feeder = lock(&self.feeder);
        let done = self.round(&mut feeder);
        self.journal.feeding(done.as_ref().err().map(ToString::to_string));
        *lock(&self.progress) = Progress::of(&feeder);
        done
    }

    fn round(&self, feeder: &mut Feeder) -> Result<(), StoreError> {
        let sources = self.journal.published(feeder.cursor().segment);
        feeder.feed(&sources, None)?;
        let done = self.journal.sealed_before(feeder.cursor().segment);
        feeder.retire(&done)?;
        if let Some(last) = done.last() {
            self.journal.forget_before(last.sequence + 1);
        }
        Ok(())
    }
}

/// A panic while one of these locks was held leaves data that the next round reads again.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
