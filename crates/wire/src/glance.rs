//! One pass over a request's bytes: everything policy needs, nothing more.
//!
//! This room decides whether a body is a request at all, and reads the few fields that steer it. It never builds a
//! tree and never copies content. The bytes go on untouched to [`crate::send`]; only a translation
//! ([`crate::dialect`]) reads them in full.
//!
//! # The estimate
//!
//! `estimated_tokens` counts a quarter token for every ASCII byte of the body and half a token for every other byte,
//! media left out, and adds for media what the dearest common vendor charges: 2,000 a picture, one token per 500
//! base64 bytes of sound (at least 64), one per 16 base64 bytes of a document (at least 3,000). JSON punctuation is
//! counted as text, which keeps ordinary prose under the estimate.

use crate::fields::{self, Spelling};
use crate::json::{self, Fault, Kind, Reader};
use crate::unread::{Unread, broken, invalid};
use model::{Capabilities, Capability, Code, Dialect, Operation, Problem};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::ops::Range;

/// What one pass over a request body shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Glance<'a> {
    /// The model field, decoded.
    pub model: Cow<'a, str>,
    /// Whether a stream is wanted.
    pub stream: bool,
    /// Whether the client's stream must report usage: it asked, or its dialect always does.
    pub asks_usage: bool,
    /// The output limit the client set.
    pub max_output: Option<u64>,
    /// What the request needs of a model, as far as its bytes show.
    pub needs: Capabilities,
    /// Prompt tokens, estimated from above; the rule stands in the module's head.
    pub estimated_tokens: u64,
    /// Where the model's value stands, quotes included.
    pub(crate) model_at: Range<usize>,
    /// Whether a `stream_options` key stands in the body.
    pub(crate) stream_options: bool,
    /// Whether thinking sealed for another dialect may stand in the history, so that bytes cannot go as they are.
    pub(crate) foreign_seals: bool,
}

/// Reads a request body once.
///
/// Errors are for the client: [`Code::AmbiguousBody`] for a top-level key that stands twice or in another case than
/// the documented one, [`Code::InvalidRequest`] for everything else, with the field where there is one.
pub fn glance(dialect: Dialect, operation: Operation, body: &[u8]) -> Result<Glance<'_>, Problem> {
    let text = json::text(body).map_err(broken)?;
    let mut look = Look::new(dialect);
    look.walk(dialect, operation, text)?;
    Ok(look.finish(operation, text)?)
}

fn ambiguous(key: &str, message: String) -> Unread {
    let mut problem = Problem::new(Code::AmbiguousBody, message);
    problem.field = Some(Cow::Owned(key.to_owned()));
    Unread::Problem(problem)
}

/// The state of one pass.
struct Look<'a> {
    model: Option<Cow<'a, str>>,
    model_at: Range<usize>,
    stream: bool,
    asks_usage: bool,
    max_output: Option<u64>,
    needs: Capabilities,
    stream_options: bool,
    thinking: bool,
    /// Bytes of media, which the estimate of text leaves out.
    media_bytes: usize,
    media_tokens: u64,
    /// Known fields seen, by index of the table.
    seen: u64,
    /// Keys the table does not have.
    unknown: SmallVec<[Cow<'a, str>; 8]>,
    messages: bool,
}

