//! Requests, written.
use crate::dialect::Target;
use crate::send::Uncarried;
use model::Prompt;
pub(super) fn write(_prompt: &Prompt<'_>, _target: Target<'_>) -> Result<Vec<u8>, Uncarried> {
    Err(Uncarried::new("the request", "translation is being written"))
}
