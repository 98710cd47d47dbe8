//! Streams, read into events.
//!
//! The dialect has no parts: text, thinking and calls are fields of one delta. Text-like parts begin with their first
//! words and end when another kind begins; calls stay open until the finish, because their fragments may interleave.

use super::{reasons, usage};
use crate::classify;
use crate::dialect::{Decoder, Frame, Peek};
use crate::json::{Fault, Kind, Reader as Json};
use crate::seal;
use model::{Delta, Dialect, Event, PartKind, Stop, Text, Usage};

/// State between frames.
#[derive(Default)]
pub(super) struct Reader {
    started: bool,
    finished: bool,
    ended: bool,
    /// Index of the next part.
    next: u32,
    /// The part of words that is open, if one is.
    open: Option<(Words, u32)>,
    calls: Vec<Call>,
    refused: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    Text,
    Thinking,
    Refusal,
}

/// An open call: the vendor's index, its id, our part and whether arguments have come.
struct Call {
    vendor: u64,
    id: String,
    part: u32,
    arguments: bool,
}

/// The fields of one delta, in the order in which they are told: thinking before words before calls, whatever the
/// order of the keys.
#[derive(Default)]
struct Fields<'a> {
    thinking: Option<Text<'a>>,
    seals: Vec<Sealed<'a>>,
    content: Option<Text<'a>>,
    refusal: Option<Text<'a>>,
    calls: Vec<Fragment<'a>>,
    reason: Option<&'a str>,
}

/// A signature over the thinking so far, or thinking that is all seal.
struct Sealed<'a> {
    whole: bool,
    dialect: Dialect,
    seal: Text<'a>,
}

#[derive(Default)]
struct Fragment<'a> {
    index: Option<u64>,
    id: Option<Text<'a>>,
    name: Option<Text<'a>>,
    arguments: Option<Text<'a>>,
}

type Sink<'s> = &'s mut dyn FnMut(Event<'_>);

impl Decoder for Reader {
    fn frame(&mut self, frame: Frame<'_>, sink: Sink<'_>) -> Result<(), Fault> {
        if self.ended {
            return Ok(());
        }
        if frame.data.trim_ascii() == "[DONE]" {
            self.ended = true;
            if !self.finished {
                self.close(sink);
            }
            sink(Event::End);
            return Ok(());
        }
        // Looked at first: a frame must be whole and sound before anything of it is told.
        let peek = super::peek::frame(frame)?;
        if peek.failed {
            self.ended = true;
            sink(Event::Failed(classify::in_band(Dialect::OpenAi, frame.data)));
            return Ok(());
        }
        let mut head = Head::default();
        read(frame.data, &mut head)?;
        if !self.started && (!head.id.is_empty() || !head.model.is_empty() || head.choice) {
            self.started = true;
            sink(Event::Start { id: head.id, model: head.model });
        }
        let reason = head.fields.reason.filter(|reason| !reason.is_empty());
        self.tell(head.fields, sink);
        if let Some(reason) = reason {
            self.finish(reason, sink);
        }
        if let Some(usage) = head.usage {
            sink(Event::Usage(usage));
        }
        Ok(())
    }
}

/// What stands around the delta.
#[derive(Default)]
struct Head<'a> {
    id: Text<'a>,
    model: Text<'a>,
    usage: Option<Usage>,
    choice: bool,
    fields: Fields<'a>,
}

fn read<'a>(data: &'a str, head: &mut Head<'a>) -> Result<(), Fault> {
    let mut r = Json::new(data);
    r.object(|key, r| {
        match key {
            "id" if r.kind()? == Kind::String => head.id = r.text()?,
            "model" if r.kind()? == Kind::String => head.model = r.text()?,
            "usage" => head.usage = usage::read(r)?.or(head.usage),
            "x_groq" if r.kind()? == Kind::Object => r.object(|key, r| {
                if key == "usage" {
                    head.usage = head.usage.or(usage::read(r)?);
                }
                Ok::<_, Fault>(())
            })?,
            "choices" if r.kind()? == Kind::Array => r.array(|index, r| {
                head.choice = true;
                if index == 0 { choice(r, &mut head.fields) } else { Ok(()) }
            })?,
            _ => {}
        }
        Ok::<_, Fault>(())
    })
}

