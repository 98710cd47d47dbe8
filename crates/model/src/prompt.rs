//! The neutral form of a request: what any dialect can ask, in one shape, borrowed from the bytes it came in.
//!
//! One form so that six dialects cost twelve translations and not thirty-six. What only one dialect can say is kept
//! verbatim ([`Part::Opaque`], [`Prompt::extras`]) and is carried to that dialect or refused, never dropped in silence.

use crate::{Dialect, Text};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;

/// A JSON value kept as the text it was written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json<'a>(Cow<'a, str>);

impl<'a> Json<'a> {
    /// Wraps text that a JSON reader or writer has already checked.
    pub fn checked(text: impl Into<Cow<'a, str>>) -> Json<'a> {
        Json(text.into())
    }
    /// The value's text.
    pub fn raw(&self) -> &str {
        &self.0
    }
    /// The same value, borrowed.
    pub fn borrowed(&self) -> Json<'_> {
        Json(Cow::Borrowed(&self.0))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Json<'a>, D::Error> {
        let raw: &'de serde_json::value::RawValue = Deserialize::deserialize(d)?;
        Ok(Json(Cow::Borrowed(raw.get())))
    }
}

/// A conversation to be continued, with everything that shapes the answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prompt<'a> {
    /// The model field as the client wrote it; a writer puts the target's own name instead.
    pub model: Cow<'a, str>,
    /// Oldest first. System and developer turns stand where the client put them.
    pub turns: Vec<Turn<'a>>,
    /// Tools the model may call.
    pub tools: Vec<Tool<'a>>,
    /// Which of them, `None` for the dialect's default.
    pub tool_choice: Option<ToolChoice<'a>>,
    /// Whether several calls in one answer are allowed, `None` for the dialect's default.
    pub parallel_tools: Option<bool>,
    /// The form the answer must take.
    pub form: Form<'a>,
    /// Sampling and length.
    pub sampling: Sampling<'a>,
    /// Thinking before the answer, `None` for the model's default.
    pub reasoning: Option<Reasoning>,
    /// Whether the client wants a stream.
    pub stream: bool,
    /// Whether the client asked for usage in its stream (dialects that always send it set this).
    pub stream_usage: bool,
    /// The application's own user id.
    pub user: Option<Text<'a>>,
    /// Top-level fields that have no neutral form, by name, with the dialect that said them.
    pub extras: Vec<(Cow<'a, str>, Json<'a>)>,
    /// The dialect the extras and opaque parts are written in.
    pub said_in: Option<Dialect>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions of the operator.
    System,
    /// Instructions of the application, where the dialect tells them apart.
    Developer,
    /// The person or the application; tool results are parts of a user turn.
    User,
    /// The model.
    Assistant,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn<'a> {
    /// Who speaks.
    pub role: Role,
    /// The speaker's name, where the dialect has one.
    pub name: Option<Text<'a>>,
    /// What is said, in order.
    pub parts: Vec<Part<'a>>,
}

/// A piece of a turn or of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Part<'a> {
    /// Words.
    Text(Text<'a>),
    /// A picture.
    Image {
        /// Where it is.
        source: Media<'a>,
        /// The detail asked for (`low`, `high`, `auto`).
        detail: Option<Text<'a>>,
    },
    /// Sound.
    Audio(Media<'a>),
    /// A document such as a PDF.
    Document {
        /// Where it is.
        source: Media<'a>,
        /// Its file name or title.
        name: Option<Text<'a>>,
    },
    /// Thinking that the client may see.
    Reasoning {
        /// The words; empty where the vendor hides them.
        text: Text<'a>,
        /// The vendor's seal over them, replayed byte for byte and only to the dialect that issued it.
        signature: Option<(Dialect, Text<'a>)>,
    },
    /// Thinking that only the vendor can read, with the dialect that issued it.
    Redacted(Dialect, Text<'a>),
    /// The model calls a tool.
    ToolCall {
        /// The vendor's id of the call.
        id: Text<'a>,
        /// The tool.
        name: Text<'a>,
        /// A JSON object, `{}` when there are no arguments.
        arguments: Json<'a>,
    },
    /// The tool answers.
    ToolResult {
        /// The call it answers.
        id: Text<'a>,
        /// The tool's name, where the dialect repeats it.
        name: Option<Text<'a>>,
        /// What it answered.
        content: Vec<Part<'a>>,
        /// Whether the tool failed.
        error: bool,
    },
    /// The model declines, in words meant for the person.
    Refusal(Text<'a>),
    /// All before this point may be cached at the vendor, with the lifetime asked for (`5m`, `1h`).
    CacheMark(Option<Text<'a>>),
    /// A part that only the dialect it was said in can carry, with its type for the error that refuses it.
    Opaque {
        /// The part's own name for its kind, such as `server_tool_use`.
        kind: Cow<'a, str>,
        /// The whole part as it stood.
        json: Json<'a>,
    },
}

/// Where a picture, sound or document is.
#[derive(Clone, Debug, PartialEq)]
pub enum Media<'a> {
    /// At an address the vendor fetches.
    Url(Text<'a>),
    /// In the request, base64.
    Inline {
        /// Its media type, such as `image/png`.
        mime: Text<'a>,
        /// Base64 characters.
        data: Text<'a>,
    },
    /// At the vendor, under a file id; bound to one account.
    File(Text<'a>),
    /// In the request, as plain characters (documents only).
    Words(Text<'a>),
}

/// A tool the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool<'a> {
    /// Its name.
    pub name: Text<'a>,
    /// What it does.
    pub description: Option<Text<'a>>,
    /// JSON Schema of its arguments.
    pub schema: Option<Json<'a>>,
    /// Whether the vendor must hold the arguments to the schema.
    pub strict: Option<bool>,
    /// Whether a cache mark stands behind it.
    pub cache_mark: bool,
}

/// Which tool must be called.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolChoice<'a> {
    /// The model decides.
    Auto,
    /// None may be called.
    Never,
    /// At least one must be.
    Any,
    /// This one must be.
    Named(Text<'a>),
}

/// The form of the answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Form<'a> {
    /// Free text.
    #[default]
    Text,
    /// Any JSON object.
    Json,
    /// JSON that fits a schema.
    Schema {
        /// The schema's name.
        name: Option<Text<'a>>,
        /// What it is for.
        description: Option<Text<'a>>,
        /// The JSON Schema.
        schema: Json<'a>,
        /// Whether the vendor must hold the answer to it.
        strict: Option<bool>,
    },
}

/// Sampling and length. Numbers are kept as they were written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling<'a> {
    /// Most tokens of the answer, thinking included.
    pub max_output: Option<u64>,
    /// As written.
    pub temperature: Option<Json<'a>>,
    /// As written.
    pub top_p: Option<Json<'a>>,
    /// As written.
    pub top_k: Option<Json<'a>>,
    /// As written.
    pub seed: Option<Json<'a>>,
    /// As written.
    pub frequency_penalty: Option<Json<'a>>,
    /// As written.
    pub presence_penalty: Option<Json<'a>>,
    /// Sequences that end the answer.
    pub stop: Vec<Text<'a>>,
}

/// Thinking before the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reasoning {
    /// None.
    Off,
    /// As much as the model sees fit.
    Adaptive,
    /// A level.
    Effort(Effort),
    /// At most so many tokens.
    Budget(u64),
}

/// A level of thinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Effort {
    Minimal,
    Low,
    Medium,
    High,
    Max,
}
