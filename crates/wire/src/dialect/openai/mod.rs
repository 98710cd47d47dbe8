//! OpenAI Chat Completions, as OpenAI and the servers that call themselves compatible speak it.
//!
//! Requests are read in [`read`] and written in [`mod@write`]; whole answers in [`answer`]; streams in [`decode`] and
//! [`encode`]; [`peek`] looks at bytes that only pass through. Shapes are those of the vendor's own SDK (3.54) with
//! the additions that compatible vendors share: `reasoning_content`, `reasoning`, `reasoning_details`.

mod answer;
mod decode;
mod encode;
mod parts;
mod peek;
mod problem;
mod read;
mod reasons;
mod turns;
mod usage;
mod write;

use super::{Decoder, Encoder, Frame, Language, Peek, Reply, Target};
use crate::json::{Fault, Out};
use crate::problem::ModelEntry;
use crate::send::Uncarried;
use model::{Answer, Failure, Operation, Problem, Prompt, Timestamp};
use std::borrow::Cow;

/// The language.
pub(super) struct OpenAi;

impl Language for OpenAi {
    fn read<'a>(&self, body: &'a str) -> Result<Prompt<'a>, Problem> {
        read::read(body)
    }
    fn write(&self, prompt: &Prompt<'_>, target: Target<'_>) -> Result<Vec<u8>, Uncarried> {
        write::write(prompt, target)
    }
    fn read_answer<'a>(&self, body: &'a str) -> Result<Answer<'a>, Failure> {
        answer::read(body)
    }
    fn write_answer(&self, answer: &Answer<'_>, at: Timestamp) -> Vec<u8> {
        answer::write(answer, at)
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
            // There is no counting here; a count is asked for in the dialects that have it.
            Operation::Chat | Operation::CountTokens => Cow::Borrowed("/chat/completions"),
            Operation::Embed => Cow::Borrowed("/embeddings"),
        }
    }
    fn forwarded(&self) -> &'static [&'static str] {
        &["openai-beta", "http-referer", "x-title"]
    }
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }
    fn problem(&self, problem: &Problem, request_id: &str, out: &mut Out) {
        problem::body(problem, request_id, out);
    }
    fn error_event(&self, problem: &Problem, request_id: &str, out: &mut Out) {
        out.frame("data: ");
        problem::body(problem, request_id, out);
        out.frame("\n\n");
    }
    fn model_list(&self, models: &[ModelEntry], out: &mut Out) {
        problem::model_list(models, out);
    }
    fn model_entry(&self, model: &ModelEntry, out: &mut Out) {
        problem::model_entry(model, out);
    }
}
