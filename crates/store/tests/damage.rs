//! What a power cut, a failing disk or a stranger's hand leaves of a journal: every whole record is kept, nothing is
//! there twice, nothing panics, and what is lost is named.

#![allow(clippy::unwrap_used)]

mod rows;

use model::{RequestId, RequestRow};
use proptest::prelude::*;
use rows::{id, intent, served};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::{Filter, Options, Recovery, Store, StoreError, export};
use tempfile::TempDir;

/// Where the first record of a segment stands.
const START: usize = 32;

/// A journal that no ledger has read, as a dead process leaves it: requests 0 to 9 served, 10 in flight.
struct Remains {
    dir: TempDir,
    segment: PathBuf,
    bytes: Vec<u8>,
    /// Where each record stands: intent and settlement of every request by turns.
    records: Vec<std::ops::Range<usize>>,
}

fn options() -> Options {
    Options { feed_every: Duration::from_secs(3600), segment_bytes: 65_536, ..Options::default() }
}

fn remains() -> Remains {
    let dir = scratch();
    let store = Store::open(dir.path(), &options()).unwrap();
    for n in 0..10 {
        store.journal().intend(&intent(n)).unwrap();
        store.journal().settle(&served(n)).unwrap();
    }
    store.journal().intend(&intent(10)).unwrap();
    drop(store);
    let segment = dir.path().join("journal/0000000000000000.seg");
    let bytes = fs::read(&segment).unwrap();
    let mut records = Vec::new();
    let mut at = START;
    loop {
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        if length == 0 {
            break;
        }
        records.push(at..at + 8 + length);
        at += (8 + length).next_multiple_of(8);
    }
    assert_eq!(records.len(), 21);
    Remains { dir, segment, bytes, records }
}

/// Puts `bytes` in place of the segment, in a fresh copy of the directory, and opens it twice.
fn recover(remains: &Remains, bytes: &[u8]) -> (Recovery, Vec<RequestRow>) {
    let copy = scratch();
    copy_into(remains.dir.path(), copy.path());
    let segment = copy.path().join(remains.segment.strip_prefix(remains.dir.path()).unwrap());
    fs::write(segment, bytes).unwrap();
    let before = try_all(copy.path());
    let store = Store::open(copy.path(), &options()).unwrap();
    let recovery = store.recovered().clone();
    let rows = all(copy.path());
    match before {
        Ok(before) => assert_eq!(before, rows, "an export before recovery tells the same"),
        Err(e) => assert!(e.to_string().contains("header of this journal segment"), "{e}"),
    }
    drop(store);
    let again = Store::open(copy.path(), &options()).unwrap();
    assert_eq!(again.recovered(), &Recovery::default(), "nothing is left to recover");
    assert_eq!(all(copy.path()), rows);
    (recovery, rows)
}

