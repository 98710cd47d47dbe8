//! Requests, read.
use model::{Code, Problem, Prompt};
pub(super) fn read(_body: &str) -> Result<Prompt<'_>, Problem> {
    Err(Problem::new(Code::CannotCarry, "Translation is being written."))
}
