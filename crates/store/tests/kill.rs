//! `kill -9` at random instants: every acknowledged request is in the ledger, once.
//!
//! The parent starts this very test binary again as a writer, which appends as fast as it can and prints what was
//! acknowledged, and kills it.

#![allow(clippy::unwrap_used)]

mod rows;

use model::{End, RequestId, RequestRow};
use rows::{id, intent, served};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use store::{Filter, Options, Store, StoreError, export};

const DIR: &str = "POINTSMAN_STORE_TEST_DIR";
const FROM: &str = "POINTSMAN_STORE_TEST_FROM";
const ROUNDS: u64 = 20;
/// Numbers of requests that a round may use.
const SPAN: u64 = 10_000_000;

/// Small segments and short batches, so that a kill meets every part of the machinery.
fn options() -> Options {
    Options {
        segment_bytes: 256 * 1024,
        max_segments: 16,
        flush_every: Duration::from_millis(2),
        feed_every: Duration::from_millis(1),
        batch_rows: 100,
    }
}

#[test]
#[ignore = "the writer that its parent kills; run by the test below"]
fn writer() {
    let (Ok(dir), Ok(from)) = (std::env::var(DIR), std::env::var(FROM)) else { return };
    let from: u64 = from.parse().unwrap();
    let store = Store::open(Path::new(&dir), &options()).unwrap();
    let mut out = std::io::stdout().lock();
    let mut said = |word: char, n: u64| {
        // One write: the line is whole or it is not there.
        let line = format!("{word}{n}\n");
        assert_eq!(out.write(line.as_bytes()).unwrap(), line.len());
    };
    for n in from.. {
        if store.journal().intend(&intent(n)).is_err() {
            std::thread::yield_now();
            continue;
        }
        said('i', n);
        // Every ninth request stays open for a while, every hundredth for good.
        if !n.is_multiple_of(9) {
            store.journal().settle(&served(n)).unwrap();
            said('s', n);
        }
        let late = n.checked_sub(2000).filter(|late| *late >= from);
        if let Some(late) = late.filter(|n| n.is_multiple_of(9) && !n.is_multiple_of(100))
            && store.journal().settle(&served(late)).is_ok()
        {
            said('s', late);
        }
    }
}

/// Kills a writer after `life` and returns what it had acknowledged: true for settled.
fn run_and_kill(dir: &Path, from: u64, life: Duration) -> BTreeMap<RequestId, bool> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["writer", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .env(FROM, from.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut acknowledged = BTreeMap::new();
        for line in BufReader::new(output).lines() {
            let line = line.unwrap();
            if let Some(n) = line.strip_prefix('i').and_then(|n| n.parse().ok()) {
                acknowledged.entry(id(n)).or_insert(false);
            } else if let Some(n) = line.strip_prefix('s').and_then(|n| n.parse().ok()) {
                acknowledged.insert(id(n), true);
            }
        }
        acknowledged
    });
    std::thread::sleep(life);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

fn by_id(dir: &Path) -> BTreeMap<RequestId, RequestRow> {
    let mut rows = BTreeMap::new();
    let done = export(dir, &Filter::default(), &mut |row| {
        assert!(rows.insert(row.request_id, row.clone()).is_none(), "{} is there twice", row.request_id);
        Ok(())
    });
    match done {
        // Killed before there was one.
        Err(StoreError::NoLedger { .. }) => {}
        done => assert_eq!(done.unwrap(), rows.len() as u64),
    }
    rows
}

#[test]
fn no_acknowledged_request_is_lost_or_doubled_by_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeMap::new();
    let mut settled_before_recovery = 0;
    for round in 0..ROUNDS {
        // Spread over start-up, first batches and full swing.
        let life = Duration::from_micros(20_000 + (round * 7919) % 20 * 7_000);
        acknowledged.extend(run_and_kill(dir.path(), round * SPAN, life));
        if round % 3 == 1 {
            // The next writer recovers without anybody having looked.
            continue;
        }
        let at_rest = by_id(dir.path());
        settled_before_recovery += at_rest.len();
        check(&acknowledged, &at_rest);
        drop(Store::open(dir.path(), &options()).unwrap());
        assert_eq!(by_id(dir.path()), at_rest, "recovery tells what the export told");
    }
    assert!(settled_before_recovery > 0 && acknowledged.len() > 1000, "the writers wrote");
}

fn check(acknowledged: &BTreeMap<RequestId, bool>, rows: &BTreeMap<RequestId, RequestRow>) {
    for (id, settled) in acknowledged {
        let row = rows.get(id).unwrap_or_else(|| panic!("{id} was acknowledged and is missing"));
        if *settled {
            assert_eq!(row.end, End::Served, "{id} was settled");
        }
        let n = (id.0 & 0xff_ffff_ffff) as u64;
        assert_eq!(*row, if row.end == End::Served { served(n) } else { intent(n) });
    }
}