fn choice<'a>(r: &mut Json<'a>, fields: &mut Fields<'a>) -> Result<(), Fault> {
    if r.kind()? != Kind::Object {
        return Ok(());
    }
    r.object(|key, r| {
        match key {
            "finish_reason" if r.kind()? == Kind::String => fields.reason = Some(r.string()?),
            // A server that ignores `stream` inside its choices sends whole messages.
            "delta" | "message" if r.kind()? == Kind::Object => delta(r, fields)?,
            _ => {}
        }
        Ok::<_, Fault>(())
    })
}

fn delta<'a>(r: &mut Json<'a>, fields: &mut Fields<'a>) -> Result<(), Fault> {
    r.object(|key, r| {
        match (key, r.kind()?) {
            ("content", Kind::String) => fields.content = Some(r.text()?),
            ("refusal", Kind::String) => fields.refusal = Some(r.text()?),
            ("reasoning_content" | "reasoning", Kind::String) => {
                let text = r.text()?;
                fields.thinking = fields.thinking.take().filter(|t| !t.is_empty()).or(Some(text));
            }
            ("reasoning_details", Kind::Array) => r.array(|_, r| sealed(r, fields))?,
            ("tool_calls", Kind::Array) => r.array(|_, r| {
                fields.calls.push(fragment(r)?);
                Ok::<_, Fault>(())
            })?,
            _ => {}
        }
        Ok::<_, Fault>(())
    })
}

fn sealed<'a>(r: &mut Json<'a>, fields: &mut Fields<'a>) -> Result<(), Fault> {
    if r.kind()? != Kind::Object {
        return Ok(());
    }
    let (mut whole, mut text, mut token) = (false, None, None);
    r.object(|key, r| {
        match (key, r.kind()?) {
            ("type", Kind::String) => whole = r.string()? == "reasoning.encrypted",
            ("text" | "summary", Kind::String) => text = Some(r.text()?),
            ("signature" | "data", Kind::String) => token = Some(r.text()?),
            _ => {}
        }
        Ok::<_, Fault>(())
    })?;
    // The words stand in `reasoning` as well, at the vendors that send both.
    if fields.thinking.is_none() {
        fields.thinking = text;
    }
    if let Some((dialect, seal)) = token.and_then(|token| seal::inward(Dialect::OpenAi, token)) {
        fields.seals.push(Sealed { whole, dialect, seal });
    }
    Ok(())
}

fn fragment<'a>(r: &mut Json<'a>) -> Result<Fragment<'a>, Fault> {
    let mut found = Fragment::default();
    if r.kind()? != Kind::Object {
        return Ok(found);
    }
    r.object(|key, r| {
        match (key, r.kind()?) {
            ("index", Kind::Number) => found.index = r.value()?.parse().ok(),
            ("id", Kind::String) => found.id = Some(r.text()?).filter(|id| !id.is_empty()),
            ("function", Kind::Object) => r.object(|key, r| {
                match (key, r.kind()?) {
                    ("name", Kind::String) => found.name = Some(r.text()?).filter(|name| !name.is_empty()),
                    ("arguments", Kind::String) => found.arguments = Some(r.text()?),
                    // Some servers send the object itself, whole.
                    ("arguments", Kind::Object) => found.arguments = Some(Text::plain(r.value()?)),
                    _ => {}
                }
                Ok::<_, Fault>(())
            })?,
            _ => {}
        }
        Ok::<_, Fault>(())
    })?;
    Ok(found)
}

