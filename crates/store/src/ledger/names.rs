//! Words that stand in many rows, each kept once: text to number for the feeder, number to text for readers.

use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;
use std::sync::Arc;

/// The feeder's side: finds or adds.
#[derive(Default)]
pub(crate) struct Names {
    known: HashMap<Box<str>, i64>,
}

/// More texts than this are not kept in memory; the table still finds them.
const KEPT: usize = 65_536;

impl Names {
    /// The number of `text`, added in the running transaction if need be.
    pub(crate) fn number(&mut self, db: &Connection, text: &str) -> rusqlite::Result<i64> {
        if let Some(number) = self.known.get(text) {
            return Ok(*number);
        }
        let found = db
            .prepare_cached("SELECT id FROM names WHERE text = ?1")?
            .query_row([text], |row| row.get(0))
            .optional()?;
        let number = match found {
            Some(number) => number,
            None => {
                db.prepare_cached("INSERT INTO names (text) VALUES (?1)")?.execute([text])?;
                db.last_insert_rowid()
            }
        };
        if self.known.len() >= KEPT {
            self.known.clear();
        }
        self.known.insert(text.into(), number);
        Ok(number)
    }

    /// The transaction that may have added some was rolled back.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }
}

/// A reader's side.
#[derive(Default)]
pub(crate) struct Texts {
    known: HashMap<i64, Arc<str>>,
}

impl Texts {
    /// The text of a number.
    pub(crate) fn text(&mut self, db: &Connection, number: i64) -> rusqlite::Result<Arc<str>> {
        if let Some(text) = self.known.get(&number) {
            return Ok(text.clone());
        }
        let text: Arc<str> = db
            .prepare_cached("SELECT text FROM names WHERE id = ?1")?
            .query_row([number], |row| row.get::<_, String>(0))?
            .into();
        self.known.insert(number, text.clone());
        Ok(text)
    }
}
