//! Streams, written from events: one chunk an event, the usage chunk and `[DONE]` at the end.

use super::{reasons, usage};
use crate::dialect::{Encoder, Finish, Reply};
use crate::json::Out;
use crate::seal;
use model::{Delta, Dialect, Event, PartKind, Text};

/// State between events.
pub(super) struct Writer {
    reply: Reply,
    /// Everything of a chunk before its choices; the same for every chunk of a stream.
    head: String,
    started: bool,
    /// Our parts that are calls, in the order of their indices here.
    calls: Vec<u32>,
    /// Our parts that are refusals or thinking, and the index of the thinking.
    refusals: Vec<u32>,
    thoughts: Vec<u32>,
}

impl Writer {
    pub(super) fn new(reply: Reply) -> Writer {
        let (calls, refusals, thoughts) = (Vec::new(), Vec::new(), Vec::new());
        Writer { reply, head: String::new(), started: false, calls, refusals, thoughts }
    }

    /// Fixes the head of every chunk and tells the role.
    fn start(&mut self, id: &Text<'_>, model: &Text<'_>, out: &mut Out) {
        if self.started {
            return;
        }
        self.started = true;
        let mut head = Out::with_capacity(160);
        head.object().key("id");
        if id.is_empty() {
            head.plain(&self.reply.id)
        } else {
            head.text(id)
        };
        head.key("object").plain("chat.completion.chunk").key("created").signed(self.reply.created);
        head.key("model");
        if model.is_empty() {
            head.plain(&self.reply.model)
        } else {
            head.text(model)
        };
        head.key("choices");
        self.head = String::from_utf8(head.finish()).unwrap_or_default();
        self.delta(out, |out| {
            out.key("role").plain("assistant").key("content").plain("");
        });
    }

    /// One chunk with one delta.
    fn delta(&self, out: &mut Out, write: impl FnOnce(&mut Out)) {
        self.chunk(out, None, write);
    }

    fn chunk(&self, out: &mut Out, reason: Option<&str>, write: impl FnOnce(&mut Out)) {
        out.frame("data: ").frame(&self.head);
        out.array().object().key("index").count(0).key("delta").object();
        write(out);
        out.end_object().key("logprobs").null().key("finish_reason");
        match reason {
            Some(reason) => out.plain(reason),
            None => out.null(),
        };
        out.end_object().end_array();
        if self.reply.asks_usage {
            out.key("usage").null();
        }
        out.end_object().frame("\n\n");
    }

    /// The place of a part among parts of its kind.
    fn place(parts: &[u32], index: u32) -> u64 {
        parts.iter().position(|part| *part == index).unwrap_or(0) as u64
    }

    fn sealed(&self, place: u64, kind: &str, field: &str, dialect: Dialect, seal: &Text<'_>, out: &mut Out) {
        let tag = seal::tag(Dialect::OpenAi, dialect);
        self.delta(out, |out| {
            out.key("reasoning_details").array().object().key("type").plain(kind);
            out.key(field).joined(&[&tag, seal.raw()]).key("index").count(place);
            out.end_object().end_array();
        });
    }
}

impl Encoder for Writer {
    fn event(&mut self, event: &Event<'_>, out: &mut Out) {
        let nothing = Text::default();
        match event {
            Event::Start { id, model } => self.start(id, model, out),
            _ => self.start(&nothing, &nothing, out),
        }
        match event {
            Event::PartStart { index, kind } => match kind {
                PartKind::ToolCall { id, name } => {
                    self.calls.push(*index);
                    let place = self.calls.len() as u64 - 1;
                    self.delta(out, |out| {
                        out.key("tool_calls").array().object().key("index").count(place);
                        out.key("id").text(id).key("type").plain("function").key("function").object();
                        out.key("name").text(name).key("arguments").plain("");
                        out.end_object().end_object().end_array();
                    });
                }
                PartKind::Refusal => self.refusals.push(*index),
                PartKind::Reasoning => self.thoughts.push(*index),
                PartKind::Redacted(dialect, seal) => {
                    self.thoughts.push(*index);
                    let place = self.thoughts.len() as u64 - 1;
                    self.sealed(place, "reasoning.encrypted", "data", *dialect, seal, out);
                }
                PartKind::Text => {}
            },
            Event::PartDelta { index, delta: Delta::Text(text) } if self.thoughts.contains(index) => {
                let place = Self::place(&self.thoughts, *index);
                self.delta(out, |out| {
                    out.key("reasoning_content").text(text);
                    out.key("reasoning_details").array().object().key("type").plain("reasoning.text");
                    out.key("text").text(text).key("index").count(place).end_object().end_array();
                });
            }
            Event::PartDelta { index, delta: Delta::Text(text) } => {
                let key = if self.refusals.contains(index) { "refusal" } else { "content" };
                self.delta(out, |out| {
                    out.key(key).text(text);
                });
            }
            Event::PartDelta { index, delta: Delta::Arguments(text) } => {
                let place = Self::place(&self.calls, *index);
                self.delta(out, |out| {
                    out.key("tool_calls").array().object().key("index").count(place);
                    out.key("function").object().key("arguments").text(text);
                    out.end_object().end_object().end_array();
                });
            }
            Event::PartDelta { index, delta: Delta::Signature(dialect, seal) } => {
                let place = Self::place(&self.thoughts, *index);
                self.sealed(place, "reasoning.text", "signature", *dialect, seal, out);
            }
            _ => {}
        }
    }

    fn finish(&mut self, finish: &Finish<'_>, out: &mut Out) {
        let nothing = Text::default();
        self.start(&nothing, &nothing, out);
        self.chunk(out, Some(reasons::write(finish.stop)), |_| {});
        if self.reply.asks_usage {
            out.frame("data: ").frame(&self.head);
            out.array().end_array().key("usage");
            usage::write(&finish.usage, finish.cost, out);
            out.end_object().frame("\n\n");
        }
        out.frame("data: [DONE]\n\n");
    }
}
