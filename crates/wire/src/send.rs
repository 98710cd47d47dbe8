//! What goes out for one attempt, always afresh from the client's own bytes.
//!
//! In the same dialect the body is cut around the model's value and nothing is copied. In another one the body is
//! read in full and written anew. What a target cannot carry is named and refused; what may be left out without
//! changing the answer stands in one table (`fields`).

use crate::dialect::{Language, Target, language};
use crate::glance::Glance;
use crate::json::Out;
use crate::providers::{Auth, Row};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use model::{Dialect, Operation};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::fmt;

/// A request ready to be sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// To be appended to the provider's base, as [`Row::base`] gives it.
    pub path_and_query: Cow<'static, str>,
    /// Content type, credential (marked sensitive), version and the client's own headers that belong to the dialect.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body in pieces. In the same dialect they are slices of the original around what was replaced.
    pub body: SmallVec<[Bytes; 3]>,
}

impl Outgoing {
    /// Bytes of the whole body.
    pub fn length(&self) -> usize {
        self.body.iter().map(Bytes::len).sum()
    }
}

/// What a target cannot carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncarried {
    /// The part of the request, such as `messages[2].content[0] (input_audio)`.
    pub part: String,
    /// Why, as the end of the sentence "The target cannot take PART: WHY", without a full stop.
    pub why: String,
}

impl Uncarried {
    /// Names a part and why.
    pub fn new(part: impl Into<String>, why: impl Into<String>) -> Uncarried {
        Uncarried { part: part.into(), why: why.into() }
    }
    /// A top-level field of another dialect.
    pub(crate) fn field(name: &str) -> Uncarried {
        let part = if name.is_empty() { "a field without a name" } else { name };
        Uncarried::new(part, "the target's dialect has no place for it")
    }
    pub(crate) fn dialect(dialect: Dialect) -> Uncarried {
        Uncarried::new("the request", format!("the dialect `{dialect}` is not spoken yet"))
    }
}

impl fmt::Display for Uncarried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The target cannot take {}: {}", self.part, self.why)
    }
}

impl std::error::Error for Uncarried {}

/// Makes the request for one attempt.
///
/// `body` and `glance` belong together: the glance was taken of these very bytes. `client_headers` are read through
/// the dialect's allow-list only; credentials, cookies and `x-pointsman-*` never pass.
#[allow(clippy::too_many_arguments)]
pub fn outgoing(
    client: Dialect,
    operation: Operation,
    row: &Row,
    provider_dialect: Dialect,
    model: &str,
    key: Option<&str>,
    body: &Bytes,
    glance: &Glance<'_>,
    client_headers: &HeaderMap,
) -> Result<Outgoing, Uncarried> {
    let theirs = language(provider_dialect).ok_or_else(|| Uncarried::dialect(provider_dialect))?;
    let same = client == provider_dialect;
    let body = if same {
        spliced(client, row, model, body, glance)?
    } else {
        let target = Target { row, model, operation };
        SmallVec::from_iter([Bytes::from(translated(client, theirs, target, body)?)])
    };
    let headers = headers(theirs, row, key, same.then_some(client_headers))?;
    Ok(Outgoing { path_and_query: theirs.path(operation), headers, body })
}

/// The original bytes around the new model name. Usage of a stream is asked for beside it, where it was not.
fn spliced(
    client: Dialect,
    row: &Row,
    model: &str,
    body: &Bytes,
    glance: &Glance<'_>,
) -> Result<SmallVec<[Bytes; 3]>, Uncarried> {
    let mut middle = Out::with_capacity(model.len() + 48);
    middle.plain(model);
    if client == Dialect::OpenAi && adds_usage(row, glance) {
        middle.key("stream_options").object().key("include_usage").bool(true).end_object();
    }
    let (at, middle) = (glance.model_at.clone(), Bytes::from(middle.finish()));
    if !glance.foreign_seals {
        return Ok(SmallVec::from_buf([body.slice(..at.start), middle, body.slice(at.end..)]));
    }
    let broken = |fault: crate::json::Fault| Uncarried::new("the body", fault.what);
    let text = crate::json::text(body).map_err(broken)?;
    let mut edits = crate::unseal::replacements(client, text).map_err(broken)?;
    edits.push((at, middle));
    edits.sort_by_key(|(range, _)| range.start);
    let (mut pieces, mut from) = (SmallVec::new(), 0);
    for (range, replacement) in edits {
        pieces.push(body.slice(from..range.start));
        pieces.push(replacement);
        from = range.end;
    }
    pieces.push(body.slice(from..));
    Ok(pieces)
}

/// Whether the gateway asks for the usage of a stream on its own account.
fn adds_usage(row: &Row, glance: &Glance<'_>) -> bool {
    glance.stream && !glance.asks_usage && !glance.stream_options && row.openai.stream_options
}

fn translated(
    client: Dialect,
    theirs: &dyn Language,
    target: Target<'_>,
    body: &Bytes,
) -> Result<Vec<u8>, Uncarried> {
    if target.operation == Operation::Embed {
        return Err(Uncarried::new(
            "the request",
            "vectors are asked for in the provider's own dialect only",
        ));
    }
    let ours = language(client).ok_or_else(|| Uncarried::dialect(client))?;
    let broken = |what: &str| Uncarried::new("the body", what.to_owned());
    let text = crate::json::text(body).map_err(|fault| broken(fault.what))?;
    let prompt = ours.read(text).map_err(|problem| {
        let part = problem.field.as_deref().unwrap_or("the body").to_owned();
        Uncarried::new(part, problem.message.trim_end_matches('.'))
    })?;
    theirs.write(&prompt, target)
}

fn headers(
    theirs: &dyn Language,
    row: &Row,
    key: Option<&str>,
    client_headers: Option<&HeaderMap>,
) -> Result<Vec<(HeaderName, HeaderValue)>, Uncarried> {
    let mut headers = Vec::with_capacity(6);
    headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    if let Some(key) = key {
        headers.push(credential(row.auth, key)?);
    }
    for name in theirs.forwarded() {
        let values = client_headers.map(|h| h.get_all(*name)).into_iter().flatten();
        headers.extend(values.map(|value| (HeaderName::from_static(name), value.clone())));
    }
    for (name, value) in theirs.headers() {
        let name = HeaderName::from_static(name);
        if !headers.iter().any(|(sent, _)| *sent == name) {
            headers.push((name, HeaderValue::from_static(value)));
        }
    }
    Ok(headers)
}

fn credential(auth: Auth, key: &str) -> Result<(HeaderName, HeaderValue), Uncarried> {
    let (name, value) = match auth {
        Auth::Bearer => {
            let mut value = String::with_capacity(7 + key.len());
            value.push_str("Bearer ");
            value.push_str(key);
            (AUTHORIZATION, HeaderValue::try_from(value))
        }
        Auth::Header(name) => (HeaderName::from_static(name), HeaderValue::try_from(key)),
    };
    let why = "it holds characters that no header can; correct the provider's api_key";
    let mut value = value.map_err(|_| Uncarried::new("the provider's key", why))?;
    value.set_sensitive(true);
    Ok((name, value))
}
