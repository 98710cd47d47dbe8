//! Server-sent events: bytes to frames, whatever the cuts, line ends and comments.
//!
//! A frame is everything up to and including its blank line and keeps its original bytes, so that it can be passed
//! on untouched. Frames that arrive whole in one chunk are slices of it; only a frame cut in two is copied.

use bytes::{Bytes, BytesMut};
use memchr::memchr2;
use std::borrow::Cow;
use std::ops::Range;

/// Longest frame accepted, in bytes.
pub const LONGEST: usize = 4 << 20;

/// A frame longer than [`LONGEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Splits a stream of chunks into frames.
///
/// Frames are ranges of the bytes at hand, so that neighbours can be passed on as one slice.
#[derive(Debug, Default)]
pub struct Splitter {
    /// The bytes at hand.
    bytes: Bytes,
    /// Where the next frame begins in them.
    next: usize,
    /// A frame without its end yet.
    partial: BytesMut,
    place: Place,
}

/// Where the search for a frame's end stands, relative to the frame's start.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// Start of the current line.
    line: usize,
    /// Everything before has been looked at.
    seen: usize,
}

impl Place {
    /// The offset behind the next blank line. A carriage return at the end of the bytes waits for what follows it.
    fn blank_line(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(found) = bytes.get(self.seen..).and_then(|rest| memchr2(b'\n', b'\r', rest)) {
            let end = self.seen + found;
            let next = match (bytes[end], bytes.get(end + 1)) {
                (b'\n', _) => end + 1,
                (_, Some(b'\n')) => end + 2,
                (_, Some(_)) => end + 1,
                (_, None) => {
                    self.seen = end;
                    return None;
                }
            };
            let blank = end == self.line;
            *self = Place { line: next, seen: next };
            if blank {
                return Some(next);
            }
        }
        self.seen = bytes.len();
        None
    }
}

impl Splitter {
    /// Takes the next chunk. The frames of the one before must have been fetched; their ranges end here.
    pub fn feed(&mut self, chunk: Bytes) {
        if self.partial.is_empty() {
            (self.bytes, self.next) = (chunk, 0);
        } else {
            self.partial.extend_from_slice(&chunk);
        }
    }

    /// The next whole frame, or `None` until more bytes come.
    pub fn next_frame(&mut self) -> Result<Option<Range<usize>>, TooLong> {
        if !self.partial.is_empty() {
            let Some(end) = self.place.blank_line(&self.partial) else {
                return if self.partial.len() > LONGEST { Err(TooLong) } else { Ok(None) };
            };
            (self.bytes, self.next) = (self.partial.split().freeze(), 0);
            return Ok(Some(self.cut(end)));
        }
        let rest = &self.bytes[self.next..];
        if rest.is_empty() {
            return Ok(None);
        }
        match self.place.blank_line(rest) {
            Some(end) => Ok(Some(self.cut(end))),
            None if rest.len() > LONGEST => Err(TooLong),
            None => {
                self.partial.extend_from_slice(rest);
                self.next = self.bytes.len();
                Ok(None)
            }
        }
    }

    fn cut(&mut self, length: usize) -> Range<usize> {
        self.place = Place::default();
        let start = self.next;
        self.next += length;
        start..self.next
    }

    /// What is left at the end of the stream: a frame without its blank line. Empty if nothing is.
    pub fn rest(&mut self) -> Range<usize> {
        if !self.partial.is_empty() {
            (self.bytes, self.next) = (self.partial.split().freeze(), 0);
        }
        self.cut(self.bytes.len() - self.next)
    }

    /// The bytes of a frame.
    pub fn view(&self, frame: Range<usize>) -> &[u8] {
        &self.bytes[frame]
    }

    /// The bytes of one frame or of neighbours, shared.
    pub fn share(&self, frames: Range<usize>) -> Bytes {
        self.bytes.slice(frames)
    }
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields<'a> {
    /// Its event name; empty where it has none.
    pub event: &'a [u8],
    /// Its data, lines joined by line feeds; `None` where it has no data line.
    pub data: Option<Cow<'a, [u8]>>,
    /// Where the data begins in the frame, while it is one line.
    pub data_at: usize,
    /// Whether every line is a comment or a field of an event stream. HTML and JSON have lines that are neither.
    pub regular: bool,
}

/// Reads a frame's lines.
pub fn fields(frame: &[u8]) -> Fields<'_> {
    let mut fields = Fields { event: b"", data: None, data_at: 0, regular: true };
    let mut next = if frame.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    while next < frame.len() {
        let start = next;
        let end = memchr2(b'\n', b'\r', &frame[start..]).map_or(frame.len(), |length| start + length);
        next = end + 1;
        let line = &frame[start..end];
        if line.is_empty() || line[0] == b':' {
            continue;
        }
        let colon = memchr::memchr(b':', &line[..line.len().min(8)]).unwrap_or(line.len());
        let after = (colon + 1).min(line.len());
        let from = if line[after..].starts_with(b" ") { after + 1 } else { after };
        let value = &line[from..];
        match &line[..colon] {
            b"data" => match &mut fields.data {
                None => (fields.data, fields.data_at) = (Some(Cow::Borrowed(value)), start + from),
                Some(data) => {
                    let data = data.to_mut();
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
            },
            b"event" => fields.event = value,
            b"id" | b"retry" => {}
            _ => fields.regular = false,
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(stream: &[u8], cut: usize) -> Vec<Vec<u8>> {
        let mut splitter = Splitter::default();
        let mut out = Vec::new();
        for piece in [&stream[..cut], &stream[cut..]] {
            splitter.feed(Bytes::copy_from_slice(piece));
            while let Some(frame) = splitter.next_frame().unwrap() {
                out.push(splitter.view(frame).to_vec());
            }
        }
        let rest = splitter.rest();
        if !rest.is_empty() {
            out.push(splitter.view(rest).to_vec());
        }
        out
    }

    #[test]
    fn any_cut_of_any_line_ends_gives_the_same_frames() {
        let stream = b": hi\n\ndata: a\ndata: b\r\n\r\nevent: x\rdata:c\r\rid: 1\n\n\n\r\ndata: [DONE]\n";
        let whole = frames(stream, 0);
        assert_eq!(whole.len(), 7, "{whole:?}");
        for cut in 0..=stream.len() {
            assert_eq!(frames(stream, cut), whole, "cut at {cut}");
        }
        let second = fields(&whole[1]);
        assert_eq!(second.data.as_deref(), Some(&b"a\nb"[..]));
        let third = fields(&whole[2]);
        assert_eq!((third.event, third.data.as_deref()), (&b"x"[..], Some(&b"c"[..])));
        assert_eq!(fields(&whole[6]).data.as_deref(), Some(&b"[DONE]"[..]));
    }

    #[test]
    fn html_and_bare_json_are_not_taken_for_an_event_stream() {
        assert!(!fields(b"<html>\n<body>\n\n").regular);
        assert!(!fields(b"{\"error\": 1}\n\n").regular);
        assert!(fields(b": comment\nretry: 5\n\n").regular);
    }

    #[test]
    fn a_frame_without_end_is_refused_before_it_fills_the_memory() {
        let mut splitter = Splitter::default();
        let chunk = Bytes::from(vec![b'x'; 1 << 20]);
        let mut refused = false;
        for _ in 0..8 {
            splitter.feed(chunk.clone());
            refused |= splitter.next_frame().is_err();
        }
        assert!(refused);
    }
}
