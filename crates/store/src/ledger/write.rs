//! The writing side of `ledger.db`: what the feeder asks of a database, and nothing about journals.
//!
//! Another database is another implementation of these few verbs, behind an enum.

use super::names::Names;
use super::row::{self, Standing};
use super::schema;
use crate::journal::segment::{Place, START};
use crate::{StoreError, sqlite};
use model::{RequestId, RequestRow};
use rusqlite::{Connection, params};
use std::path::{Path, PathBuf};

/// The one writer of the ledger of a data directory.
pub(crate) struct LedgerWriter {
    db: Connection,
    path: PathBuf,
    names: Names,
    scratch: Vec<u8>,
}

impl LedgerWriter {
    pub(crate) fn open(data_dir: &Path) -> Result<LedgerWriter, StoreError> {
        let path = schema::path(data_dir);
        let db = sqlite::open(&path, schema::STEPS)?;
        // A checkpoint copies and flushes every changed page: rarely is cheaper. The WAL stays around 16 MiB.
        db.pragma_update(None, "wal_autocheckpoint", 4096).map_err(StoreError::db("set up", &path))?;
        db.set_prepared_statement_cache_capacity(32);
        Ok(LedgerWriter { db, path, names: Names::default(), scratch: Vec::new() })
    }

    /// How far the journal has been read.
    pub(crate) fn cursor(&self) -> Result<Place, StoreError> {
        self.doing("read the journal's place", cursor(&self.db))
    }

    /// Open requests whose intents were carried here, with their rows' bytes.
    pub(crate) fn carried(&self) -> Result<Vec<(RequestId, Vec<u8>)>, StoreError> {
        self.doing("read open requests", carried(&self.db))
    }

    /// Begins a transaction.
    pub(crate) fn begin(&self) -> Result<(), StoreError> {
        self.run("BEGIN IMMEDIATE")
    }

    /// Ends the transaction; in it the journal's place moves to `cursor`.
    pub(crate) fn commit(&self, cursor: Place) -> Result<(), StoreError> {
        let moved = self
            .db
            .prepare_cached("UPDATE journal_cursor SET segment = ?1, at = ?2")
            .and_then(|mut s| s.execute(params![cursor.segment.cast_signed(), cursor.at.cast_signed()]));
        self.doing("store the journal's place", moved)?;
        self.run("COMMIT")
    }

    /// Gives up the transaction, if one runs.
    pub(crate) fn roll_back(&mut self) {
        self.names.forget();
        if !self.db.is_autocommit() {
            // Should even this fail, the connection's next BEGIN says so.
            let _ = self.run("ROLLBACK");
        }
    }

    /// Writes a settled row; the last word on a request counts.
    pub(crate) fn settle(&mut self, row: &RequestRow) -> Result<(), StoreError> {
        let LedgerWriter { db, names, scratch, .. } = self;
        let done = row::insert(db, names, scratch, row, Standing::Settled);
        self.doing("write rows", done).map(drop)
    }

    /// Writes the row of a request whose end nobody saw, unless it has one. True if it was written.
    pub(crate) fn unknown(&mut self, row: &RequestRow) -> Result<bool, StoreError> {
        let LedgerWriter { db, names, scratch, .. } = self;
        let done = row::insert(db, names, scratch, row, Standing::Unknown);
        self.doing("settle what a crash left open", done)
    }

    /// Keeps the row of an open request whose segment is about to go.
    pub(crate) fn carry(&self, id: RequestId, row: &[u8]) -> Result<(), StoreError> {
        let done = self
            .db
            .prepare_cached("INSERT OR REPLACE INTO open_requests (request_id, row) VALUES (?1, ?2)")
            .and_then(|mut s| s.execute(params![id.0.to_be_bytes(), row]));
        self.doing("carry open requests", done).map(drop)
    }

    /// Drops the kept row of a request that is open no more.
    pub(crate) fn land(&self, id: RequestId) -> Result<(), StoreError> {
        let done = self
            .db
            .prepare_cached("DELETE FROM open_requests WHERE request_id = ?1")
            .and_then(|mut s| s.execute([id.0.to_be_bytes()]));
        self.doing("settle open requests", done).map(drop)
    }

    /// Whether commits from here on are on the disk when they return, with every commit before them. Costs a flush
    /// each; without it a power cut may take the last commits, whose rows the journal still has.
    pub(crate) fn flush_commits(&self, flush: bool) -> Result<(), StoreError> {
        self.run(if flush { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" })
    }

    /// Moves everything into the main file, so that an orderly end leaves one file.
    pub(crate) fn checkpoint(&self) -> Result<(), StoreError> {
        self.doing("checkpoint", self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))
    }

    fn run(&self, sql: &'static str) -> Result<(), StoreError> {
        self.doing("write rows", self.db.execute_batch(sql))
    }

    fn doing<T>(&self, what: &'static str, done: rusqlite::Result<T>) -> Result<T, StoreError> {
        done.map_err(StoreError::db(what, &self.path))
    }
}

/// How far the database has read the journal.
pub(super) fn cursor(db: &Connection) -> rusqlite::Result<Place> {
    db.prepare_cached("SELECT segment, at FROM journal_cursor")?.query_row([], |row| {
        let (segment, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok(Place { segment: segment.cast_unsigned(), at: at.cast_unsigned().max(START) })
    })
}

/// Open requests whose intents were carried into the database.
pub(super) fn carried(db: &Connection) -> rusqlite::Result<Vec<(RequestId, Vec<u8>)>> {
    db.prepare_cached("SELECT request_id, row FROM open_requests")?
        .query_map([], |row| Ok((RequestId(u128::from_be_bytes(row.get(0)?)), row.get(1)?)))?
        .collect()
}
