//! Errors and lists as clients read them, in their own dialect.

use crate::dialect::{Language, language};
use crate::json::Out;
use bytes::Bytes;
use model::{Dialect, Problem};

/// One entry of the list of models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    /// What the model field takes.
    pub id: String,
    /// Who serves it.
    pub owned_by: String,
    /// Seconds since the epoch.
    pub created: i64,
}

/// A client always speaks a dialect we serve; one without a file of its own yet reads OpenAI's form.
fn client_language(client: Dialect) -> Option<&'static dyn Language> {
    language(client).or_else(|| language(Dialect::OpenAi))
}

fn written(client: Dialect, room: usize, write: impl FnOnce(&dyn Language, &mut Out)) -> Bytes {
    let mut out = Out::with_capacity(room);
    if let Some(language) = client_language(client) {
        write(language, &mut out);
    }
    Bytes::from(out.finish())
}

/// The error body of a dialect, with the stable code in it.
pub fn problem_body(client: Dialect, problem: &Problem, request_id: &str) -> Bytes {
    written(client, 384, |language, out| language.problem(problem, request_id, out))
}

/// The dialect's error inside a stream. The normal terminator never follows it.
pub fn error_event(client: Dialect, problem: &Problem, request_id: &str) -> Bytes {
    written(client, 384, |language, out| language.error_event(problem, request_id, out))
}

/// The list of models in a dialect.
pub fn model_list(client: Dialect, models: &[ModelEntry]) -> Bytes {
    written(client, 64 + models.len() * 128, |language, out| language.model_list(models, out))
}

/// One model of the list.
pub fn model_entry(client: Dialect, model: &ModelEntry) -> Bytes {
    written(client, 160, |language, out| language.model_entry(model, out))
}
