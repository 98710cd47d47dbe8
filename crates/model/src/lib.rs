//! The words every room shares: ids, money, time, the neutral form of a conversation, failures, ledger rows.
//!
//! Plain data with serde and exact arithmetic. Nothing here reads a clock, opens a socket or decides anything.
//! Bytes become these types in `wire`, decisions over them are taken in `policy`, and `store` remembers them.

mod answer;
mod capability;
mod dialect;
mod event;
mod facts;
mod failure;
mod id;
mod ledger;
mod money;
mod permit;
mod problem;
mod prompt;
mod request;
mod text;
mod time;

pub use answer::{Answer, Stop};
pub use capability::{Capabilities, Capability};
pub use dialect::{Dialect, Operation};
pub use event::{Delta, Event, PartKind};
pub use facts::{CatalogModel, ModelFacts, ProviderPreset};
pub use failure::{Failure, FailureGroup, FailureKind};
pub use id::{RequestId, TargetName};
pub use ledger::{Asked, AttemptRow, End, RequestRow};
pub use money::{Money, MoneyError, Price, Rates, Tier, Usage, cost};
pub use permit::Permit;
pub use problem::{Code, Problem};
pub use prompt::{
    Effort, Form, Json, Media, Part, Prompt, Reasoning, Role, Sampling, Tool, ToolChoice, Turn,
};
pub use request::{Request, Session};
pub use text::Text;
pub use time::{Now, Tick, Timestamp};
