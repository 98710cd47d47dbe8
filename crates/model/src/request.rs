//! What policy may know of a request: facts read from its bytes and headers, never its content.

use crate::{Capabilities, Dialect, Operation};
use std::time::Duration;

/// A request as `plan` sees it. Borrowed: reading it copies nothing.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The client's dialect.
    pub dialect: Dialect,
    /// What is asked.
    pub operation: Operation,
    /// The model field: a workflow, a target or a bare model id.
    pub model: &'a str,
    /// `x-pointsman-workflow`.
    pub workflow: Option<&'a str>,
    /// `x-pointsman-data-class`; may only raise.
    pub data_class: Option<&'a str>,
    /// Whether a stream is wanted.
    pub stream: bool,
    /// What the request needs of a model, as far as its bytes show (tools, pictures, a schema).
    pub needs: Capabilities,
    /// Prompt tokens, estimated from above from the bytes (a quarter of the text's bytes, plus media allowances).
    pub estimated_tokens: u64,
    /// The output limit the client set.
    pub max_output: Option<u64>,
    /// `x-pointsman-deadline-ms`.
    pub deadline: Option<Duration>,
    /// `x-pointsman-session`.
    pub session: Option<&'a str>,
    /// Lower-case names and values for CEL, credentials left out; empty unless a rule asks for headers.
    pub headers: &'a [(&'a str, &'a str)],
    /// Who calls; `None` on loopback while no key exists.
    pub caller: Option<&'a Session>,
}

impl<'a> Request<'a> {
    /// A small plain conversation that names `model`, for decisions that are only looked at.
    pub fn ordinary(model: &'a str) -> Request<'a> {
        Request {
            dialect: Dialect::OpenAi,
            operation: Operation::Chat,
            model,
            workflow: None,
            data_class: None,
            stream: false,
            needs: Capabilities::NONE,
            estimated_tokens: 1000,
            max_output: None,
            deadline: None,
            session: None,
            headers: &[],
            caller: None,
        }
    }
}

/// Who calls, as the key's record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The key's public id.
    pub key_id: std::sync::Arc<str>,
    /// The key's team.
    pub team: std::sync::Arc<str>,
    /// The only workflows the key may call; empty for all of its team's.
    pub workflows: Vec<std::sync::Arc<str>>,
    /// The key's data class; a request's may only raise it.
    pub data_class: Option<std::sync::Arc<str>>,
}
