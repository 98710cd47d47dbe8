//! `pointsman.yaml`: from text to a checked policy, with every problem reported at once.
//!
//! Two stages. `tree` makes the spanned draft: YAML in which everything knows its place. Then each section's table of
//! keys (`keys`) reads its part of the draft into the one type of that section, in the order in which sections need
//! each other (`load`), and `verify` looks at the whole. The same tables make the JSON Schema and the hints for
//! unknown keys, so a key is described in one row and nowhere else.

mod capabilities;
mod finding;
mod keys;
mod load;
mod models;
mod providers;
mod route;
mod scalar;
mod server;
mod starter;
mod teams;
mod tree;
mod verify;
mod workflows;

pub use finding::{Finding, Severity};
pub use load::{Known, Loaded, load, schema};
pub use scalar::duration;
pub use starter::{from_keys, starter};

pub(crate) use finding::nearest;
pub(crate) use scalar::Written;
