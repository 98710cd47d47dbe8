//! Rows in, rows out: through the journal, the database, and both at once.

#![allow(clippy::unwrap_used)]

mod rows;

use model::{End, RequestId, RequestRow, Timestamp};
use rows::{denied, failed, id, intent, second_intent, served};
use std::path::Path;
use std::time::Duration;
use store::{Filter, Options, Store, export, find, recent};

/// Feeds only when told to, so that a test decides what is in the journal and what in the database.
fn by_hand() -> Options {
    Options { feed_every: Duration::from_secs(3600), segment_bytes: 1 << 20, ..Options::default() }
}

fn all(dir: &Path) -> Vec<RequestRow> {
    picked(dir, &Filter::default())
}

fn picked(dir: &Path, filter: &Filter) -> Vec<RequestRow> {
    let mut rows = Vec::new();
    let count = export(dir, filter, &mut |row| {
        rows.push(row.clone());
        Ok(())
    });
    assert_eq!(count.unwrap(), rows.len() as u64);
    rows
}

#[test]
fn a_settled_row_comes_out_as_it_went_in_from_the_journal_and_from_the_database() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &by_hand()).unwrap();
    let rows = [served(1), failed(2), denied(3)];
    store.journal().intend(&intent(1)).unwrap();
    store.journal().intend(&intent(2)).unwrap();
    store.journal().intend(&second_intent(2)).unwrap();
    for row in &rows {
        store.journal().settle(row).unwrap();
    }
    assert_eq!(all(dir.path()), rows);
    store.flush().unwrap();
    assert_eq!(store.state().fed_rows_total, 3);
    assert_eq!(store.state().lag_records, 0);
    assert_eq!(all(dir.path()), rows);
    assert_eq!(find(dir.path(), id(2)).unwrap().as_ref(), Some(&rows[1]));
    assert_eq!(find(dir.path(), id(9)).unwrap(), None);
    store.close().unwrap();
    assert_eq!(all(dir.path()), rows);
}

#[test]
fn a_request_in_flight_is_left_out_while_its_server_runs() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &by_hand()).unwrap();
    store.journal().intend(&intent(1)).unwrap();
    store.journal().settle(&served(2)).unwrap();
    assert_eq!(all(dir.path()), [served(2)]);
    assert_eq!(store.state().open_requests, 1);
    assert_eq!(find(dir.path(), id(1)).unwrap(), None);
    drop(store);
    let unknown = all(dir.path());
    assert_eq!(unknown, [intent(1), served(2)], "no process holds it any more");
    assert_eq!(unknown[0].end, End::Unknown);
    let store = Store::open(dir.path(), &by_hand()).unwrap();
    assert_eq!((store.recovered().rows, store.recovered().unknown), (1, 1));
    assert_eq!(all(dir.path()), [intent(1), served(2)]);
    drop(store);
    let again = Store::open(dir.path(), &by_hand()).unwrap();
    assert_eq!((again.recovered().rows, again.recovered().unknown), (0, 0));
    assert_eq!(all(dir.path()), [intent(1), served(2)]);
}

#[test]
fn filters_pick_by_time_workflow_team_and_end_wherever_a_row_stands() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &by_hand()).unwrap();
    for n in 0..10 {
        store.journal().settle(&served(n)).unwrap();
        if n == 4 {
            store.flush().unwrap();
        }
    }
    store.journal().settle(&failed(10)).unwrap();
    let at = |n: u64| Some(Timestamp(intent(n).at.0));
    let ids = |filter: Filter| picked(dir.path(), &filter).iter().map(|r| r.request_id).collect::<Vec<_>>();
    let range = |n: std::ops::Range<u64>| n.map(id).collect::<Vec<RequestId>>();
    assert_eq!(ids(Filter { since: at(3), until: at(7), ..Filter::default() }), range(3..7));
    assert_eq!(ids(Filter { end: Some(End::Failed), ..Filter::default() }), range(10..11));
    assert_eq!(ids(Filter { workflow: Some("refund-triage".into()), ..Filter::default() }), range(0..10));
    assert_eq!(ids(Filter { workflow: Some("no-such".into()), ..Filter::default() }), range(0..0));
    assert_eq!(ids(Filter { team: Some("support".into()), since: at(9), ..Filter::default() }), range(9..11));
}

#[test]
fn the_latest_rows_come_in_pages_across_journal_and_database() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &by_hand()).unwrap();
    for n in 0..30 {
        store.journal().settle(&served(n)).unwrap();
        if n == 19 {
            store.flush().unwrap();
        }
    }
    let page = |before| recent(dir.path(), 15, before).unwrap();
    let ids = |rows: &[RequestRow]| rows.iter().map(|r| r.request_id).collect::<Vec<_>>();
    let first = page(None);
    assert_eq!(ids(&first), (15..30).rev().map(id).collect::<Vec<_>>());
    let second = page(Some(first[14].request_id));
    assert_eq!(ids(&second), (0..15).rev().map(id).collect::<Vec<_>>());
    assert!(page(Some(second[14].request_id)).is_empty());
}

#[test]
fn an_export_longer_than_a_page_gives_every_row_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &by_hand()).unwrap();
    for n in 0..3000 {
        store.journal().settle(&served(n)).unwrap();
        if n % 700 == 0 {
            store.flush().unwrap();
        }
    }
    let ids: Vec<_> = all(dir.path()).iter().map(|r| r.request_id).collect();
    assert_eq!(ids, (0..3000).map(id).collect::<Vec<_>>());
}

#[test]
fn a_second_server_is_refused_with_the_pid_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let _store = Store::open(dir.path(), &by_hand()).unwrap();
    let refused = Store::open(dir.path(), &by_hand()).err().unwrap().to_string();
    assert!(refused.contains(&format!("pid {}", std::process::id())), "{refused}");
    assert!(refused.contains("data_dir"), "{refused}");
}

#[test]
fn a_directory_without_a_ledger_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let refused = export(dir.path(), &Filter::default(), &mut |_| Ok(())).unwrap_err().to_string();
    assert!(refused.contains("no ledger in"), "{refused}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "asking makes nothing");
}
