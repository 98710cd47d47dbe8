//! Whole answers: judged, and turned into the client's dialect where it is another.
//!
//! A success is an answer with something in it. An error inside a 200, a page of HTML and an empty answer are
//! failures here, so that policy may go on to the next step before the client has seen anything.

use crate::classify;
use crate::dialect::{Language, Peek, language};
use crate::json::Reader;
use crate::providers::Row;
use crate::redact;
use crate::unread::Unread;
use bytes::Bytes;
use model::{Answer, Dialect, Failure, FailureKind, Stop, Text, Timestamp, Usage};

/// An answer ready for the client.
#[derive(Clone, Debug, PartialEq)]
pub struct Relayed {
    /// In the client's dialect; the provider's own bytes when it is the same.
    pub body: Bytes,
    /// Tokens, as far as the provider told.
    pub usage: Usage,
    /// Why the model stopped.
    pub stop: Stop,
    /// The model that the provider says it was.
    pub model: Option<String>,
    /// The provider's words beside the stop, such as the explanation of a refusal.
    pub stop_detail: Option<String>,
}

/// Judges a whole answer and gives it the client's form. `at` dates answers whose dialect wants a time and whose
/// provider gave none.
///
/// A refusal or a filtered answer is `Ok` with its stop; policy decides what it means.
pub fn answer(
    client: Dialect,
    provider: Dialect,
    _row: &Row,
    body: Bytes,
    at: Timestamp,
) -> Result<Relayed, Failure> {
    let theirs = language(provider).ok_or_else(|| unspoken(provider))?;
    let text = crate::json::text(&body).map_err(|fault| malformed(&body, fault.what))?;
    let peek = theirs.peek_answer(text).map_err(|fault| malformed(&body, fault.what))?;
    if peek.failed {
        return Err(classify::in_band(provider, text));
    }
    let (stop, usage) = (judge(&peek)?, peek.usage.unwrap_or(Usage::UNKNOWN));
    let owned = |text: &Text<'_>| text.decode().into_owned();
    let (model, detail) = (peek.model.as_ref().map(owned), peek.detail.as_ref().map(owned));
    let stop_detail = detail.map(|said| redact::detail(&said, None));
    let translated = if client == provider { None } else { Some(translate(client, theirs, text, at)?) };
    Ok(Relayed { body: translated.unwrap_or(body), usage, stop, model, stop_detail })
}

/// The stop of an answer with something in it.
fn judge(peek: &Peek<'_>) -> Result<Stop, Failure> {
    if peek.other {
        return Ok(Stop::EndTurn);
    }
    let stop = Peek::honest(peek.stop.unwrap_or(Stop::Other), peek.call, peek.refusal);
    if !peek.content && empty_is_failure(stop) {
        return Err(empty());
    }
    Ok(stop)
}

/// Whether an answer without content is a failure: not when the model was filtered, declined, paused or ran out of
/// room while it thought.
pub(crate) fn empty_is_failure(stop: Stop) -> bool {
    matches!(stop, Stop::EndTurn | Stop::StopSequence | Stop::ToolUse | Stop::Other | Stop::MalformedToolCall)
}

pub(crate) fn empty() -> Failure {
    Failure::new(FailureKind::Empty, "the answer holds neither words nor a tool call")
}

pub(crate) fn unspoken(dialect: Dialect) -> Failure {
    Failure::new(FailureKind::Malformed, format!("the dialect `{dialect}` is not spoken yet"))
}

fn translate(client: Dialect, theirs: &dyn Language, text: &str, at: Timestamp) -> Result<Bytes, Failure> {
    let ours = language(client).ok_or_else(|| unspoken(client))?;
    Ok(Bytes::from(ours.write_answer(&theirs.read_answer(text)?, at)))
}

/// The failure of a body that is not the dialect's.
pub(crate) fn malformed(body: &[u8], what: &str) -> Failure {
    let start = String::from_utf8_lossy(&body[..body.len().min(160)]);
    let shown = redact::detail(&start, None);
    Failure::new(FailureKind::Malformed, format!("the answer {what}; it begins: {shown}"))
}

/// Reads a whole answer into the neutral form: `walk` fills in what its dialect says.
pub(crate) fn read_whole<'a>(
    body: &'a str,
    walk: impl FnOnce(&mut Reader<'a>, &mut Answer<'a>) -> Result<(), Unread>,
) -> Result<Answer<'a>, Failure> {
    let mut answer = Answer {
        id: Text::default(),
        model: Text::default(),
        created: None,
        parts: Vec::new(),
        stop: Stop::Other,
        stop_sequence: None,
        usage: Usage::UNKNOWN,
    };
    let mut reader = Reader::new(body);
    walk(&mut reader, &mut answer).map_err(|unread| match unread {
        Unread::Fault(fault) => malformed(body.as_bytes(), fault.what),
        Unread::Problem(problem) => malformed(body.as_bytes(), &problem.message),
    })?;
    Ok(answer)
}
