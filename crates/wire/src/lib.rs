//! Bytes to the neutral form and back. No sockets, no clock, no decisions.
//!
//! What enters is a client's request or a provider's answer, as bytes; what leaves is bytes for the other side and
//! the few facts that policy and ledger need. Where both sides speak one dialect the original bytes pass through and
//! only what must change is spliced; otherwise a dialect's reader makes the neutral form of `model` and another
//! dialect's writer turns it into bytes, text still escaped.
//!
//! - [`glance()`]: one pass over a request, for policy.
//! - [`providers`]: one row per vendor.
//! - [`send`]: what goes out for one attempt.
//! - [`answer()`], [`classify()`]: whole answers and errors.
//! - [`stream`]: answers as they arrive.
//! - [`dialect`]: the wire languages, one directory each, behind one trait.
//! - [`problem`]: errors as clients read them.
//! - [`catalog`]: models and prices, as data.

pub mod answer;
pub mod catalog;
pub mod classify;
pub mod dialect;
mod fields;
pub mod glance;
pub mod json;
pub mod problem;
pub mod providers;
mod redact;
mod seal;
pub mod send;
pub mod sse;
pub mod stream;
mod unread;
mod unseal;

pub use answer::{Relayed, answer};
pub use classify::classify;
pub use dialect::{decoder, encoder, read, write};
pub use glance::{Glance, glance};
pub use problem::{ModelEntry, error_event, model_entry, model_list, problem_body};
pub use providers::{Row, plain, row, rows};
pub use send::{Outgoing, Uncarried, outgoing};
pub use stream::{Progress, Relay, RelayOptions};
