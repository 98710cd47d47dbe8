//! A `RequestRow` as columns of `requests`, and back.

use super::names::{Names, Texts};
use model::{Asked, AttemptRow, Dialect, End, Money, RequestId, RequestRow, Timestamp, Usage};
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, Row, params};
use std::sync::Arc;

/// Format of the blob `rest`; a change keeps the reader of the old one.
const REST: u8 = 1;

/// The columns that [`read`] takes, in its order.
pub(crate) const COLUMNS: &str = "request_id, at, workflow, team, key_id, dialect, stream, data_class, \
    policy_digest, outcome, problem, served_by, cache, cost_nano_usd, input, output, cache_read, cache_write, \
    reasoning, first_token_ms, total_ms, rest";

/// A row that is there twice is replaced: the last word on a request counts.
const SETTLE: &str = "INSERT OR REPLACE INTO requests (request_id, at, workflow, team, key_id, dialect, stream, \
    data_class, policy_digest, outcome, problem, served_by, cache, cost_nano_usd, input, output, cache_read, \
    cache_write, reasoning, first_token_ms, total_ms, rest) VALUES \
    (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)";

/// Whether a row may take the place of one that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A settlement: yes.
    Settled,
    /// Pieced together from an intent after a crash: no.
    Unknown,
}

/// Writes one row in the running transaction. `scratch` is reused memory. False if a row of that id stands and stays.
pub(crate) fn insert(
    db: &Connection,
    names: &mut Names,
    scratch: &mut Vec<u8>,
    row: &RequestRow,
    standing: Standing,
) -> rusqlite::Result<bool> {
    let id = row.request_id.0.to_be_bytes();
    if standing == Standing::Unknown && exists(db, row.request_id)? {
        return Ok(false);
    }
    let mut name = |text: &str| names.number(db, text);
    let workflow = row.workflow.as_deref().map(&mut name).transpose()?;
    let team = row.team.as_deref().map(&mut name).transpose()?;
    let key_id = row.key_id.as_deref().map(&mut name).transpose()?;
    let dialect = name(row.dialect.name())?;
    let data_class = row.data_class.as_deref().map(&mut name).transpose()?;
    let policy_digest = name(&row.policy_digest)?;
    let outcome = name(row.end.name())?;
    let problem = row.problem.as_deref().map(&mut name).transpose()?;
    let served_by = row.served_by.as_deref().map(&mut name).transpose()?;
    let cache = row.cache.as_deref().map(&mut name).transpose()?;
    scratch.clear();
    scratch.push(REST);
    let rest = (&row.attempts, &row.asked, &row.gave_up);
    *scratch = postcard::to_extend(&rest, std::mem::take(scratch)).map_err(unwritable)?;
    db.prepare_cached(SETTLE)?.execute(params![
        id,
        row.at.0,
        workflow,
        team,
        key_id,
        dialect,
        row.stream,
        data_class,
        policy_digest,
        outcome,
        problem,
        served_by,
        cache,
        row.cost_usd.map(|m| m.0),
        count(row.usage.input),
        count(row.usage.output),
        count(row.usage.cache_read),
        count(row.usage.cache_write),
        count(row.usage.reasoning),
        count(row.first_token_ms),
        count(row.total_ms),
        scratch.as_slice(),
    ])?;
    Ok(true)
}

/// Whether a request has a row.
pub(crate) fn exists(db: &Connection, id: RequestId) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM requests WHERE request_id = ?1")?.exists([id.0.to_be_bytes()])
}

/// SQLite's integers are signed; a count beyond them is nobody's real count.
fn count(n: Option<u64>) -> Option<i64> {
    n.map(|n| i64::try_from(n).unwrap_or(i64::MAX))
}

/// Reads one row of [`COLUMNS`].
pub(crate) fn read(db: &Connection, texts: &mut Texts, row: &Row<'_>) -> rusqlite::Result<RequestRow> {
    let mut name = |column: usize| -> rusqlite::Result<Option<Arc<str>>> {
        row.get::<_, Option<i64>>(column)?.map(|number| texts.text(db, number)).transpose()
    };
    let needed = |column: usize, text: Option<Arc<str>>| {
        text.ok_or_else(|| unreadable(column, Type::Integer, "a needed name is missing"))
    };
    let (workflow, team, key_id) = (name(2)?, name(3)?, name(4)?);
    let dialect: Dialect = needed(5, name(5)?)?
        .parse()
        .map_err(|()| unreadable(5, Type::Text, "a dialect that this program does not know"))?;
    let data_class = name(7)?;
    let policy_digest = needed(8, name(8)?)?;
    let end = end(&needed(9, name(9)?)?)
        .ok_or_else(|| unreadable(9, Type::Text, "an end that this program does not know"))?;
    let (problem, served_by, cache) = (name(10)?, name(11)?, name(12)?);
    let (attempts, asked, gave_up) = rest(row.get_ref(21)?)?;
    Ok(RequestRow {
        request_id: RequestId(u128::from_be_bytes(row.get(0)?)),
        at: Timestamp(row.get(1)?),
        workflow,
        team,
        key_id,
        dialect,
        stream: row.get(6)?,
        data_class,
        policy_digest,
        end,
        problem,
        served_by,
        gave_up,
        cache,
        cost_usd: row.get::<_, Option<i64>>(13)?.map(Money),
        usage: Usage {
            input: number(row, 14)?,
            output: number(row, 15)?,
            cache_read: number(row, 16)?,
            cache_write: number(row, 17)?,
            reasoning: number(row, 18)?,
        },
        first_token_ms: number(row, 19)?,
        total_ms: number(row, 20)?,
        attempts,
        asked,
    })
}

/// The end with this name.
pub(crate) fn end(name: &str) -> Option<End> {
    [End::Served, End::Denied, End::Failed, End::ClientLeft, End::Unknown]
        .into_iter()
        .find(|e| e.name() == name)
}

type Rest = (Vec<AttemptRow>, Asked, Vec<Arc<str>>);

fn rest(value: ValueRef<'_>) -> rusqlite::Result<Rest> {
    let parts = value.as_blob().ok().and_then(<[u8]>::split_first);
    match parts {
        Some((&REST, body)) => postcard::from_bytes(body).ok(),
        _ => None,
    }
    .ok_or_else(|| unreadable(21, Type::Blob, "the attempts are damaged or from a later version"))
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(i64::cast_unsigned))
}

fn unreadable(column: usize, kind: Type, why: &'static str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, why.into())
}

fn unwritable(error: postcard::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.to_string().into())
}
