//! Anthropic Messages.
//!
//! Requests are read in [`read`] and written in [`mod@write`]; whole answers in [`answer`]; streams in [`decode`] and
//! [`encode`]; [`peek`] looks at bytes that only pass through. Shapes are those of the vendor's own SDK (2.12).

mod answer;
mod blocks;
mod decode;
mod encode;
mod models;
mod peek;
mod problem;
mod read;
mod reasons;
mod schema;
mod turns;
mod usage;
mod write;

use super::{Decoder, Encoder, Frame, Language, Peek, Reply, Target};
use crate::json::{Fault, Out};
use crate::problem::ModelEntry;
use crate::send::Uncarried;
use model::{Answer, Failure, Operation, Problem, Prompt, Timestamp, Usage};
use std::borrow::Cow;

/// The language.
pub(super) struct Anthropic;

impl Language for Anthropic {
    fn read<'a>(&self, body: &'a str) -> Result<Prompt<'a>, Problem> {
        read::read(body)
    }
    fn write(&self, prompt: &Prompt<'_>, target: Target<'_>) -> Result<Vec<u8>, Uncarried> {
        write::write(prompt, target)
    }
    fn read_answer<'a>(&self, body: &'a str) -> Result<Answer<'a>, Failure> {
        answer::read(body)
    }
    fn write_answer(&self, answer: &Answer<'_>, _at: Timestamp) -> Vec<u8> {
        answer::write(answer)
    }
    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(decode::Reader::default())
    }
    fn encoder(&self, reply: Reply) -> Box<dyn Encoder> {
        Box::new(encode::Writer::new(reply))
    }
    fn peek_answer<'a>(&self, body: &'a str) -> Result<Peek<'a>, Fault> {
        peek::answer(body)
    }
    fn peek_frame<'a>(&self, frame: Frame<'a>) -> Result<Peek<'a>, Fault> {
        peek::frame(frame)
    }
    fn path(&self, operation: Operation) -> Cow<'static, str> {
        match operation {
            Operation::Chat | Operation::Embed => Cow::Borrowed("/v1/messages"),
            Operation::CountTokens => Cow::Borrowed("/v1/messages/count_tokens"),
        }
    }
    fn forwarded(&self) -> &'static [&'static str] {
        &["anthropic-version", "anthropic-beta"]
    }
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", "2023-06-01")]
    }
    fn problem(&self, problem: &Problem, request_id: &str, out: &mut Out) {
        problem::body(problem, request_id, out);
    }
    fn error_event(&self, problem: &Problem, request_id: &str, out: &mut Out) {
        out.frame("event: error\ndata: ");
        problem::body(problem, request_id, out);
        out.frame("\n\n");
    }
    fn merge_usage(&self, known: &mut Usage, later: &Usage) {
        usage::merge(known, later);
    }
    fn model_list(&self, models: &[ModelEntry], out: &mut Out) {
        problem::model_list(models, out);
    }
    fn model_entry(&self, model: &ModelEntry, out: &mut Out) {
        problem::model_entry(model, out);
    }
}
