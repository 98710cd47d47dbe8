//! What the journal knows and the database does not yet, seen from any process.
//!
//! The order of looks makes every acknowledged request appear once. Segment files are opened first and stay readable
//! even when the server removes them; then the database says up to where it has read; what stands behind that place is
//! the tail. A segment that is needed and was missed (made and removed in between) shows as a gap, and the looks are
//! taken again.

use super::write;
use crate::StoreError;
use crate::journal::record::{self, Kind};
use crate::journal::segment::{self, Beyond, Place, Reader, START, Source, Step};
use crate::lock::Lock;
use model::{End, RequestId, RequestRow};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// How often the looks are taken again before giving up.
const TRIES: usize = 50;

/// Rows that only the journal has, by id.
#[derive(Default)]
pub(crate) struct Tail {
    sources: BTreeMap<u64, Source>,
    settled: BTreeMap<RequestId, Place>,
    /// In flight when the last process ended. Empty while a process runs: then they are simply not over.
    unknown: BTreeMap<RequestId, Origin>,
}

enum Origin {
    Journal(Place),
    /// The row's bytes, from the database.
    Carried(Vec<u8>),
}

impl Tail {
    /// Takes the looks. `db` is the ledger, opened to read.
    pub(crate) fn of(data_dir: &Path, db: &Connection, db_path: &Path) -> Result<Tail, StoreError> {
        let directory = segment::directory(data_dir);
        for _ in 0..TRIES {
            let served = Lock::is_held(data_dir)?;
            let mut sources = BTreeMap::new();
            open_all(&directory, &mut sources)?;
            let look = db.unchecked_transaction().and_then(|look| {
                let found = (write::cursor(db)?, write::carried(db)?);
                look.commit()?;
                Ok(found)
            });
            let (cursor, carried) = look.map_err(StoreError::db("read the journal's place", db_path))?;
            open_all(&directory, &mut sources)?;
            let first = sources.range(cursor.segment..).next().map(|(sequence, _)| *sequence);
            if served != Lock::is_held(data_dir)? || first.is_some_and(|s| s != cursor.segment) {
                continue;
            }
            let mut tail = Tail { sources, ..Tail::default() };
            tail.walk(&directory, cursor, served)?;
            if !served {
                for (id, row) in carried {
                    if !tail.settled.contains_key(&id) {
                        tail.unknown.entry(id).or_insert(Origin::Carried(row));
                    }
                }
            }
            return Ok(tail);
        }
        Err(StoreError::Damaged {
            path: directory,
            what: "segments that the ledger has not read are missing; start `pointsman serve` once to recover what is \
                   there"
                .to_owned(),
        })
    }

    fn walk(&mut self, directory: &Path, cursor: Place, served: bool) -> Result<(), StoreError> {
        let beyond = if served { Beyond::Stop } else { Beyond::Search };
        let mut window = Vec::new();
        for (sequence, source) in &self.sources {
            if served && *sequence < cursor.segment {
                continue;
            }
            let path = segment::path(directory, *sequence);
            let from = if served && *sequence == cursor.segment { cursor.at } else { START };
            let mut reader = Reader::new(source.clone(), from, beyond, window);
            loop {
                match reader.step().map_err(StoreError::io("read the journal segment", &path))? {
                    Step::Record { at, body, .. } => {
                        let Some(body) = record::split(body) else { continue };
                        let place = Place { segment: *sequence, at };
                        if body.kind == Kind::Settlement {
                            self.unknown.remove(&body.id);
                            if place >= cursor {
                                self.settled.insert(body.id, place);
                            }
                        } else if !served {
                            self.unknown.insert(body.id, Origin::Journal(place));
                        }
                    }
                    Step::Damage { .. } => {}
                    Step::End { .. } => break,
                }
            }
            window = reader.into_window();
        }
        Ok(())
    }

    /// Every id in the tail, in order.
    pub(crate) fn ids(&self) -> Vec<RequestId> {
        let mut ids: Vec<RequestId> = self.settled.keys().chain(self.unknown.keys()).copied().collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Whether the tail has the last word on a request.
    pub(crate) fn has(&self, id: RequestId) -> bool {
        self.settled.contains_key(&id) || self.unknown.contains_key(&id)
    }

    /// The row of a request in the tail. `None` also for a record that this program cannot read.
    pub(crate) fn row(&self, id: RequestId) -> Result<Option<RequestRow>, StoreError> {
        if let Some(place) = self.settled.get(&id) {
            return self.read(*place);
        }
        let row = match self.unknown.get(&id) {
            None => return Ok(None),
            Some(Origin::Journal(place)) => self.read(*place)?,
            Some(Origin::Carried(row)) => record::read(row),
        };
        Ok(row.map(|row| RequestRow { end: End::Unknown, ..row }))
    }

    fn read(&self, place: Place) -> Result<Option<RequestRow>, StoreError> {
        let Some(source) = self.sources.get(&place.segment) else { return Ok(None) };
        let body = Reader::record_at(source, place.at)
            .map_err(StoreError::io("read the journal segment", Path::new("journal")))?;
        Ok(body.and_then(|body| record::read(record::split(&body)?.row)))
    }
}

/// Opens the segments that are not open yet.
fn open_all(directory: &Path, sources: &mut BTreeMap<u64, Source>) -> Result<(), StoreError> {
    for sequence in segment::list(directory)? {
        if sources.contains_key(&sequence) {
            continue;
        }
        let path = segment::path(directory, sequence);
        let file = match File::open(&path) {
            // Removed since it was listed: everything in it is in the database by now.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            other => other.map_err(StoreError::io("read the journal segment", &path))?,
        };
        match Source::open(file, sequence).map_err(StoreError::io("read the journal segment", &path))? {
            Ok(source) => drop(sources.insert(sequence, source)),
            Err(_) => {
                return Err(StoreError::Damaged {
                    path,
                    what: "the header of this journal segment cannot be read; start `pointsman serve` once, it puts \
                           the file aside and keeps the rest"
                        .to_owned(),
                });
            }
        }
    }
    Ok(())
}
