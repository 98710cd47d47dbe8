//! Moves rows from the journal into the ledger database.
//!
//! Rows and the place up to which the journal was read move in one transaction, so feeding again from the stored place
//! writes nothing twice. A segment is deleted only behind a commit that was flushed to disk; intents of requests that
//! are still open are carried into the database before their segment goes, so one long stream never pins a gigabyte.
//!
//! `recovery` runs this once over what a dead process left; `store` runs it in the background from then on.

use crate::StoreError;
use crate::damage::Damage;
use crate::journal::open::ById;
use crate::journal::record::{self, Kind};
use crate::journal::segment::{self, Beyond, Reader, START, Source, Step};
use crate::ledger::names::Names;
use crate::ledger::row::{self, Standing};
use crate::ledger::schema;
use model::{End, RequestId, RequestRow};
use rusqlite::{Connection, params};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A place in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) segment: u64,
    pub(crate) at: u64,
}

/// The one writer of `ledger.db`.
pub(crate) struct Feeder {
    db: Connection,
    path: PathBuf,
    journal: PathBuf,
    names: Names,
    /// Up to here everything is in the database.
    cursor: Place,
    /// Where the last intent of every open request stands.
    open: ById<Place>,
    /// Requests with a row in `open_requests`.
    carried: ById<()>,
    batch_rows: usize,
    window: Vec<u8>,
    scratch: Vec<u8>,
    tally: Tally,
    damaged: BTreeSet<u64>,
}

/// What a feeder has done since it was opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Records read since the last recovery.
    pub(crate) records: u64,
    /// Settled rows written.
    pub(crate) rows: u64,
    pub(crate) damage: Vec<Damage>,
    /// Whether the last record was cut.
    pub(crate) torn: bool,
}

/// What was read and is not committed.
struct Batch {
    upto: Place,
    records: u64,
    rows: u64,
    /// Carried requests that were settled.
    landed: Vec<RequestId>,
}

impl Feeder {
    pub(crate) fn open(data_dir: &Path, batch_rows: usize) -> Result<Feeder, StoreError> {
        let path = schema::path(data_dir);
        let db = crate::sqlite::open(&path, schema::STEPS)?;
        let fail = |e| StoreError::db("read the journal's place", &path)(e);
        // A checkpoint copies and flushes every changed page: rarely is cheaper. The WAL stays around 16 MiB.
        db.pragma_update(None, "wal_autocheckpoint", 4096).map_err(fail)?;
        db.set_prepared_statement_cache_capacity(32);
        let cursor = cursor(&db).map_err(fail)?;
        let carried = carried(&db).map_err(fail)?.into_iter().map(|(id, _)| (id, ())).collect();
        Ok(Feeder {
            db,
            path,
            journal: segment::directory(data_dir),
            names: Names::default(),
            cursor,
            open: ById::default(),
            carried,
            batch_rows,
            window: Vec::new(),
            scratch: Vec::new(),
            tally: Tally::default(),
            damaged: BTreeSet::new(),
        })
    }

    /// Up to here everything is in the database.
    pub(crate) fn cursor(&self) -> Place {
        self.cursor
    }

    /// What was done so far.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Notes damage that somebody else found.
    pub(crate) fn note(&mut self, damage: Damage) {
        self.tally.damage.push(damage);
    }

    /// Looks at what stands before the cursor for requests that are still open.
    pub(crate) fn remember(&mut self, source: &Source) -> Result<(), StoreError> {
        let path = segment::path(&self.journal, source.sequence);
        let mut reader = Reader::new(source.clone(), START, Beyond::Search, std::mem::take(&mut self.window));
        loop {
            let (at, body) = match reader.step().map_err(reading(&path))? {
                Step::Record { at, body, .. } => (at, body),
                Step::Damage { .. } => continue,
                Step::End { .. } => break,
            };
            let place = Place { segment: source.sequence, at };
            if place >= self.cursor {
                break;
            }
            match record::split(body) {
                Some(body) if body.kind == Kind::Intent => drop(self.open.insert(body.id, place)),
                Some(body) => drop(self.open.remove(&body.id)),
                None => {}
            }
        }
        self.window = reader.into_window();
        Ok(())
    }

    /// Reads everything in `sources` behind the cursor into the database; they begin at the cursor's segment or before.
    /// `torn` is the segment where a crash may have cut the last record, which is then no damage.
    pub(crate) fn feed(&mut self, sources: &[Source], torn: Option<u64>) -> Result<(), StoreError> {
        let done =
            sources.iter().try_for_each(|source| self.feed_segment(source, torn == Some(source.sequence)));
        if done.is_err() {
            self.undo();
        }
        done
    }

    fn undo(&mut self) {
        self.names.forget();
        if !self.db.is_autocommit() {
            // What was read is read again: intents and settlements noted in memory are noted once more, to no harm.
            let _ = self.db.execute_batch("ROLLBACK");
        }
    }

