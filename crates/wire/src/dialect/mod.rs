//! The wire languages. One directory each; what they share is the trait here and the neutral form of `model`.
//!
//! A language is pure functions over bytes and a decoder and an encoder that carry their own state. Adding one is a
//! directory and a line in [`language`]; nothing else in the crate asks which dialect it is dealing with.

mod anthropic;
mod openai;

use crate::classify::Said;
use crate::json::{Fault, Out};
use crate::problem::ModelEntry;
use crate::providers::Row;
use crate::send::Uncarried;
use model::{
    Answer, Code, Dialect, Event, Failure, Money, Operation, Problem, Prompt, Stop, Text, Timestamp, Usage,
};
use std::borrow::Cow;

/// A frame of a stream, whatever carries it: the event's name (empty where it has none) and its data.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The event's name.
    pub event: &'a str,
    /// Its data, checked to be UTF-8.
    pub data: &'a str,
}

/// What one look at an answer or a frame shows, without reading it in full.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Peek<'a> {
    /// Words, thinking, a refusal or a tool call stand in it.
    pub content: bool,
    /// A tool call stands in it.
    pub call: bool,
    /// Words that decline stand in it.
    pub refusal: bool,
    /// Why the model stopped, where it says so.
    pub stop: Option<Stop>,
    /// The vendor's words beside the stop: an explanation of a refusal, or the reason's own name.
    pub detail: Option<Text<'a>>,
    /// Tokens, where it reports them.
    pub usage: Option<Usage>,
    /// Offset of the usage object's opening brace.
    pub usage_at: Option<usize>,
    /// The model that the vendor says it was.
    pub model: Option<Text<'a>>,
    /// It carries an error in place of an answer.
    pub failed: bool,
    /// It ends the stream by the dialect's own terminator.
    pub end: bool,
    /// Nothing but usage stands in it: a frame that a client who did not ask for usage must not see.
    pub usage_only: bool,
    /// It is an answer of another operation (vectors, a token count), with no stop to judge.
    pub other: bool,
}

impl Peek<'_> {
    /// Some vendors end calls and refusals with the reason of a normal end; neither is one.
    pub fn honest(stop: Stop, call: bool, refusal: bool) -> Stop {
        match stop {
            Stop::EndTurn if refusal => Stop::Refusal,
            Stop::EndTurn if call => Stop::ToolUse,
            stop => stop,
        }
    }
}

/// A target as a writer needs it.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The vendor.
    pub row: &'a Row,
    /// The model's name there.
    pub model: &'a str,
    /// What is asked.
    pub operation: Operation,
}

/// What an encoder must know of the request it answers.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The model as the client asked for it, for frames that come before the vendor names its own.
    pub model: String,
    /// Seconds since the epoch.
    pub created: i64,
    /// Whether usage is reported.
    pub asks_usage: bool,
    /// An id for answers whose vendor gives none.
    pub id: String,
}

/// How a stream ended, for the encoder's last frames.
#[derive(Clone, Debug)]
pub struct Finish<'a> {
    /// Why the model stopped.
    pub stop: Stop,
    /// At which stop sequence.
    pub sequence: Option<Text<'a>>,
    /// Tokens.
    pub usage: Usage,
    /// What it cost, where it is known and the dialect has room.
    pub cost: Option<Money>,
}

/// Reads a stream. Feed it frames; it gives events as the head of `model`'s event module promises them.
pub trait Decoder: Send {
    /// Reads one frame. A fault skips the frame and leaves the decoder as it was before or further.
    fn frame(&mut self, frame: Frame<'_>, sink: &mut dyn FnMut(Event<'_>)) -> Result<(), Fault>;
}