impl<'a> Look<'a> {
    fn new(dialect: Dialect) -> Look<'a> {
        Look {
            model: None,
            model_at: 0..0,
            stream: false,
            asks_usage: dialect != Dialect::OpenAi,
            max_output: None,
            needs: Capabilities::NONE,
            stream_options: false,
            thinking: false,
            media_bytes: 0,
            media_tokens: 0,
            seen: 0,
            unknown: SmallVec::new(),
            messages: false,
        }
    }

    fn walk(&mut self, dialect: Dialect, operation: Operation, text: &'a str) -> Result<(), Unread> {
        let table = fields::known(dialect, operation);
        let mut reader = Reader::new(text);
        if reader.kind()? != Kind::Object {
            return Err(Unread::Fault(Fault { at: reader.at(), what: "is not a JSON object" }));
        }
        reader.object(|key, r| {
            match fields::spelling(table, key) {
                Spelling::Known(index) => {
                    if self.seen >> index & 1 == 1 {
                        let what = format!("The top-level key `{key}` stands twice in the body.");
                        return Err(ambiguous(key, what));
                    }
                    self.seen |= 1 << index;
                }
                Spelling::Unknown => {
                    self.unknown.push(Cow::Owned(key.to_owned()));
                    return Ok(());
                }
                Spelling::Variant(known) => {
                    let what = format!("The key `{key}` differs from the known key `{known}` only in case.");
                    return Err(ambiguous(key, what));
                }
            }
            self.field(key, r)
        })?;
        reader.end()?;
        self.unknown.sort_unstable();
        match self.unknown.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => {
                let what = format!("The top-level key `{}` stands twice in the body.", pair[0]);
                Err(ambiguous(&pair[0], what))
            }
            None => Ok(()),
        }
    }

    /// One known field. What is left unread is checked and stepped over by the reader.
    fn field(&mut self, key: &str, r: &mut Reader<'a>) -> Result<(), Unread> {
        match key {
            "model" => self.model(r)?,
            "stream" => {
                self.stream = flag("stream", r)?.unwrap_or(false);
            }
            "max_tokens" => self.limit("max_tokens", r)?,
            "max_completion_tokens" => self.limit("max_completion_tokens", r)?,
            "stream_options" => {
                self.stream_options = true;
                if r.kind()? == Kind::Object {
                    r.object(|key, r| {
                        if key == "include_usage" && r.kind()? == Kind::Bool {
                            self.asks_usage |= r.value()? == "true";
                        }
                        Ok::<_, Unread>(())
                    })?;
                }
            }
            "messages" => {
                if r.kind()? != Kind::Array {
                    return Err(invalid("messages", "`messages` must be an array."));
                }
                self.messages = true;
                r.array(|_, r| self.message(r))?;
            }
            "tools" if r.kind()? == Kind::Array => {
                let mut any = false;
                r.array(|_, _| {
                    any = true;
                    Ok::<_, Unread>(())
                })?;
                if any {
                    self.needs.insert(Capability::Tools);
                }
            }
            // A plain JSON object is no need: a target without such a mode is asked for one in words.
            "response_format" if self.kind_of(r)?.as_deref() == Some("json_schema") => {
                self.needs.insert(Capability::JsonSchema);
            }
            "output_config" if r.kind()? == Kind::Object => r.object(|key, r| {
                if key == "format" && r.kind()? == Kind::Object {
                    self.needs.insert(Capability::JsonSchema);
                }
                Ok::<_, Unread>(())
            })?,
            "reasoning_effort" if r.kind()? == Kind::String && r.string()? != "none" => {
                self.needs.insert(Capability::Reasoning);
            }
            "thinking" => {
                if let Some("enabled" | "adaptive" | "between_tools") = self.kind_of(r)?.as_deref() {
                    self.needs.insert(Capability::Reasoning);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn model(&mut self, r: &mut Reader<'a>) -> Result<(), Unread> {
        if r.kind()? != Kind::String {
            return Err(invalid("model", "`model` must be a string."));
        }
        let start = r.at();
        let text = r.text()?;
        self.model_at = start..r.at();
        let raw = r.slice(start + 1, r.at() - 1);
        let name =
            if raw.contains('\\') { Cow::Owned(text.decode().into_owned()) } else { Cow::Borrowed(raw) };
        if name.trim().is_empty() {
            return Err(invalid("model", "`model` is empty."));
        }
        self.model = Some(name);
        Ok(())
    }

    /// Either spelling of the output limit; the larger one counts, so that no reservation is too small.
    fn limit(&mut self, field: &'static str, r: &mut Reader<'a>) -> Result<(), Unread> {
        let value = match r.kind()? {
            Kind::Null | Kind::Number => r.count_or_null().ok(),
            _ => None,
        };
        match value {
            Some(limit) => self.max_output = self.max_output.max(limit),
            None => {
                let what = format!("`{field}` must be a whole number that is not negative.");
                return Err(invalid(field, what));
            }
        }
        Ok(())
    }

    /// The `type` of the object that comes next, if it is one.
    fn kind_of(&mut self, r: &mut Reader<'a>) -> Result<Option<Cow<'a, str>>, Unread> {
        let mut kind = None;
        if r.kind()? == Kind::Object {
            r.object(|key, r| {
                if key == "type" && r.kind()? == Kind::String {
                    kind = Some(Cow::Borrowed(r.string()?));
                }
                Ok::<_, Unread>(())
            })?;
        }
        Ok(kind)
    }

    fn message(&mut self, r: &mut Reader<'a>) -> Result<(), Unread> {
        if r.kind()? != Kind::Object {
            return Err(invalid("messages", "Every message must be an object."));
        }
        r.object(|key, r| {
            match key {
                "content" if r.kind()? == Kind::Array => r.array(|_, r| self.part(r))?,
                "reasoning_details" => self.thinking = true,
                _ => {}
            }
            Ok(())
        })
    }

    /// One content part. Media is recognised by the part's type and measured by its bytes, without looking inside.
    fn part(&mut self, r: &mut Reader<'a>) -> Result<(), Unread> {
        if r.kind()? != Kind::Object {
            return Ok(());
        }
        let (start, outer) = (r.at(), self.media_bytes);
        let mut kind = "";
        let mut wordy = false;
        r.object(|key, r| {
            match key {
                "type" if r.kind()? == Kind::String => kind = r.string()?,
                // Tool results hold parts of their own.
                "content" if r.kind()? == Kind::Array => r.array(|_, r| self.part(r))?,
                "source" => wordy = matches!(self.kind_of(r)?.as_deref(), Some("text" | "content")),
                _ => {}
            }
            Ok::<_, Unread>(())
        })?;
        let bytes = r.at() - start;
        let (needs, tokens) = match kind {
            "image_url" | "image" => (Capability::Vision, 2_000),
            "input_audio" => (Capability::Audio, (bytes as u64 / 500).max(64)),
            "file" | "document" if !wordy => (Capability::Pdf, (bytes as u64 / 16).max(3_000)),
            "thinking" | "redacted_thinking" => {
                self.thinking = true;
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.needs.insert(needs);
        self.media_tokens = self.media_tokens.saturating_add(tokens);
        self.media_bytes = outer + bytes;
        Ok(())
    }

    fn finish(self, operation: Operation, text: &'a str) -> Result<Glance<'a>, Unread> {
        let Some(model) = self.model else {
            return Err(invalid("model", "`model` is missing."));
        };
        if operation == Operation::Chat && !self.messages {
            return Err(invalid("messages", "`messages` is missing."));
        }
        let wide = if text.is_ascii() { 0 } else { text.bytes().filter(|b| !b.is_ascii()).count() };
        let bytes = text.len().saturating_sub(self.media_bytes);
        let quarters = bytes as u64 + wide.min(bytes) as u64;
        Ok(Glance {
            model,
            stream: self.stream,
            asks_usage: self.asks_usage,
            max_output: self.max_output,
            needs: self.needs,
            estimated_tokens: quarters.div_ceil(4).saturating_add(self.media_tokens),
            model_at: self.model_at,
            stream_options: self.stream_options,
            foreign_seals: self.thinking && crate::seal::tagged_in(text),
        })
    }
}

fn flag(field: &'static str, r: &mut Reader<'_>) -> Result<Option<bool>, Unread> {
    match r.kind()? {
        Kind::Bool | Kind::Null => Ok(r.bool_or_null()?),
        _ => Err(invalid(field, format!("`{field}` must be true or false."))),
    }
}
