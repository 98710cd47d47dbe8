//! Streams, written from events: `message_start`, blocks one after another, `message_delta`, `message_stop`.
//!
//! Blocks of this dialect never interleave. Parts that do (parallel calls of other dialects) wait for the one before
//! them to end.

use super::{answer, usage};
use crate::dialect::{Encoder, Finish, Reply};
use crate::json::Out;
use model::{Delta, Event, PartKind, Text, Usage};

/// State between events.
pub(super) struct Writer {
    reply: Reply,
    started: bool,
    /// Index of the next block.
    next: u64,
    /// The part whose block is open.
    open: Option<Open>,
    /// Parts that wait for the open one to end.
    waiting: Vec<Waiting>,
    /// The words of a refusal, for the details of the stop.
    refusal: Option<Text<'static>>,
}

struct Open {
    part: u32,
    shape: Shape,
    sealed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Refusal,
    Thinking,
    Redacted,
    Call,
}

struct Waiting {
    part: u32,
    events: Vec<Event<'static>>,
    ended: bool,
}

impl Writer {
    pub(super) fn new(reply: Reply) -> Writer {
        Writer { reply, started: false, next: 0, open: None, waiting: Vec::new(), refusal: None }
    }

    fn start(&mut self, id: &Text<'_>, model: &Text<'_>, out: &mut Out) {
        if self.started {
            return;
        }
        self.started = true;
        out.frame("event: message_start\ndata: ").object().key("type").plain("message_start");
        out.key("message").object().key("id");
        if id.is_empty() {
            out.plain(&self.reply.id)
        } else {
            out.text(id)
        };
        out.key("type").plain("message").key("role").plain("assistant").key("model");
        if model.is_empty() {
            out.plain(&self.reply.model)
        } else {
            out.text(model)
        };
        out.key("content").array().end_array().key("stop_reason").null().key("stop_sequence").null();
        // Numbers are required here and not known yet; the final event tells them.
        out.key("usage");
        usage::write(&Usage::UNKNOWN, None, out);
        out.end_object().end_object().frame("\n\n");
    }

    fn begin(&mut self, part: u32, kind: &PartKind<'_>, out: &mut Out) {
        let index = self.next;
        self.next += 1;
        out.frame("event: content_block_start\ndata: ").object().key("type").plain("content_block_start");
        out.key("index").count(index).key("content_block").object().key("type");
        let shape = match kind {
            PartKind::Text | PartKind::Refusal => {
                out.plain("text").key("text").plain("");
                if *kind == PartKind::Text { Shape::Text } else { Shape::Refusal }
            }
            PartKind::Reasoning => {
                out.plain("thinking").key("thinking").plain("").key("signature").plain("");
                Shape::Thinking
            }
            PartKind::Redacted(dialect, data) => {
                out.plain("redacted_thinking").key("data").escaped(&answer::outward(Some((*dialect, data))));
                Shape::Redacted
            }
            PartKind::ToolCall { id, name } => {
                out.plain("tool_use").key("id").text(id).key("name").text(name).key("input").raw("{}");
                Shape::Call
            }
        };
        out.end_object().end_object().frame("\n\n");
        self.open = Some(Open { part, shape, sealed: false });
    }

    fn delta(&mut self, delta: &Delta<'_>, out: &mut Out) {
        let Some(open) = &mut self.open else { return };
        let index = self.next - 1;
        out.frame("event: content_block_delta\ndata: ").object().key("type").plain("content_block_delta");
        out.key("index").count(index).key("delta").object().key("type");
        match delta {
            Delta::Text(text) if open.shape == Shape::Thinking => {
                out.plain("thinking_delta").key("thinking").text(text);
            }
            Delta::Text(text) => {
                if open.shape == Shape::Refusal {
                    self.refusal.get_or_insert_default().push(text);
                }
                out.plain("text_delta").key("text").text(text);
            }
            Delta::Arguments(text) => {
                out.plain("input_json_delta").key("partial_json").text(text);
            }
            Delta::Signature(dialect, seal) => {
                open.sealed = true;
                let signature = answer::outward(Some((*dialect, seal)));
                out.plain("signature_delta").key("signature").escaped(&signature);
            }
        }
        out.end_object().end_object().frame("\n\n");
    }

