//! Reading the ledger from any process: beside a running server, after a crash, at rest.
//!
//! Rows come from the database in pages by request id, which is the order of admission, and then from the journal's
//! tail. No page holds a transaction open while its rows are handed out, so a slow reader never holds the server up;
//! a row that moves from the tail into the database meanwhile is known by its id and given once.

use super::names::Texts;
use super::row::{self, COLUMNS};
use super::schema;
use super::tail::Tail;
use crate::{StoreError, sqlite};
use model::{End, RequestId, RequestRow, Timestamp};
use rusqlite::{Connection, params_from_iter};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows read at a time.
const PAGE: usize = 512;
/// How far a request's id, which carries the millisecond it was made in, may stand from the `at` of its row.
const SLACK_MS: i64 = 10 * 60 * 1000;

/// Which rows are wanted. Empty: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Admitted at this time or later.
    pub since: Option<Timestamp>,
    /// Admitted before this time.
    pub until: Option<Timestamp>,
    /// Of this workflow.
    pub workflow: Option<Arc<str>>,
    /// Of this team.
    pub team: Option<Arc<str>>,
    /// That ended so.
    pub end: Option<End>,
}

impl Filter {
    fn admits(&self, row: &RequestRow) -> bool {
        self.since.is_none_or(|since| row.at >= since)
            && self.until.is_none_or(|until| row.at < until)
            && self.workflow.as_ref().is_none_or(|w| row.workflow.as_ref() == Some(w))
            && self.team.as_ref().is_none_or(|t| row.team.as_ref() == Some(t))
            && self.end.is_none_or(|end| row.end == end)
    }

    /// The least id a row of this filter can have, and the first that none can have.
    fn ids(&self) -> (RequestId, Option<RequestId>) {
        let at = |t: Timestamp, slack: i64| {
            let ms = t.0.div_euclid(1000).saturating_add(slack).clamp(0, (1 << 48) - 1);
            RequestId::compose(ms.cast_unsigned(), 0, 0)
        };
        let least = self.since.map_or(RequestId(0), |since| at(since, -SLACK_MS));
        (least, self.until.map(|until| at(until, SLACK_MS)))
    }
}

/// Hands every row that `filter` admits to `each`, oldest first, then those that only the journal has. Returns how many.
/// Requests in flight at a running server are left out; after a crash they come with the end `unknown`.
pub fn export(
    data_dir: &Path,
    filter: &Filter,
    each: &mut dyn FnMut(&RequestRow) -> io::Result<()>,
) -> Result<u64, StoreError> {
    let mut ledger = Ledger::open(data_dir)?;
    let mut count = 0;
    let mut give = |row: &RequestRow| {
        if filter.admits(row) {
            each(row).map_err(StoreError::Sink)?;
            count += 1;
        }
        Ok(())
    };
    let (least, beyond) = filter.ids();
    let mut from = Some(least);
    while let Some(start) = from {
        let page = ledger.page(filter, start, beyond)?;
        from = (page.len() == PAGE).then(|| page.last().map(|row| RequestId(row.request_id.0 + 1))).flatten();
        for row in page.iter().filter(|row| !ledger.tail.has(row.request_id)) {
            give(row)?;
        }
    }
    for id in ledger.tail.ids() {
        if let Some(row) = ledger.tail_row(id)? {
            give(&row)?;
        }
    }
    Ok(count)
}

/// The row of one request.
pub fn find(data_dir: &Path, id: RequestId) -> Result<Option<RequestRow>, StoreError> {
    let mut ledger = Ledger::open(data_dir)?;
    match ledger.tail_row(id)? {
        Some(row) => Ok(Some(row)),
        None => Ok(ledger.select("WHERE request_id = ?1", &[blob(id)])?.pop()),
    }
}

/// The latest `limit` rows by admission, latest first; of those before the request `before`, if one is named.
pub fn recent(
    data_dir: &Path,
    limit: usize,
    before: Option<RequestId>,
) -> Result<Vec<RequestRow>, StoreError> {
    let mut ledger = Ledger::open(data_dir)?;
    let before = before.unwrap_or(RequestId(u128::MAX));
    let mut rows = Vec::new();
    for id in ledger.tail.ids().into_iter().rev().filter(|id| *id < before).take(limit) {
        rows.extend(ledger.tail_row(id)?);
    }
    let limit_sql = i64::try_from(limit.saturating_add(rows.len())).unwrap_or(i64::MAX);
    let page = ledger.select(
        "WHERE request_id < ?1 ORDER BY request_id DESC LIMIT ?2",
        &[blob(before), limit_sql.into()],
    )?;
    rows.extend(page.into_iter().filter(|row| !ledger.tail.has(row.request_id)));
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.request_id));
    rows.truncate(limit);
    Ok(rows)
}

/// A ledger opened to read, with the journal's tail as it was then.
struct Ledger {
    db: Connection,
    path: PathBuf,
    texts: Texts,
    tail: Tail,
}

impl Ledger {
    fn open(data_dir: &Path) -> Result<Ledger, StoreError> {
        let path = schema::path(data_dir);
        let db = sqlite::open_to_read(&path, schema::STEPS)?
            .ok_or_else(|| StoreError::NoLedger { data_dir: data_dir.to_owned() })?;
        let tail = Tail::of(data_dir, &db, &path)?;
        Ok(Ledger { db, path, texts: Texts::default(), tail })
    }

    /// At most [`PAGE`] rows from `start` on, in the order of their ids. May hold rows that the filter does not admit,
    /// never misses one that it does.
    fn page(
        &mut self,
        filter: &Filter,
        start: RequestId,
        beyond: Option<RequestId>,
    ) -> Result<Vec<RequestRow>, StoreError> {
        let mut condition = String::from("WHERE request_id >= ?");
        let mut values = vec![blob(start)];
        let mut also = |sql: &str, value: rusqlite::types::Value| {
            condition.push_str(sql);
            values.push(value);
        };
        if let Some(beyond) = beyond {
            also(" AND request_id < ?", blob(beyond));
        }
        let names = [
            (" AND workflow = (SELECT id FROM names WHERE text = ?)", filter.workflow.as_deref()),
            (" AND team = (SELECT id FROM names WHERE text = ?)", filter.team.as_deref()),
            (" AND outcome = (SELECT id FROM names WHERE text = ?)", filter.end.map(End::name)),
        ];
        for (sql, name) in names {
            if let Some(name) = name {
                also(sql, name.to_owned().into());
            }
        }
        condition.push_str(&format!(" ORDER BY request_id LIMIT {PAGE}"));
        self.select(&condition, &values)
    }

    fn select(
        &mut self,
        condition: &str,
        values: &[rusqlite::types::Value],
    ) -> Result<Vec<RequestRow>, StoreError> {
        let Ledger { db, texts, path, .. } = self;
        let sql = format!("SELECT {COLUMNS} FROM requests {condition}");
        let mut rows = Vec::new();
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = db.prepare_cached(&sql)?;
            let mut found = statement.query(params_from_iter(values))?;
            while let Some(row) = found.next()? {
                rows.push(row::read(db, texts, row)?);
            }
            Ok(())
        };
        read().map_err(StoreError::db("read rows", path))?;
        Ok(rows)
    }

    /// The row of a request that the tail has. An unknown end gives way to a settlement in the database.
    fn tail_row(&mut self, id: RequestId) -> Result<Option<RequestRow>, StoreError> {
        self.tail.row(id)
    }
}

fn blob(id: RequestId) -> rusqlite::types::Value {
    id.0.to_be_bytes().to_vec().into()
}
