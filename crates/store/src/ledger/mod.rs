//! The ledger database: how a row of a request is kept in SQLite, and how rows are read back, journal included.
//!
//! `schema` has the tables, `names` the words that stand in many rows, `row` turns a `RequestRow` into columns and
//! back, `write` is what the feeder asks of the database, `tail` finds what the journal knows and the database does not, `read` puts both together, `print` writes the
//! contract's JSON lines and CSV. Rows come in through `crate::feeder` only.

pub(crate) mod names;
pub(crate) mod print;
pub(crate) mod read;
pub(crate) mod row;
pub(crate) mod schema;
mod tail;
pub(crate) mod write;