    fn end(&mut self, out: &mut Out) {
        let Some(open) = &self.open else { return };
        if open.shape == Shape::Thinking && !open.sealed {
            let index = self.next - 1;
            out.frame("event: content_block_delta\ndata: ").object();
            out.key("type").plain("content_block_delta").key("index").count(index);
            out.key("delta").object().key("type").plain("signature_delta");
            out.key("signature").escaped(&answer::outward(None)).end_object().end_object().frame("\n\n");
        }
        self.open = None;
        out.frame("event: content_block_stop\ndata: ").object().key("type").plain("content_block_stop");
        out.key("index").count(self.next - 1).end_object().frame("\n\n");
    }

    /// Writes an event of the part that is open, or keeps it until its turn comes.
    fn place(&mut self, part: u32, event: &Event<'_>, out: &mut Out) {
        match &self.open {
            Some(open) if open.part != part => return self.wait(part, event),
            _ => {}
        }
        match event {
            Event::PartStart { kind, .. } => self.begin(part, kind, out),
            Event::PartDelta { delta, .. } => self.delta(delta, out),
            Event::PartEnd { .. } => {
                self.end(out);
                self.release(out);
            }
            _ => {}
        }
    }

    fn wait(&mut self, part: u32, event: &Event<'_>) {
        let at = self.waiting.iter().position(|w| w.part == part).unwrap_or_else(|| {
            self.waiting.push(Waiting { part, events: Vec::new(), ended: false });
            self.waiting.len() - 1
        });
        let waiting = &mut self.waiting[at];
        waiting.ended |= matches!(event, Event::PartEnd { .. });
        waiting.events.extend(owned(event));
    }

    /// The next waiting part takes the place of the one that ended; whole ones pass at once.
    fn release(&mut self, out: &mut Out) {
        while !self.waiting.is_empty() {
            let Waiting { part, events, ended } = self.waiting.remove(0);
            for event in &events {
                match event {
                    Event::PartStart { kind, .. } => self.begin(part, kind, out),
                    Event::PartDelta { delta, .. } => self.delta(delta, out),
                    _ => {}
                }
            }
            if !ended {
                return;
            }
            self.end(out);
        }
    }
}

/// The event freed from the frame it was read from.
fn owned(event: &Event<'_>) -> Option<Event<'static>> {
    let free = |text: &Text<'_>| text.borrowed().into_owned();
    Some(match event {
        Event::PartStart { index, kind } => Event::PartStart {
            index: *index,
            kind: match kind {
                PartKind::Text => PartKind::Text,
                PartKind::Reasoning => PartKind::Reasoning,
                PartKind::Refusal => PartKind::Refusal,
                PartKind::Redacted(dialect, data) => PartKind::Redacted(*dialect, free(data)),
                PartKind::ToolCall { id, name } => PartKind::ToolCall { id: free(id), name: free(name) },
            },
        },
        Event::PartDelta { index, delta } => Event::PartDelta {
            index: *index,
            delta: match delta {
                Delta::Text(text) => Delta::Text(free(text)),
                Delta::Arguments(text) => Delta::Arguments(free(text)),
                Delta::Signature(dialect, seal) => Delta::Signature(*dialect, free(seal)),
            },
        },
        Event::PartEnd { index } => Event::PartEnd { index: *index },
        _ => return None,
    })
}

impl Encoder for Writer {
    fn event(&mut self, event: &Event<'_>, out: &mut Out) {
        let nothing = Text::default();
        match event {
            Event::Start { id, model } => self.start(id, model, out),
            _ => self.start(&nothing, &nothing, out),
        }
        match event {
            Event::PartStart { index, .. } | Event::PartDelta { index, .. } | Event::PartEnd { index } => {
                self.place(*index, event, out);
            }
            _ => {}
        }
    }

    fn finish(&mut self, finish: &Finish<'_>, out: &mut Out) {
        let nothing = Text::default();
        self.start(&nothing, &nothing, out);
        self.end(out);
        self.release(out);
        self.end(out);
        out.frame("event: message_delta\ndata: ").object().key("type").plain("message_delta");
        out.key("delta").object();
        answer::stop(finish.stop, finish.sequence.as_ref(), out);
        if let Some(words) = &self.refusal {
            out.key("stop_details").object().key("type").plain("refusal");
            out.key("category").null().key("explanation").text(words).end_object();
        }
        out.end_object().key("usage");
        usage::write(&finish.usage, finish.cost, out);
        out.end_object().frame("\n\n");
        out.frame("event: message_stop\ndata: ").object().key("type").plain("message_stop");
        out.end_object().frame("\n\n");
    }
}
