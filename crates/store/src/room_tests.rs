//! What the journal promises about room, with an allocation that fails when a test says so.

use crate::journal::segment::{Disk, SystemDisk};
use crate::rows::{id, intent, second_intent, served};
use crate::{Filter, Options, Store, export, find};
use proptest::prelude::*;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A disk that can be full or fail to flush.
#[derive(Clone, Default)]
struct FrailDisk {
    full: Arc<AtomicBool>,
    failing: Arc<AtomicBool>,
}

impl Disk for FrailDisk {
    fn allocate(&self, file: &File, len: u64) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        SystemDisk.allocate(file, len)
    }

    fn flush(&self, file: &File) -> io::Result<()> {
        if self.failing.load(Ordering::SeqCst) {
            return Err(io::Error::other("the medium is gone"));
        }
        SystemDisk.flush(file)
    }
}

impl FrailDisk {
    fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    fn store(&self, dir: &Path) -> Store {
        let options = Options {
            segment_bytes: 65_536,
            feed_every: Duration::from_millis(5),
            flush_every: Duration::from_millis(1),
            ..Options::default()
        };
        Store::open_on(dir, &options, Arc::new(self.clone())).unwrap()
    }
}

/// Waits for something that background threads are about to do.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what} does not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn count(dir: &Path) -> u64 {
    export(dir, &Filter::default(), &mut |_| Ok(())).unwrap()
}

#[test]
fn a_full_disk_refuses_new_requests_and_settles_every_open_one_and_serves_again_by_itself() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), FrailDisk::default());
    let store = disk.store(dir.path());
    disk.set_full(true);
    let mut open = 0;
    let refused = loop {
        match store.journal().intend(&intent(open)) {
            Ok(()) => open += 1,
            // Until the keeper has asked the disk, the next segment is merely not ready yet.
            Err(refused) if refused.why.contains("being prepared") => std::thread::yield_now(),
            Err(refused) => break refused,
        }
    };
    assert!(open > 10, "there was room for {open}");
    assert!(refused.why.contains("free disk space"), "{refused}");
    assert!(refused.why.contains("journal"), "{refused}");
    let state = store.state();
    assert!(!state.ready && state.why.is_some_and(|why| why.contains("free disk space")));
    assert_eq!(state.open_requests as u64, open);
    for n in 0..open {
        store.journal().settle(&served(n)).unwrap();
    }
    assert_eq!(store.state().open_requests, 0);
    disk.set_full(false);
    until("room", || store.journal().intend(&intent(open)).is_ok());
    until("a clear state", || store.state().ready && store.state().why.is_none());
    store.journal().settle(&served(open)).unwrap();
    store.flush().unwrap();
    assert_eq!(count(dir.path()), open + 1);
}

#[test]
fn a_disk_that_fails_to_flush_gets_no_new_requests_until_it_flushes_again() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), FrailDisk::default());
    let store = disk.store(dir.path());
    store.journal().intend(&intent(0)).unwrap();
    disk.failing.store(true, Ordering::SeqCst);
    store.journal().intend(&intent(1)).unwrap();
    until("a refusal", || !store.state().ready);
    let refused = store.journal().intend(&intent(2)).unwrap_err();
    assert!(refused.why.contains("flushed") && refused.why.contains("the medium is gone"), "{refused}");
    store.journal().settle(&served(0)).unwrap();
    disk.failing.store(false, Ordering::SeqCst);
    until("a clear state", || store.state().ready);
    store.journal().settle(&served(1)).unwrap();
    store.journal().intend(&intent(2)).unwrap();
    store.flush().unwrap();
    assert_eq!(count(dir.path()), 2);
}

