//! The writer: places commas, copies escaped text as it is.

use model::{Json, Text};

/// Bytes of a JSON document (or several) in the making. Commas are its business; balance is the caller's.
#[derive(Debug, Default)]
pub struct Out {
    bytes: Vec<u8>,
    /// Whether the next value of the innermost list needs a comma before it.
    comma: bool,
}

impl Out {
    /// An empty one with room.
    pub fn with_capacity(room: usize) -> Out {
        Out { bytes: Vec::with_capacity(room), comma: false }
    }

    /// Goes on behind bytes that are already there.
    pub fn behind(bytes: Vec<u8>) -> Out {
        Out { bytes, comma: false }
    }

    /// The bytes.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn separate(&mut self) {
        if self.comma {
            self.bytes.push(b',');
        }
        self.comma = true;
    }

    /// Opens an object as the next value.
    pub fn object(&mut self) -> &mut Out {
        self.separate();
        self.bytes.push(b'{');
        self.comma = false;
        self
    }

    /// Closes the innermost object.
    pub fn end_object(&mut self) -> &mut Out {
        self.bytes.push(b'}');
        self.comma = true;
        self
    }

    /// Opens an array as the next value.
    pub fn array(&mut self) -> &mut Out {
        self.separate();
        self.bytes.push(b'[');
        self.comma = false;
        self
    }

    /// Closes the innermost array.
    pub fn end_array(&mut self) -> &mut Out {
        self.bytes.push(b']');
        self.comma = true;
        self
    }

    /// A key that needs no escaping; its value must follow.
    pub fn key(&mut self, key: &str) -> &mut Out {
        self.separate();
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(key.as_bytes());
        self.bytes.extend_from_slice(b"\":");
        self.comma = false;
        self
    }

    /// A key of any characters; its value must follow.
    pub fn any_key(&mut self, key: &str) -> &mut Out {
        self.plain(key);
        self.bytes.push(b':');
        self.comma = false;
        self
    }

    /// A string, from text that is already escaped.
    pub fn text(&mut self, text: &Text<'_>) -> &mut Out {
        self.escaped(text.raw())
    }

    /// A string whose inside is already escaped.
    pub fn escaped(&mut self, inside: &str) -> &mut Out {
        self.separate();
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(inside.as_bytes());
        self.bytes.push(b'"');
        self
    }

    /// A string from several pieces that are already escaped.
    pub fn joined(&mut self, pieces: &[&str]) -> &mut Out {
        self.separate();
        self.bytes.push(b'"');
        for piece in pieces {
            self.bytes.extend_from_slice(piece.as_bytes());
        }
        self.bytes.push(b'"');
        self
    }

    /// A string, from characters.
    pub fn plain(&mut self, characters: &str) -> &mut Out {
        if characters.bytes().any(|b| b == b'"' || b == b'\\' || b < 0x20) {
            self.escaped(Text::plain(characters).raw())
        } else {
            self.escaped(characters)
        }
    }

    /// A whole number.
    pub fn count(&mut self, n: u64) -> &mut Out {
        self.separate();
        self.bytes.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
        self
    }

    /// A whole number that may be negative.
    pub fn signed(&mut self, n: i64) -> &mut Out {
        self.separate();
        self.bytes.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
        self
    }

    /// `true` or `false`.
    pub fn bool(&mut self, value: bool) -> &mut Out {
        self.raw(if value { "true" } else { "false" })
    }

    /// `null`.
    pub fn null(&mut self) -> &mut Out {
        self.raw("null")
    }

    /// A value that is JSON already.
    pub fn raw(&mut self, value: &str) -> &mut Out {
        self.separate();
        self.bytes.extend_from_slice(value.as_bytes());
        self
    }

    /// A value kept from elsewhere.
    pub fn json(&mut self, value: &Json<'_>) -> &mut Out {
        self.raw(value.raw())
    }

    /// A count, or `null` where it is unknown.
    pub fn maybe_count(&mut self, n: Option<u64>) -> &mut Out {
        match n {
            Some(n) => self.count(n),
            None => self.null(),
        }
    }

    /// Bytes around documents, such as the lines of an event stream; no comma follows them.
    pub fn frame(&mut self, bytes: &str) -> &mut Out {
        self.bytes.extend_from_slice(bytes.as_bytes());
        self.comma = false;
        self
    }
}
