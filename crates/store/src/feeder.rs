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
use crate::journal::segment::{self, Beyond, Place, Reader, START, Source, Step};
use crate::ledger::write::LedgerWriter;
use model::{End, RequestId, RequestRow};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Reads the journal, writes the ledger.
pub(crate) struct Feeder {
    ledger: LedgerWriter,
    journal: PathBuf,
    /// Up to here everything is in the database.
    cursor: Place,
    /// Where the last intent of every open request stands.
    open: ById<Place>,
    /// Requests whose intents the database keeps.
    carried: ById<()>,
    batch_rows: usize,
    window: Vec<u8>,
    tally: Tally,
    /// Segments in which something could not be read.
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
        let ledger = LedgerWriter::open(data_dir)?;
        Ok(Feeder {
            cursor: ledger.cursor()?,
            carried: ledger.carried()?.into_iter().map(|(id, _)| (id, ())).collect(),
            ledger,
            journal: segment::directory(data_dir),
            open: ById::default(),
            batch_rows,
            window: Vec::new(),
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
            // What was read is read again: intents and settlements noted in memory are noted once more, to no harm.
            self.ledger.roll_back();
        }
        done
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
                        self.ledger.begin()?;
                    }
                    if !self.take(body, Place { segment, at }, &mut batch)? {
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
    fn take(&mut self, body: &[u8], place: Place, batch: &mut Batch) -> Result<bool, StoreError> {
        let Some(body) = record::split(body) else { return Ok(false) };
        if body.kind == Kind::Intent {
            self.open.insert(body.id, place);
            return Ok(true);
        }
        let Some(row) = record::read(body.row) else { return Ok(false) };
        self.open.remove(&body.id);
        if self.carried.contains_key(&body.id) {
            self.ledger.land(body.id)?;
            batch.landed.push(body.id);
        }
        self.ledger.settle(&row)?;
        batch.rows += 1;
        Ok(true)
    }

    fn commit(&mut self, batch: &mut Batch) -> Result<(), StoreError> {
        self.ledger.commit(batch.upto)?;
        self.cursor = batch.upto;
        self.tally.records += std::mem::take(&mut batch.records);
        self.tally.rows += std::mem::take(&mut batch.rows);
        for id in batch.landed.drain(..) {
            self.carried.remove(&id);
        }
        Ok(())
    }

    /// Removes segments that were read to their end, after making sure that nothing of them is needed any more.
    pub(crate) fn retire(&mut self, sources: &[Source]) -> Result<(), StoreError> {
        if sources.is_empty() {
            return Ok(());
        }
        let cursor = self.cursor;
        let carry = self.durably(cursor, |feeder| {
            let rows = feeder.open_in(sources)?;
            rows.iter().try_for_each(|(id, row)| feeder.ledger.carry(*id, row))?;
            Ok(rows)
        })?;
        self.carried.extend(carry.into_iter().map(|(id, _)| (id, ())));
        sources.iter().try_for_each(|source| self.remove(source.sequence))
    }

    /// Ends what a dead process left: requests still open become rows with the end `unknown`. Then `sources`, all there
    /// are, are removed and the cursor stands at `next`. Returns the number of those rows.
    pub(crate) fn conclude(&mut self, sources: &[Source], next: u64) -> Result<u64, StoreError> {
        let next = Place { segment: next, at: START };
        let unknown = self.durably(next, |feeder| feeder.settle_unknown(sources))?;
        self.cursor = next;
        self.open.clear();
        self.carried.clear();
        self.tally.records = 0;
        sources.iter().try_for_each(|source| self.remove(source.sequence))?;
        Ok(unknown)
    }

    fn settle_unknown(&mut self, sources: &[Source]) -> Result<u64, StoreError> {
        let mut rows = self.open_in(sources)?;
        let carried = self.ledger.carried()?;
        for (id, _) in &carried {
            self.ledger.land(*id)?;
        }
        rows.extend(carried.into_iter().filter(|(id, _)| !self.open.contains_key(id)));
        rows.sort_unstable_by_key(|(id, _)| *id);
        let mut unknown = 0;
        for (_, row) in &rows {
            let Some(row) = record::read(row) else { continue };
            unknown += u64::from(self.ledger.unknown(&RequestRow { end: End::Unknown, ..row })?);
        }
        Ok(unknown)
    }

    /// The open requests whose last intents stand in `sources`, with the bytes of their rows.
    fn open_in(&self, sources: &[Source]) -> Result<Vec<(RequestId, Vec<u8>)>, StoreError> {
        let mut rows = Vec::new();
        for (id, place) in &self.open {
            let Some(source) = sources.iter().find(|s| s.sequence == place.segment) else { continue };
            let path = segment::path(&self.journal, source.sequence);
            let body = Reader::record_at(source, place.at).map_err(reading(&path))?;
            rows.extend(body.as_deref().and_then(record::split).map(|body| (*id, body.row.to_vec())));
        }
        Ok(rows)
    }

    /// Runs `change` in a transaction whose commit is on the disk when this returns, with every commit before it.
    fn durably<T>(
        &mut self,
        cursor: Place,
        change: impl FnOnce(&mut Feeder) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.ledger.flush_commits(true)?;
        let done = self.ledger.begin().and_then(|()| {
            let done = change(self)?;
            self.ledger.commit(cursor)?;
            Ok(done)
        });
        if done.is_err() {
            self.ledger.roll_back();
        }
        self.ledger.flush_commits(false)?;
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

    /// Moves everything into the ledger's main file.
    pub(crate) fn checkpoint(&self) -> Result<(), StoreError> {
        self.ledger.checkpoint()
    }
}

fn reading(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError + '_ {
    StoreError::io("read the journal segment", path)
}
