//! The outer edge: listeners, the table of paths, and the two doors (applications and administration).
//!
//! Nothing here knows what a model is. A request for an operation goes on to `path`.

mod admin;
mod body;
mod door;
mod gather;
pub mod keys;
mod listen;

pub use admin::admin;
pub use body::Body;
pub use door::{Route, application};
pub use gather::{Ungathered, gather};
pub use listen::{Stop, serve};
