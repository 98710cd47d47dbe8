//! Streams, read into events. The dialect has parts already; they are renumbered in order of first appearance.

use super::{peek, reasons, usage};
use crate::classify;
use crate::dialect::{Decoder, Frame};
use crate::json::{Fault, Kind, Reader as Json};
use crate::seal;
use model::{Delta, Dialect, Event, Failure, FailureKind, PartKind, Stop, Text, Usage};

/// State between frames.
#[derive(Default)]
pub(super) struct Reader {
    started: bool,
    ended: bool,
    stopped: bool,
    next: u32,
    open: Vec<Block>,
    usage: Usage,
}

/// An open block: the vendor's index, our part, and what an empty end means for it.
struct Block {
    vendor: u64,
    part: u32,
    call: bool,
    arguments: bool,
}

/// One frame's fields, whatever its type.
#[derive(Default)]
struct Fields<'a> {
    kind: &'a str,
    index: u64,
    id: Text<'a>,
    model: Text<'a>,
    usage: Option<Usage>,
    reason: Option<&'a str>,
    sequence: Option<Text<'a>>,
    explanation: Option<Text<'a>>,
    block: Inside<'a>,
    delta: Inside<'a>,
}

/// The fields of a block that begins, or of a delta.
#[derive(Default)]
struct Inside<'a> {
    kind: &'a str,
    text: Text<'a>,
    seal: Text<'a>,
    id: Text<'a>,
    name: Text<'a>,
    json: Text<'a>,
    input: Option<&'a str>,
}