impl Reader {
    fn tell(&mut self, fields: Fields<'_>, sink: Sink<'_>) {
        if self.finished {
            return;
        }
        if let Some(text) = fields.thinking.filter(|text| !text.is_empty()) {
            self.words(Words::Thinking, text, sink);
        }
        for Sealed { whole, dialect, seal } in fields.seals {
            if whole {
                self.end_words(sink);
                let index = self.part();
                sink(Event::PartStart { index, kind: PartKind::Redacted(dialect, seal) });
                sink(Event::PartEnd { index });
            } else {
                let index = self.open_words(Words::Thinking, sink);
                sink(Event::PartDelta { index, delta: Delta::Signature(dialect, seal) });
            }
        }
        if let Some(text) = fields.content.filter(|text| !text.is_empty()) {
            self.words(Words::Text, text, sink);
        }
        if let Some(text) = fields.refusal.filter(|text| !text.is_empty()) {
            self.refused = true;
            self.words(Words::Refusal, text, sink);
        }
        for fragment in fields.calls {
            self.call(fragment, sink);
        }
    }

    fn part(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    fn end_words(&mut self, sink: Sink<'_>) {
        if let Some((_, index)) = self.open.take() {
            sink(Event::PartEnd { index });
        }
    }

    /// The open part of this kind; opens one if another is open, or none.
    fn open_words(&mut self, kind: Words, sink: Sink<'_>) -> u32 {
        if let Some((open, index)) = self.open
            && open == kind
        {
            return index;
        }
        self.end_words(sink);
        let index = self.part();
        self.open = Some((kind, index));
        let kind = match kind {
            Words::Text => PartKind::Text,
            Words::Thinking => PartKind::Reasoning,
            Words::Refusal => PartKind::Refusal,
        };
        sink(Event::PartStart { index, kind });
        index
    }

    fn words(&mut self, kind: Words, text: Text<'_>, sink: Sink<'_>) {
        let index = self.open_words(kind, sink);
        sink(Event::PartDelta { index, delta: Delta::Text(text) });
    }

    fn call(&mut self, fragment: Fragment<'_>, sink: Sink<'_>) {
        let id = fragment.id.as_ref().map(|id| id.decode().into_owned());
        // A fragment belongs to the call of its index, unless it brings another id: some servers count every
        // parallel call as number 0. One without an index goes on with the last call.
        let known = self.calls.iter().rposition(|call| {
            fragment.index.is_none_or(|index| index == call.vendor)
                && id.as_ref().is_none_or(|id| *id == call.id)
        });
        let at = match known {
            Some(at) => at,
            None => {
                self.end_words(sink);
                let part = self.part();
                let vendor = fragment.index.unwrap_or(self.calls.len() as u64);
                let id = id.unwrap_or_else(|| format!("call_{}", self.calls.len()));
                let name = fragment.name.unwrap_or_default();
                sink(Event::PartStart {
                    index: part,
                    kind: PartKind::ToolCall { id: Text::plain(&id), name },
                });
                self.calls.push(Call { vendor, id, part, arguments: false });
                self.calls.len() - 1
            }
        };
        if let Some(arguments) = fragment.arguments.filter(|text| !text.is_empty()) {
            let call = &mut self.calls[at];
            call.arguments = true;
            sink(Event::PartDelta { index: call.part, delta: Delta::Arguments(arguments) });
        }
    }

    /// Ends whatever is open. A call without arguments has an empty object of them.
    fn close(&mut self, sink: Sink<'_>) {
        self.end_words(sink);
        for call in self.calls.drain(..) {
            if !call.arguments {
                sink(Event::PartDelta { index: call.part, delta: Delta::Arguments(Text::plain("{}")) });
            }
            sink(Event::PartEnd { index: call.part });
        }
    }

    /// The first finish counts; some servers send two.
    fn finish(&mut self, reason: &str, sink: Sink<'_>) {
        if self.finished {
            return;
        }
        self.finished = true;
        let called = !self.calls.is_empty();
        self.close(sink);
        let stop = Peek::honest(reasons::read(reason).unwrap_or(Stop::Other), called, self.refused);
        sink(Event::Stop { stop, sequence: None });
    }
}