/// In memory where there is such a place: thousands of recoveries flush a lot.
fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn copy_into(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&target).unwrap();
            copy_into(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn all(dir: &Path) -> Vec<RequestRow> {
    try_all(dir).unwrap()
}

fn try_all(dir: &Path) -> Result<Vec<RequestRow>, StoreError> {
    let mut rows = Vec::new();
    export(dir, &Filter::default(), &mut |row| {
        rows.push(row.clone());
        Ok(())
    })?;
    Ok(rows)
}

/// The rows that follow from the records with these indices.
fn expected(records: impl Iterator<Item = usize>) -> Vec<RequestRow> {
    let mut rows: Vec<RequestRow> = Vec::new();
    for record in records {
        let n = record as u64 / 2;
        let row = if record.is_multiple_of(2) { intent(n) } else { served(n) };
        match rows.last_mut() {
            Some(last) if last.request_id == row.request_id => *last = row,
            _ => rows.push(row),
        }
    }
    rows
}

#[test]
fn an_undamaged_journal_is_recovered_whole() {
    let remains = remains();
    let (recovery, rows) = recover(&remains, &remains.bytes);
    assert_eq!(rows, expected(0..21));
    assert_eq!((recovery.rows, recovery.unknown, recovery.torn), (10, 1, false));
    assert!(recovery.damage.is_empty());
}

#[test]
fn a_last_record_cut_at_any_byte_costs_itself_alone() {
    let remains = remains();
    let last = remains.records[20].clone();
    for cut in last.clone() {
        let (recovery, rows) = recover(&remains, &remains.bytes[..cut]);
        assert_eq!(rows, expected(0..20), "cut at {cut}");
        assert!(recovery.damage.is_empty(), "a torn tail is no damage");
        let mut zeroed = remains.bytes.clone();
        zeroed[cut..].fill(0);
        let (_, rows) = recover(&remains, &zeroed);
        // The last bytes of a row may be zero themselves.
        let whole = zeroed == remains.bytes;
        assert_eq!(rows, expected(0..if whole { 21 } else { 20 }), "zeros from {cut}");
    }
}

#[test]
fn a_last_record_with_any_byte_flipped_costs_itself_alone() {
    let remains = remains();
    for at in remains.records[20].clone() {
        let mut bytes = remains.bytes.clone();
        bytes[at] ^= 0x41;
        let (recovery, rows) = recover(&remains, &bytes);
        assert_eq!(rows, expected(0..20), "flipped at {at}");
        assert!(recovery.torn && recovery.damage.is_empty());
    }
}

#[test]
fn a_record_damaged_in_the_middle_is_named_and_put_aside_and_the_rest_is_kept() {
    let remains = remains();
    let mut bytes = remains.bytes.clone();
    let hurt = remains.records[7].clone();
    bytes[hurt.start + 40] ^= 1;
    let (recovery, rows) = recover(&remains, &bytes);
    assert_eq!(rows, expected((0..21).filter(|n| *n != 7)), "request 3 lost its settlement and is unknown");
    assert_eq!(recovery.unknown, 2);
    let [damage] = recovery.damage.as_slice() else { panic!("{:?}", recovery.damage) };
    assert_eq!((damage.from, damage.to), (hurt.start as u64, remains.records[8].start as u64));
    let kept = damage.kept_as.clone().unwrap();
    assert!(kept.to_str().unwrap().ends_with("0000000000000000.seg.bad"));
    let told = damage.to_string();
    assert!(told.contains("0000000000000000.seg") && told.contains(&hurt.start.to_string()), "{told}");
}

#[test]
fn a_page_that_never_reached_the_disk_is_a_gap_and_not_the_end() {
    let remains = remains();
    let mut bytes = remains.bytes.clone();
    bytes[remains.records[4].start..remains.records[12].start].fill(0);
    let (recovery, rows) = recover(&remains, &bytes);
    assert_eq!(rows, expected((0..21).filter(|n| !(4..12).contains(n))));
    assert_eq!(recovery.damage.len(), 1);
}

#[test]
fn a_segment_without_a_readable_header_is_put_aside() {
    let remains = remains();
    for at in [3, 9, 17, 20, 25] {
        let mut bytes = remains.bytes.clone();
        bytes[at] ^= 0xff;
        let (recovery, rows) = recover(&remains, &bytes);
        assert!(rows.is_empty());
        let told = recovery.damage[0].to_string();
        assert!(told.contains("header is damaged") && told.contains(".seg.bad"), "{told}");
    }
    assert_eq!(recover(&remains, b"").1, []);
    assert_eq!(recover(&remains, b"pm-jrnl\n short").0.damage.len(), 1);
}

#[test]
fn a_journal_of_another_version_is_left_alone_and_named() {
    let remains = remains();
    let mut bytes = remains.bytes.clone();
    bytes[20] = 99;
    let sum = crc32fast::hash(&bytes[..24]);
    bytes[24..28].copy_from_slice(&sum.to_le_bytes());
    fs::write(&remains.segment, &bytes).unwrap();
    let refused = Store::open(remains.dir.path(), &options()).err().unwrap().to_string();
    assert!(refused.contains("another version") && refused.contains(".seg"), "{refused}");
    assert_eq!(fs::read(&remains.segment).unwrap(), bytes);
}

#[test]
fn a_record_that_a_client_wrote_into_its_own_field_is_not_believed() {
    let remains = remains();
    // The whole of another segment's record stands where the last record broke off: the salt gives it away.
    let other = self::remains();
    let mut bytes = remains.bytes.clone();
    let last = remains.records[20].clone();
    bytes[last.start..].fill(0);
    let forged = &other.bytes[other.records[20].clone()];
    let at = last.start + 64;
    bytes[at..at + forged.len()].copy_from_slice(forged);
    let (_, rows) = recover(&remains, &bytes);
    assert_eq!(rows, expected(0..20));
}

#[test]
fn feeding_the_same_journal_again_writes_nothing_twice() {
    let remains = remains();
    let copy = scratch();
    copy_into(remains.dir.path(), copy.path());
    drop(Store::open(copy.path(), &options()).unwrap());
    let rows = all(copy.path());
    // The segment is back, as if its removal had not reached the disk.
    fs::write(copy.path().join("journal/0000000000000000.seg"), &remains.bytes).unwrap();
    assert_eq!(all(copy.path()), rows);
    let store = Store::open(copy.path(), &options()).unwrap();
    assert_eq!((store.recovered().rows, store.recovered().unknown), (0, 0));
    assert_eq!(all(copy.path()), rows);
}

#[test]
fn a_ledger_restored_from_before_takes_the_journal_again() {
    let remains = remains();
    let copy = scratch();
    copy_into(remains.dir.path(), copy.path());
    fs::remove_file(copy.path().join("ledger.db")).unwrap();
    drop(Store::open(copy.path(), &options()).unwrap());
    assert_eq!(all(copy.path()), expected(0..21));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_damage_costs_at_most_the_records_it_touches(
        hits in prop::collection::vec((START..12_000usize, 1..900usize, any::<u8>()), 1..5),
        cut in prop::option::of(START..65_536usize),
    ) {
        let remains = remains();
        let mut bytes = remains.bytes.clone();
        for (at, length, with) in hits {
            bytes[at..at + length].fill(with);
        }
        bytes.truncate(cut.unwrap_or(bytes.len()));
        let whole: Vec<usize> = (0..21)
            .filter(|n| bytes.get(remains.records[*n].clone()) == Some(&remains.bytes[remains.records[*n].clone()]))
            .collect();
        let (_, rows) = recover(&remains, &bytes);
        let mut ids: Vec<RequestId> = rows.iter().map(|r| r.request_id).collect();
        ids.dedup();
        prop_assert_eq!(ids.len(), rows.len());
        prop_assert!(ids.iter().all(|i| (0..11).any(|n| id(n) == *i)));
        prop_assert_eq!(rows, expected(whole.into_iter()));
    }
}