    fn feed_segment(&mut self, source: &Source, may_be_torn: bool) -> Result<(), StoreError> {
        if source.sequence > self.cursor.segment {
            self.cursor = Place { segment: source.sequence, at: START };
        }
        if source.sequence < self.cursor.segment || self.cursor.at >= source.end {
            return Ok(());
        }
        let window = std::mem::take(&mut self.window);
        let mut reader = Reader::new(source.clone(), self.cursor.at, Beyond::Search, window);
        let done = self.feed_records(source, &mut reader, may_be_torn);
        self.window = reader.into_window();
        done
    }

    fn feed_records(
        &mut self,
        source: &Source,
        reader: &mut Reader,
        may_be_torn: bool,
    ) -> Result<(), StoreError> {
        let path = segment::path(&self.journal, source.sequence);
        let segment = source.sequence;
        let mut batch = Batch { upto: self.cursor, records: 0, rows: 0, landed: Vec::new() };
        loop {
            match reader.step().map_err(reading(&path))? {
                Step::Record { at, next, body } => {
                    if batch.records == 0 {
                        self.run("BEGIN IMMEDIATE")?;
                    }
                    let taken = self
                        .take(body, Place { segment, at }, &mut batch)
                        .map_err(StoreError::db("write rows", &self.path))?;
                    if !taken {
                        self.damaged(source, at, next, "a whole record that this program cannot read");
                    }
                    batch.records += 1;
                    batch.upto = Place { segment, at: next };
                    if batch.rows >= self.batch_rows as u64 {
                        self.commit(&mut batch)?;
                    }
                }
                Step::Damage { from, to } => {
                    self.damaged(source, from, to, "damaged bytes; whole records behind them were read");
                }
                Step::End { at, torn } => {
                    self.tally.torn |= torn && may_be_torn;
                    if torn && !may_be_torn {
                        self.damaged(source, at, source.end, "damaged bytes up to the end");
                        batch.upto = Place { segment, at: source.end };
                    }
                    if batch.records > 0 {
                        self.commit(&mut batch)?;
                    }
                    self.cursor = batch.upto;
                    return Ok(());
                }
            }
        }
    }

    /// Takes one record into the running transaction. False if it is of no kind or form that this program knows.
    fn take(&mut self, body: &[u8], place: Place, batch: &mut Batch) -> rusqlite::Result<bool> {
        let Some(body) = record::split(body) else { return Ok(false) };
        if body.kind == Kind::Intent {
            self.open.insert(body.id, place);
            return Ok(true);
        }
        let Some(row) = record::read(body.row) else { return Ok(false) };
        self.open.remove(&body.id);
        if self.carried.contains_key(&body.id) {
            self.db
                .prepare_cached("DELETE FROM open_requests WHERE request_id = ?1")?
                .execute([body.id.0.to_be_bytes()])?;
            batch.landed.push(body.id);
        }
        row::insert(&self.db, &mut self.names, &mut self.scratch, &row, Standing::Settled)?;
        batch.rows += 1;
        Ok(true)
    }

    fn commit(&mut self, batch: &mut Batch) -> Result<(), StoreError> {
        self.store_cursor(batch.upto)?;
        self.run("COMMIT")?;
        self.cursor = batch.upto;
        self.tally.records += std::mem::take(&mut batch.records);
        self.tally.rows += std::mem::take(&mut batch.rows);
        for id in batch.landed.drain(..) {
            self.carried.remove(&id);
        }
        Ok(())
    }

    fn store_cursor(&self, to: Place) -> Result<(), StoreError> {
        self.db
            .prepare_cached("UPDATE journal_cursor SET segment = ?1, at = ?2")
            .and_then(|mut s| s.execute(params![to.segment.cast_signed(), to.at.cast_signed()]))
            .map_err(StoreError::db("store the journal's place", &self.path))?;
        Ok(())
    }

    /// Removes segments that were read to their end, after making sure that nothing of them is needed any more.
    pub(crate) fn retire(&mut self, sources: &[Source]) -> Result<(), StoreError> {
        if sources.is_empty() {
            return Ok(());
        }
        let carry = self.durably(|feeder| feeder.carry(sources))?;
        self.carried.extend(carry.into_iter().map(|id| (id, ())));
        sources.iter().try_for_each(|source| self.remove(source.sequence))
    }

    /// Copies the last intents that stand in `sources` into the database.
    fn carry(&mut self, sources: &[Source]) -> Result<Vec<RequestId>, StoreError> {
        let mut carried = Vec::new();
        for (id, place) in &self.open {
            let Some(source) = sources.iter().find(|s| s.sequence == place.segment) else { continue };
            let Some(row) = self.intent_at(source, *place)? else { continue };
            self.db
                .prepare_cached("INSERT OR REPLACE INTO open_requests (request_id, row) VALUES (?1, ?2)")
                .and_then(|mut s| s.execute(params![id.0.to_be_bytes(), row]))
                .map_err(StoreError::db("carry open requests", &self.path))?;
            carried.push(*id);
        }
        self.store_cursor(self.cursor)?;
        Ok(carried)
    }

