//! How every SQLite file of the store is opened, and how its schema moves forward.

use crate::StoreError;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// How long a connection waits for another process that writes.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens a database to write, creating it, and brings its schema to the last of `steps`.
pub(crate) fn open(path: &Path, steps: &[&str]) -> Result<Connection, StoreError> {
    let fail = |e| StoreError::db("open the database", path)(e);
    let mut db = Connection::open(path).map_err(fail)?;
    db.busy_timeout(PATIENCE).map_err(fail)?;
    // With WAL, readers and the writer do not wait for each other. NORMAL loses nothing to a killed process; what a
    // power cut must not take, its writer makes durable on its own.
    db.pragma_update(None, "journal_mode", "wal").map_err(fail)?;
    db.pragma_update(None, "synchronous", "normal").map_err(fail)?;
    db.pragma_update(None, "temp_store", "memory").map_err(fail)?;
    migrate(&mut db, path, steps)?;
    Ok(db)
}

/// Opens a database to read beside whoever writes it. `None` if there is none.
pub(crate) fn open_to_read(path: &Path, steps: &[&str]) -> Result<Option<Connection>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    let fail = |e| StoreError::db("open the database", path)(e);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(fail)?;
    db.busy_timeout(PATIENCE).map_err(fail)?;
    match version(&db, path)? {
        0 => Ok(None),
        found if found == steps.len() as i64 => Ok(Some(db)),
        found if found > steps.len() as i64 => Err(newer(path, found, steps)),
        found => Err(StoreError::Damaged {
            path: path.to_owned(),
            what: format!(
                "schema version {found} is older than this program's {}; start `pointsman serve` once to bring it \
                 up to date",
                steps.len()
            ),
        }),
    }
}

/// Applies the steps that the file has not seen, each in a transaction with its version number.
fn migrate(db: &mut Connection, path: &Path, steps: &[&str]) -> Result<(), StoreError> {
    let fail = |e| StoreError::db("bring the schema up to date", path)(e);
    loop {
        let change = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(fail)?;
        let found = version(&change, path)?;
        if found > steps.len() as i64 {
            return Err(newer(path, found, steps));
        }
        let Some(step) = usize::try_from(found).ok().and_then(|n| steps.get(n)) else { return Ok(()) };
        change.execute_batch(step).map_err(fail)?;
        change.pragma_update(None, "user_version", found + 1).map_err(fail)?;
        change.commit().map_err(fail)?;
    }
}

fn version(db: &Connection, path: &Path) -> Result<i64, StoreError> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(StoreError::db("read the schema version", path))
}

fn newer(path: &Path, found: i64, steps: &[&str]) -> StoreError {
    StoreError::Newer { path: path.to_owned(), found, known: steps.len() as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_run_once_and_in_order_and_a_newer_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let one = ["CREATE TABLE t (a)"];
        let two = ["CREATE TABLE t (a)", "ALTER TABLE t ADD COLUMN b"];
        open(&path, &one).unwrap();
        assert!(matches!(open_to_read(&path, &two), Err(StoreError::Damaged { .. })));
        open(&path, &two).unwrap().execute("INSERT INTO t (a, b) VALUES (1, 2)", []).unwrap();
        open(&path, &two).unwrap();
        assert!(matches!(open(&path, &one), Err(StoreError::Newer { found: 2, known: 1, .. })));
        assert!(matches!(open_to_read(&path, &one), Err(StoreError::Newer { .. })));
        assert!(open_to_read(&path, &two).unwrap().is_some());
        assert!(open_to_read(&dir.path().join("none.db"), &two).unwrap().is_none());
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let broken = ["CREATE TABLE t (a)", "CREATE TABLE u (a); CREATE TABLE t (a)"];
        assert!(open(&path, &broken).is_err());
        let db = open(&path, &["CREATE TABLE t (a)"]).unwrap();
        assert_eq!(db.query_row("SELECT count(*) FROM sqlite_master", [], |r| r.get(0)), Ok(1));
    }
}