type Sink<'s> = &'s mut dyn FnMut(Event<'_>);

impl Decoder for Reader {
    fn frame(&mut self, frame: Frame<'_>, sink: Sink<'_>) -> Result<(), Fault> {
        if self.ended {
            return Ok(());
        }
        let mut fields = Fields::default();
        let failed = read(frame, &mut fields)?;
        if failed {
            self.ended = true;
            sink(Event::Failed(classify::in_band(Dialect::Anthropic, frame.data)));
            return Ok(());
        }
        match fields.kind {
            "message_start" if !self.started => {
                self.started = true;
                sink(Event::Start { id: fields.id, model: fields.model });
                self.report(fields.usage, sink);
            }
            "content_block_start" => self.begin(fields.index, fields.block, sink),
            "content_block_delta" => self.grow(fields.index, fields.delta, sink),
            "content_block_stop" => {
                if let Some(at) = self.open.iter().position(|block| block.vendor == fields.index) {
                    let block = self.open.remove(at);
                    end(block, sink);
                }
            }
            "message_delta" => {
                self.report(fields.usage, sink);
                if let (Some(reason), false) = (fields.reason, self.stopped) {
                    self.stop(reasons::read(reason), fields.sequence, fields.explanation, sink);
                }
            }
            "message_stop" => {
                self.ended = true;
                self.open.drain(..).for_each(|block| end(block, sink));
                sink(Event::End);
            }
            // Pings, and events of versions to come, which the vendor asks readers to pass over.
            _ => {}
        }
        Ok(())
    }
}

/// A call without arguments has an empty object of them, and only at its end is that known.
fn end(block: Block, sink: Sink<'_>) {
    if block.call && !block.arguments {
        sink(Event::PartDelta { index: block.part, delta: Delta::Arguments(Text::plain("{}")) });
    }
    sink(Event::PartEnd { index: block.part });
}

impl Reader {
    fn report(&mut self, usage: Option<Usage>, sink: Sink<'_>) {
        if let Some(later) = usage {
            usage::merge(&mut self.usage, &later);
            sink(Event::Usage(self.usage));
        }
    }

    fn stop(&mut self, stop: Stop, sequence: Option<Text<'_>>, words: Option<Text<'_>>, sink: Sink<'_>) {
        self.stopped = true;
        self.open.drain(..).for_each(|block| end(block, sink));
        if let Some(words) = words {
            let index = self.next;
            self.next += 1;
            sink(Event::PartStart { index, kind: PartKind::Refusal });
            sink(Event::PartDelta { index, delta: Delta::Text(words) });
            sink(Event::PartEnd { index });
        }
        sink(Event::Stop { stop, sequence });
    }

    fn begin(&mut self, vendor: u64, block: Inside<'_>, sink: Sink<'_>) {
        let index = self.next;
        let call = block.kind == "tool_use";
        let kind = match block.kind {
            "text" => PartKind::Text,
            "thinking" => PartKind::Reasoning,
            "redacted_thinking" => match seal::inward(Dialect::Anthropic, block.seal) {
                Some((dialect, data)) => PartKind::Redacted(dialect, data),
                None => return,
            },
            "tool_use" => PartKind::ToolCall { id: block.id, name: block.name },
            other => {
                self.ended = true;
                let what = format!("a part of type `{other}` cannot be carried to the client's dialect");
                sink(Event::Failed(Failure::new(FailureKind::Malformed, what)));
                return;
            }
        };
        self.next += 1;
        sink(Event::PartStart { index, kind });
        // Servers that do not stream arguments or words put them whole into the opening.
        let input = block.input.filter(|input| call && !input.trim_matches(['{', '}', ' ']).is_empty());
        if let Some(input) = input {
            sink(Event::PartDelta { index, delta: Delta::Arguments(Text::plain(input)) });
        } else if !block.text.is_empty() && !call {
            sink(Event::PartDelta { index, delta: Delta::Text(block.text) });
        }
        self.open.push(Block { vendor, part: index, call, arguments: input.is_some() });
    }

    fn grow(&mut self, vendor: u64, delta: Inside<'_>, sink: Sink<'_>) {
        let Some(block) = self.open.iter_mut().find(|block| block.vendor == vendor) else { return };
        let index = block.part;
        match delta.kind {
            "text_delta" | "thinking_delta" if !delta.text.is_empty() => {
                sink(Event::PartDelta { index, delta: Delta::Text(delta.text) });
            }
            "input_json_delta" if block.call && !delta.json.is_empty() => {
                block.arguments = true;
                sink(Event::PartDelta { index, delta: Delta::Arguments(delta.json) });
            }
            "signature_delta" => {
                if let Some((dialect, seal)) = seal::inward(Dialect::Anthropic, delta.seal) {
                    sink(Event::PartDelta { index, delta: Delta::Signature(dialect, seal) });
                }
            }
            _ => {}
        }
    }
}

/// Reads a frame; says whether it is an error.
fn read<'a>(frame: Frame<'a>, fields: &mut Fields<'a>) -> Result<bool, Fault> {
    let mut failed = frame.event == "error";
    let mut r = Json::new(frame.data);
    r.object(|key, r| {
        match (key, r.kind()?) {
            ("type", Kind::String) => fields.kind = r.string()?,
            ("index", Kind::Number) => fields.index = r.value()?.parse().unwrap_or(u64::MAX),
            ("error", kind) => failed |= kind != Kind::Null,
            ("message", Kind::Object) => r.object(|key, r| {
                match (key, r.kind()?) {
                    ("id", Kind::String) => fields.id = r.text()?,
                    ("model", Kind::String) => fields.model = r.text()?,
                    ("usage", Kind::Object) => fields.usage = usage::read(r)?,
                    _ => {}
                }
                Ok::<_, Fault>(())
            })?,
            ("usage", Kind::Object) => fields.usage = usage::read(r)?,
            ("content_block", Kind::Object) => r.object(|key, r| inside(key, r, &mut fields.block))?,
            ("delta", Kind::Object) => r.object(|key, r| {
                match (key, r.kind()?) {
                    ("stop_reason", Kind::String) => fields.reason = Some(r.string()?),
                    ("stop_sequence", Kind::String) => fields.sequence = Some(r.text()?),
                    ("stop_details", Kind::Object) => fields.explanation = peek::explanation(r)?,
                    _ => inside(key, r, &mut fields.delta)?,
                }
                Ok::<_, Fault>(())
            })?,
            _ => {}
        }
        Ok::<_, Fault>(())
    })?;
    r.end()?;
    Ok(failed || fields.kind == "error")
}

fn inside<'a>(key: &str, r: &mut Json<'a>, inside: &mut Inside<'a>) -> Result<(), Fault> {
    match (key, r.kind()?) {
        ("type", Kind::String) => inside.kind = r.string()?,
        ("text" | "thinking", Kind::String) => inside.text = r.text()?,
        ("signature" | "data", Kind::String) => inside.seal = r.text()?,
        ("id", Kind::String) => inside.id = r.text()?,
        ("name", Kind::String) => inside.name = r.text()?,
        ("partial_json", Kind::String) => inside.json = r.text()?,
        ("input", Kind::Object) => inside.input = Some(r.value()?),
        _ => {}
    }
    Ok(())
}