    /// The bytes of the row of an intent.
    fn intent_at(&self, source: &Source, place: Place) -> Result<Option<Vec<u8>>, StoreError> {
        let path = segment::path(&self.journal, source.sequence);
        let body = Reader::record_at(source, place.at).map_err(reading(&path))?;
        Ok(body.and_then(|body| Some(record::split(&body)?.row.to_vec())))
    }

    /// Ends what a dead process left: requests still open become rows with the end `unknown`. Then `sources`, all there
    /// are, are removed and the cursor stands at `next`. Returns the number of those rows.
    pub(crate) fn conclude(&mut self, sources: &[Source], next: u64) -> Result<u64, StoreError> {
        let unknown = self.durably(|feeder| feeder.settle_unknown(sources, next))?;
        self.cursor = Place { segment: next, at: START };
        self.open.clear();
        self.carried.clear();
        self.tally.records = 0;
        sources.iter().try_for_each(|source| self.remove(source.sequence))?;
        Ok(unknown)
    }

    fn settle_unknown(&mut self, sources: &[Source], next: u64) -> Result<u64, StoreError> {
        let mut rows: Vec<(RequestId, Vec<u8>)> = Vec::new();
        for (id, place) in &self.open {
            if let Some(source) = sources.iter().find(|s| s.sequence == place.segment)
                && let Some(row) = self.intent_at(source, *place)?
            {
                rows.push((*id, row));
            }
        }
        let fail = |e| StoreError::db("settle what a crash left open", &self.path)(e);
        let carried = carried(&self.db).map_err(fail)?;
        rows.extend(carried.into_iter().filter(|(id, _)| !self.open.contains_key(id)));
        rows.sort_unstable_by_key(|(id, _)| *id);
        let mut unknown = 0;
        for (_, row) in &rows {
            let Some(row) = record::read(row) else { continue };
            let row = RequestRow { end: End::Unknown, ..row };
            let fresh = row::insert(&self.db, &mut self.names, &mut self.scratch, &row, Standing::Unknown)
                .map_err(fail)?;
            unknown += u64::from(fresh);
        }
        self.db.execute("DELETE FROM open_requests", []).map_err(fail)?;
        self.store_cursor(Place { segment: next, at: START })?;
        Ok(unknown)
    }

    /// Runs `change` in a transaction whose commit is on the disk when this returns, with every commit before it.
    fn durably<T>(
        &mut self,
        change: impl FnOnce(&mut Feeder) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.run("PRAGMA synchronous = FULL")?;
        let done = self.run("BEGIN IMMEDIATE").and_then(|()| {
            let done = change(self)?;
            self.run("COMMIT")?;
            Ok(done)
        });
        if done.is_err() {
            self.undo();
        }
        self.run("PRAGMA synchronous = NORMAL")?;
        done
    }

    /// Deletes a segment, or puts it aside if something in it could not be read.
    fn remove(&mut self, sequence: u64) -> Result<(), StoreError> {
        let path = segment::path(&self.journal, sequence);
        if !self.damaged.remove(&sequence) {
            return match fs::remove_file(&path) {
                // By an earlier round, which then failed at another.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
                done => done.map_err(StoreError::io("remove the journal segment", &path)),
            };
        }
        let aside = path.with_extension("seg.bad");
        fs::rename(&path, &aside).map_err(StoreError::io("put aside the damaged journal segment", &path))?;
        for damage in self.tally.damage.iter_mut().filter(|d| d.segment == path) {
            damage.kept_as = Some(aside.clone());
        }
        Ok(())
    }

    fn damaged(&mut self, source: &Source, from: u64, to: u64, what: &'static str) {
        let segment = segment::path(&self.journal, source.sequence);
        self.damaged.insert(source.sequence);
        // What a refused transaction makes this read again is not damaged again.
        if !self.tally.damage.iter().any(|d| d.segment == segment && d.from == from) {
            self.tally.damage.push(Damage { segment, from, to, kept_as: None, what });
        }
    }

    fn run(&self, sql: &'static str) -> Result<(), StoreError> {
        self.db.execute_batch(sql).map_err(StoreError::db("write rows", &self.path))
    }

    /// Moves everything into the main file, so that an orderly end leaves one file.
    pub(crate) fn checkpoint(&self) -> Result<(), StoreError> {
        self.db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(StoreError::db("checkpoint", &self.path))
    }
}

fn reading(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError + '_ {
    StoreError::io("read the journal segment", path)
}

/// How far the database has read the journal.
pub(crate) fn cursor(db: &Connection) -> rusqlite::Result<Place> {
    db.prepare_cached("SELECT segment, at FROM journal_cursor")?.query_row([], |row| {
        let (segment, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok(Place { segment: segment.cast_unsigned(), at: at.cast_unsigned().max(START) })
    })
}

/// Open requests whose intents were carried into the database.
pub(crate) fn carried(db: &Connection) -> rusqlite::Result<Vec<(RequestId, Vec<u8>)>> {
    db.prepare_cached("SELECT request_id, row FROM open_requests")?
        .query_map([], |row| Ok((RequestId(u128::from_be_bytes(row.get(0)?)), row.get(1)?)))?
        .collect()
}
