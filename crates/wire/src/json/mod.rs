//! JSON as bytes: a strict one-pass reader that borrows, and a writer that never re-escapes.
//!
//! No tree is ever built. Readers walk the text once and keep slices of it; what nobody asks for is checked and
//! stepped over. Everything that enters this crate as JSON comes through here, so policy and translation cannot
//! read the same bytes differently.

mod read;
mod run;
mod write;

pub use read::{Fault, Kind, MAX_DEPTH, Reader, text};
pub use write::Out;
