//! What the gateway remembers: requests in flight, the ledger of all requests, the keys of its clients.
//!
//! A request passes here twice: [`Journal::intend`] before every dispatch and [`Journal::settle`] before its terminal
//! event, both an append to memory that outlives the process. A thread moves settled rows into an SQLite ledger, where
//! [`export`], [`find`] and [`recent`] read them, from any process and together with what the journal still holds.
//! [`KeyRing`] answers who calls.
//!
//! Nothing here decides anything about a request, and no content of one ever comes in. Start reading at [`Store`], then
//! the module docs of `journal`, `feeder`, `ledger` and `keys`.

mod damage;
mod error;
mod feeder;
mod journal;
mod keys;
mod ledger;
mod lock;
mod recovery;
mod secret_file;
mod sqlite;
mod store;

pub use damage::{Damage, Recovery};
pub use error::{NotDurable, StoreError};
pub use journal::{Journal, JournalState};
pub use keys::{Created, KeyInfo, KeyRefusal, KeyRing, NewKey};
pub use ledger::print::{CSV_HEAD, write_csv, write_json_line};
pub use ledger::read::{Filter, export, find, recent};
pub use secret_file::{admin_token, admin_token_path};
pub use store::{Options, State, Store};

#[cfg(test)]
mod room_tests;
#[cfg(test)]
#[path = "../tests/rows/mod.rs"]
mod rows;
