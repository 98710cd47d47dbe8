//! What was found that nobody wrote, and what recovery did about it.

use std::fmt;
use std::path::PathBuf;

/// Bytes of a journal segment that are no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment's file, as it was called.
    pub segment: PathBuf,
    /// Where the damage begins.
    pub from: u64,
    /// Where the next whole record begins, or the file's end.
    pub to: u64,
    /// Where the file was put for inspection.
    pub kept_as: Option<PathBuf>,
    /// What is known of it.
    pub what: &'static str,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, bytes {} to {}: {}", self.segment.display(), self.from, self.to, self.what)?;
        match &self.kept_as {
            Some(path) => write!(f, "; the file is kept as {}, requests in the gap are lost", path.display()),
            None => Ok(()),
        }
    }
}

/// What opening the store found of an earlier process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Settled rows that the ledger had not taken yet.
    pub rows: u64,
    /// Requests in flight when the process ended; now rows with the end `unknown`.
    pub unknown: u64,
    /// Whether the last record was cut, as a power cut leaves it. Nothing acknowledged was in it.
    pub torn: bool,
    /// Damage, which only a failing disk or a stranger's hand makes.
    pub damage: Vec<Damage>,
}
