//! The table of keys in `keys.db`.

use super::{KeyInfo, NewKey};
use model::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};

/// The schema, as steps from the first release on. A released step never changes; add one behind it.
pub(super) const STEPS: &[&str] = &["
CREATE TABLE keys (
  id TEXT PRIMARY KEY,
  stored BLOB NOT NULL,
  team TEXT NOT NULL,
  workflows TEXT NOT NULL,
  data_class TEXT,
  name TEXT,
  created INTEGER NOT NULL,
  expires INTEGER,
  revoked INTEGER
) STRICT;
"];

/// A row.
pub(super) struct Record {
    pub(super) info: KeyInfo,
    /// The key's HMAC.
    pub(super) stored: [u8; 32],
}

pub(super) fn insert(db: &Connection, record: &Record) -> rusqlite::Result<()> {
    let Record { info: KeyInfo { id, settings, created, .. }, stored } = record;
    let workflows = serde_json::to_string(&settings.workflows)
        .map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
    db.execute(
        "INSERT INTO keys (id, stored, team, workflows, data_class, name, created, expires) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            id,
            stored,
            settings.team,
            workflows,
            settings.data_class,
            settings.name,
            created.0,
            settings.expires.map(|t| t.0)
        ],
    )?;
    Ok(())
}

/// False if there is no such key or it is revoked already.
pub(super) fn revoke(db: &Connection, id: &str, now: Timestamp) -> rusqlite::Result<bool> {
    let changed =
        db.execute("UPDATE keys SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL", params![id, now.0])?;
    Ok(changed > 0)
}

/// Every key, oldest first.
pub(super) fn all(db: &Connection) -> rusqlite::Result<Vec<Record>> {
    db.prepare_cached(
        "SELECT id, stored, team, workflows, data_class, name, created, expires, revoked \
         FROM keys ORDER BY created, id",
    )?
    .query_map([], record)?
    .collect()
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let workflows: String = row.get(3)?;
    let settings = NewKey {
        team: row.get(2)?,
        workflows: serde_json::from_str(&workflows)
            .map_err(|e| rusqlite::Error::FromSqlConversionFailure(3, Type::Text, e.into()))?,
        data_class: row.get(4)?,
        name: row.get(5)?,
        expires: row.get::<_, Option<i64>>(7)?.map(Timestamp),
    };
    let created = Timestamp(row.get(6)?);
    let revoked = row.get::<_, Option<i64>>(8)?.map(Timestamp);
    Ok(Record { info: KeyInfo { id: row.get(0)?, settings, created, revoked }, stored: row.get(1)? })
}