/// Writes a stream. Give it events in a decoder's order; it appends frames.
pub trait Encoder: Send {
    /// Writes what can be written now.
    fn event(&mut self, event: &Event<'_>, out: &mut Out);
    /// Writes the last frames, usage and the dialect's terminator among them.
    fn finish(&mut self, finish: &Finish<'_>, out: &mut Out);
}

/// One wire language.
pub trait Language: Sync {
    /// Reads a request.
    fn read<'a>(&self, body: &'a str) -> Result<Prompt<'a>, Problem>;
    /// Writes a request for a target.
    fn write(&self, prompt: &Prompt<'_>, target: Target<'_>) -> Result<Vec<u8>, Uncarried>;
    /// Reads a whole answer.
    fn read_answer<'a>(&self, body: &'a str) -> Result<Answer<'a>, Failure>;
    /// Writes a whole answer.
    fn write_answer(&self, answer: &Answer<'_>, at: Timestamp) -> Vec<u8>;
    /// A reader of streams.
    fn decoder(&self) -> Box<dyn Decoder>;
    /// A writer of streams.
    fn encoder(&self, reply: Reply) -> Box<dyn Encoder>;
    /// Looks at a whole answer.
    fn peek_answer<'a>(&self, body: &'a str) -> Result<Peek<'a>, Fault>;
    /// Looks at one frame of a stream.
    fn peek_frame<'a>(&self, frame: Frame<'a>) -> Result<Peek<'a>, Fault>;
    /// The path of an operation, behind the base URL.
    fn path(&self, operation: Operation) -> Cow<'static, str>;
    /// Headers of a client that belong to the dialect and go on to a provider of the same dialect, lower case.
    fn forwarded(&self) -> &'static [&'static str];
    /// Headers that every request has, unless the client sent its own.
    fn headers(&self) -> &'static [(&'static str, &'static str)];
    /// Writes an error body.
    fn problem(&self, problem: &Problem, request_id: &str, out: &mut Out);
    /// Writes an error inside a stream, as a frame.
    fn error_event(&self, problem: &Problem, request_id: &str, out: &mut Out);
    /// Writes the list of models.
    fn model_list(&self, models: &[ModelEntry], out: &mut Out);
    /// Writes one model alone.
    fn model_entry(&self, model: &ModelEntry, out: &mut Out);
    /// Brings a later report of usage in the same stream into what is known.
    fn merge_usage(&self, known: &mut Usage, later: &Usage) {
        known.update(later);
    }
    /// Maps a vendor's own error type, before the rules for all.
    fn classify(&self, _said: &Said) -> Option<model::FailureKind> {
        None
    }
}

/// The language of a dialect, `None` for one that this version does not speak yet.
pub fn language(dialect: Dialect) -> Option<&'static dyn Language> {
    match dialect {
        Dialect::OpenAi => Some(&openai::OpenAi),
        Dialect::Anthropic => Some(&anthropic::Anthropic),
        Dialect::Responses | Dialect::Gemini | Dialect::Bedrock | Dialect::Cohere => None,
    }
}

/// Reads a request of a dialect.
pub fn read(dialect: Dialect, body: &[u8]) -> Result<Prompt<'_>, Problem> {
    let unspoken = || Problem::new(Code::NotFound, format!("This gateway does not speak `{dialect}` yet."));
    let language = language(dialect).ok_or_else(unspoken)?;
    language.read(crate::json::text(body).map_err(crate::unread::broken)?)
}

/// Writes a request for a target that speaks a dialect.
pub fn write(dialect: Dialect, prompt: &Prompt<'_>, target: Target<'_>) -> Result<Vec<u8>, Uncarried> {
    language(dialect).ok_or_else(|| Uncarried::dialect(dialect))?.write(prompt, target)
}

/// A reader of a dialect's streams.
pub fn decoder(dialect: Dialect) -> Option<Box<dyn Decoder>> {
    language(dialect).map(|l| l.decoder())
}

/// A writer of a dialect's streams.
pub fn encoder(dialect: Dialect, reply: Reply) -> Option<Box<dyn Encoder>> {
    language(dialect).map(|l| l.encoder(reply))
}