#[test]
fn an_open_request_whose_segment_goes_is_carried_and_settled_later_or_ends_unknown() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), FrailDisk::default());
    let store = disk.store(dir.path());
    store.journal().intend(&intent(0)).unwrap();
    store.journal().intend(&intent(1)).unwrap();
    store.journal().intend(&second_intent(1)).unwrap();
    let mut n = 2;
    while dir.path().join("journal/0000000000000000.seg").exists() {
        until("room", || store.journal().settle(&served(n)).is_ok());
        n += 1;
    }
    assert_eq!(find(dir.path(), id(0)).unwrap(), None, "still in flight");
    store.journal().settle(&served(0)).unwrap();
    assert_eq!(find(dir.path(), id(0)).unwrap(), Some(served(0)));
    drop(store);
    assert_eq!(find(dir.path(), id(1)).unwrap(), Some(second_intent(1)), "unknown, as it stood at the end");
    assert_eq!(count(dir.path()), n);
    let store = disk.store(dir.path());
    assert_eq!(store.recovered().unknown, 1);
    assert_eq!(find(dir.path(), id(0)).unwrap(), Some(served(0)));
    assert_eq!(find(dir.path(), id(1)).unwrap(), Some(second_intent(1)));
    assert_eq!(count(dir.path()), n);
}

#[test]
fn a_row_too_long_for_a_record_loses_words_and_not_its_place() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), FrailDisk::default());
    let store = disk.store(dir.path());
    let mut row = served(1);
    row.asked.model = "é".repeat(100_000).into();
    store.journal().settle(&row).unwrap();
    let kept = find(dir.path(), id(1)).unwrap().unwrap();
    assert_eq!(&*kept.asked.model, "é".repeat(256));
    assert_eq!(kept.usage, row.usage);
    row.gave_up = vec!["x".repeat(100_000).into()];
    let refused = store.journal().settle(&row).unwrap_err();
    assert!(refused.why.contains("longer than"), "{refused}");
    store.journal().settle(&served(2)).unwrap();
    assert_eq!(count(dir.path()), 2);
}

#[test]
fn a_database_that_takes_no_rows_is_named_and_caught_up_with() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), FrailDisk::default());
    let store = disk.store(dir.path());
    store.journal().settle(&served(0)).unwrap();
    store.flush().unwrap();
    let other = rusqlite::Connection::open(dir.path().join("ledger.db")).unwrap();
    other.execute_batch("ALTER TABLE requests RENAME TO hidden").unwrap();
    for n in 1..100 {
        store.journal().settle(&served(n)).unwrap();
    }
    assert!(store.flush().is_err());
    let state = store.state();
    assert!(state.ready, "the journal has room, so it serves");
    let why = state.why.unwrap();
    assert!(why.contains("ledger database has taken no rows") && why.contains("ledger.db"), "{why}");
    assert_eq!((state.fed_rows_total, state.lag_records), (1, 99));
    let mut n = 100;
    let refused = loop {
        match store.journal().intend(&intent(n)) {
            Ok(()) => store.journal().settle(&served(n)).unwrap(),
            Err(refused) if refused.why.contains("has taken no rows") => break refused,
            Err(_) => continue,
        }
        n += 1;
    };
    assert!(refused.why.contains("64"), "every segment is used before anything is refused: {refused}");
    other.execute_batch("ALTER TABLE hidden RENAME TO requests").unwrap();
    until("room", || store.state().ready);
    store.flush().unwrap();
    assert_eq!(store.state().why, None);
    assert_eq!(count(dir.path()), n);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_request_with_an_intent_can_be_settled(
        steps in prop::collection::vec((0u8..8, 0u64..400, 0usize..1800), 200..1500),
    ) {
        let (dir, disk) = (tempfile::tempdir().unwrap(), FrailDisk::default());
        let store = disk.store(dir.path());
        let (mut open, mut settled) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
        for (what, n, words) in steps {
            match what {
                0 => disk.set_full(true),
                1 => disk.set_full(false),
                2..=4 if !settled.contains(&n) && store.journal().intend(&intent(n)).is_ok() => {
                    open.insert(n);
                }
                2..=4 => {}
                _ if open.remove(&n) => {
                    let mut row = served(n);
                    row.attempts[0].detail = Some("x".repeat(words).into());
                    prop_assert_eq!(store.journal().settle(&row), Ok(()));
                    settled.insert(n);
                }
                _ => {}
            }
        }
        store.flush().unwrap();
        prop_assert_eq!(count(dir.path()), settled.len() as u64);
        drop(store);
        prop_assert_eq!(count(dir.path()), (settled.len() + open.len()) as u64);
    }
}
