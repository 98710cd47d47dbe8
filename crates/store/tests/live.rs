//! Many writers, a feeder and readers at once; a file system that is really full.

#![allow(clippy::unwrap_used)]

mod rows;

use model::RequestId;
use rows::{id, intent, second_intent, served};
use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use store::{Filter, Options, Store, export, find, recent};

fn brisk() -> Options {
    Options {
        segment_bytes: 512 * 1024,
        max_segments: 64,
        flush_every: Duration::from_millis(1),
        feed_every: Duration::from_millis(1),
        batch_rows: 64,
    }
}

/// Asks again while the next segment is being made, as a client does.
fn persist(mut record: impl FnMut() -> Result<(), store::NotDurable>) {
    while record().is_err() {
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn ids(dir: &Path) -> Vec<RequestId> {
    let mut ids = Vec::new();
    export(dir, &Filter::default(), &mut |row| {
        ids.push(row.request_id);
        Ok(())
    })
    .unwrap();
    ids
}

#[test]
fn eight_writers_and_a_feeder_lose_and_double_nothing() {
    const EACH: u64 = 4000;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &brisk()).unwrap();
    std::thread::scope(|s| {
        for writer in 0..8 {
            let journal = store.journal();
            s.spawn(move || {
                for n in writer * EACH..(writer + 1) * EACH {
                    persist(|| journal.intend(&intent(n)));
                    if n % 5 == 0 {
                        persist(|| journal.intend(&second_intent(n)));
                    }
                    journal.settle(&served(n)).unwrap();
                }
            });
        }
    });
    store.flush().unwrap();
    let state = store.state();
    assert_eq!((state.lag_records, state.open_requests, state.fed_rows_total), (0, 0, 8 * EACH));
    assert!(state.segments <= 4, "read segments are removed: {}", state.segments);
    let journal = store.journal().clone();
    store.close().unwrap();
    let refused = journal.intend(&intent(8 * EACH)).unwrap_err();
    assert!(refused.why.contains("closed"), "{refused}");
    assert!(!dir.path().join("ledger.db-wal").exists(), "one file is left");
    assert_eq!(ids(dir.path()), (0..8 * EACH).map(id).collect::<Vec<_>>());
}

#[test]
fn an_export_beside_a_live_writer_holds_what_was_acknowledged_before_it_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &brisk()).unwrap();
    let (settled, done) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|s| {
        s.spawn(|| {
            for n in 0..30_000 {
                persist(|| store.journal().intend(&intent(n)));
                store.journal().settle(&served(n)).unwrap();
                settled.store(n + 1, Ordering::SeqCst);
            }
            done.store(true, Ordering::SeqCst);
        });
        while !done.load(Ordering::SeqCst) {
            let before = settled.load(Ordering::SeqCst);
            let found = ids(dir.path());
            let unique: HashSet<&RequestId> = found.iter().collect();
            assert_eq!(unique.len(), found.len(), "a row came twice");
            for n in 0..before {
                assert!(unique.contains(&id(n)), "{n} of {before} is missing");
            }
            if let Some(n) = before.checked_sub(1) {
                assert_eq!(find(dir.path(), id(n)).unwrap(), Some(served(n)));
                assert!(recent(dir.path(), 5, None).unwrap()[0].request_id >= id(n));
            }
        }
    });
    assert_eq!(ids(dir.path()).len(), 30_000);
}

/// A small file system in memory, unmounted when dropped. `None` where one may not be mounted.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(megabytes: u32) -> Option<SmallDisk> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(dir.path())
            .stderr(std::process::Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(SmallDisk(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_file_system_that_is_really_full_refuses_before_dispatch_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount(8) else {
        println!("not run: needs to mount a tmpfs (root)");
        return;
    };
    let dir = disk.0.path().join("data");
    let store = Store::open(&dir, &brisk()).unwrap();
    let ballast = disk.0.path().join("ballast");
    let _ = std::fs::write(&ballast, vec![1; 8 << 20]);
    let (mut n, mut refusals) = (0, 0);
    while refusals < 50 {
        match store.journal().intend(&intent(n)) {
            Ok(()) => {
                store.journal().settle(&served(n)).unwrap();
                n += 1;
            }
            Err(_) => {
                refusals += 1;
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
    let state = store.state();
    let why = state.why.unwrap();
    assert!(!state.ready && (why.contains("full") || why.contains("space")), "{why}");
    assert_eq!(ids(&dir).len() as u64, n, "what was acknowledged can be read from a full disk");
    std::fs::remove_file(&ballast).unwrap();
    persist(|| store.journal().intend(&intent(n)));
    store.journal().settle(&served(n)).unwrap();
    store.close().unwrap();
    assert_eq!(ids(&dir), (0..=n).map(id).collect::<Vec<_>>());
}
