//! The spanned draft: YAML as a tree in which every key and value knows its place.
//!
//! It knows nothing of the policy. Duplicate keys, several documents and what the tree cannot hold are reported here;
//! depth and size are bounded, aliases included, so that no text can blow up.

use super::finding::Report;
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::HashMap;

/// A stretch of one line. Lines and columns count from 1, columns and width in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) width: u32,
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Place,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Scalar { text: String, plain: bool },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_at: Place,
    pub(crate) value: Node,
}

const MOST_NODES: usize = 200_000;
const DEEPEST: usize = 64;

impl Place {
    pub(crate) const START: Place = Place { line: 1, column: 1, width: 1 };

    fn of(span: Span) -> Place {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let same_line = span.end.line() == span.start.line();
        let width = if same_line { span.end.col().saturating_sub(span.start.col()) } else { 1 };
        Place {
            line: number(span.start.line()).max(1),
            column: number(span.start.col()).saturating_add(1),
            width: number(width).max(1),
        }
    }

    /// The place some characters into this one, to its end.
    pub(crate) fn within(self, offset: usize) -> Place {
        let offset = u32::try_from(offset).unwrap_or(u32::MAX);
        Place {
            line: self.line,
            column: self.column.saturating_add(offset),
            width: self.width.saturating_sub(offset).max(1),
        }
    }
}

impl Node {
    /// An empty mapping, for a section that is not there.
    pub(crate) fn nothing(at: Place) -> Node {
        Node { at, kind: Kind::Map(Vec::new()) }
    }

    /// Whether it is written as nothing: empty, `~` or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// Whether it is a value in quotes.
    pub(crate) fn is_quoted(&self) -> bool {
        matches!(self.kind, Kind::Scalar { plain: false, .. })
    }

    /// The entries of a mapping; none for anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|e| e.key == key).map(|e| &e.value)
    }

    /// What it is, for errors.
    pub(crate) fn kind_name(&self) -> &'static str {
        match &self.kind {
            _ if self.is_null() => "nothing",
            Kind::Scalar { .. } => "a value",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }
}

/// Reads one document. `None` after an error that leaves no tree; it is in the report.
pub(crate) fn read(text: &str, report: &mut Report<'_>) -> Option<Node> {
    let mut builder =
        Builder { parser: Parser::new_from_str(text), report, anchors: HashMap::new(), nodes: 0 };
    builder.document()
}

struct Builder<'i, 'r, 't> {
    parser: Parser<'i, saphyr_parser::StrInput<'i>>,
    report: &'r mut Report<'t>,
    /// Values by anchor, with their size in nodes.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

/// The tree cannot be finished; the report says why.
struct Abandoned;

impl<'i> Builder<'i, '_, '_> {
    fn document(&mut self) -> Option<Node> {
        let mut root = None;
        loop {
            let (event, span) = self.event().ok()?;
            match event {
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::StreamEnd => return Some(root.unwrap_or_else(|| Node::nothing(Place::START))),
                Event::DocumentStart(_) if root.is_some() => {
                    let hint = Some("remove the `---` line and what follows it".to_owned());
                    self.report.error(Place::of(span), "a second document begins here", hint);
                    return None;
                }
                Event::DocumentStart(_) => {}
                other => root = Some(self.node(other, span, 0).ok()?),
            }
        }
    }

    fn event(&mut self) -> Result<(Event<'i>, Span), Abandoned> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let at = Place::of(Span::empty(*error.marker()));
                let hint = Some("check brackets, quotes and indentation up to here".to_owned());
                self.report.error(at, format!("not YAML: {}", error.info()), hint);
                Err(Abandoned)
            }
            None => Err(Abandoned),
        }
    }

    fn count(&mut self, more: usize, at: Place) -> Result<(), Abandoned> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > MOST_NODES {
            self.report.error(
                at,
                format!("the file holds more than {MOST_NODES} values"),
                Some("use fewer aliases".to_owned()),
            );
            return Err(Abandoned);
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'i>, span: Span, depth: usize) -> Result<Node, Abandoned> {
        let at = Place::of(span);
        if depth > DEEPEST {
            self.report.error(
                at,
                format!("nested more than {DEEPEST} levels deep"),
                Some("nothing in this file is that deep".to_owned()),
            );
            return Err(Abandoned);
        }
        let before = self.nodes;
        self.count(1, at)?;
        let (anchor, kind) = match event {
            Event::Scalar(text, style, anchor, _) => {
                (anchor, Kind::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain })
            }
            Event::SequenceStart(anchor, _) => (anchor, Kind::List(self.list(depth)?)),
            Event::MappingStart(anchor, _) => (anchor, Kind::Map(self.map(depth)?)),
            Event::Alias(id) => {
                let Some((node, size)) = self.anchors.get(&id).cloned() else {
                    let hint = Some("name an anchor that stands before it".to_owned());
                    self.report.error(at, "an alias to a value that is not complete yet", hint);
                    return Err(Abandoned);
                };
                self.count(size, at)?;
                return Ok(node);
            }
            _ => {
                let hint = Some("check brackets, quotes and indentation up to here".to_owned());
                self.report.error(at, "not YAML: a value was expected", hint);
                return Err(Abandoned);
            }
        };
        let node = Node { at, kind };
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes - before));
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Abandoned> {
        let mut items = Vec::new();
        loop {
            match self.event()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, Abandoned> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, u32> = HashMap::new();
        loop {
            let (event, span) = self.event()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(entries);
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.event()?;
            let value = self.node(event, span, depth + 1)?;
            let Kind::Scalar { text, .. } = key.kind else {
                self.report.error(
                    key.at,
                    "a key must be a plain word",
                    Some("write `key: value`".to_owned()),
                );
                continue;
            };
            if let Some(first) = seen.insert(text.clone(), key.at.line) {
                let hint = Some(format!("it is on line {first} already; keep one of them"));
                self.report.error(key.at, format!("the key `{text}` stands twice"), hint);
                continue;
            }
            entries.push(Entry { key: text, key_at: key.at, value });
        }
    }
}
