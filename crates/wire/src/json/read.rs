//! The reader: a cursor over checked UTF-8.

use super::run;
use model::{Json, Text};
use std::borrow::Cow;

/// Deepest nesting accepted, as the contract of `glance` says.
pub const MAX_DEPTH: u32 = 128;

/// What is wrong with a text, and where (byte offset).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Offset of the byte at fault.
    pub at: usize,
    /// What it is, as the end of the sentence "the body ...".
    pub what: &'static str,
}

/// The kind of the next value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

/// Checks that bytes are UTF-8, whole.
pub fn text(bytes: &[u8]) -> Result<&str, Fault> {
    simdutf8::compat::from_utf8(bytes).map_err(|e| Fault { at: e.valid_up_to(), what: "is not UTF-8" })
}

/// A cursor. Every method leaves it behind what it read; after an error it must not be used again.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    /// At the start of a text.
    pub fn new(text: &'a str) -> Reader<'a> {
        Reader { text, at: 0, depth: 0 }
    }

    /// Byte offset of the cursor.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The text between two offsets that this reader reported.
    pub fn slice(&self, from: usize, to: usize) -> &'a str {
        &self.text[from..to]
    }

    fn fault<T>(&self, what: &'static str) -> Result<T, Fault> {
        Err(Fault { at: self.at, what })
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over white space.
    #[inline]
    pub fn space(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// Requires that nothing but white space is left.
    pub fn end(&mut self) -> Result<(), Fault> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { self.fault("has something behind its end") }
    }

    /// Steps to the next value and says what it is.
    #[inline]
    pub fn kind(&mut self) -> Result<Kind, Fault> {
        self.space();
        match self.byte() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(_) => self.fault("has a character where a value belongs"),
            None => self.fault("ends where a value belongs"),
        }
    }

    /// A string's inside, escapes kept.
    #[inline]
    pub fn string(&mut self) -> Result<&'a str, Fault> {
        if self.kind()? != Kind::String {
            return self.fault("has another value where a string belongs");
        }
        let start = self.at + 1;
        self.at = self.string_end(start)?;
        Ok(&self.text[start..self.at - 1])
    }

    /// A string as text that can be moved to another document.
    pub fn text(&mut self) -> Result<Text<'a>, Fault> {
        let inner = self.string()?;
        let token = &self.text[self.at - inner.len() - 2..self.at];
        Text::from_token(token).ok_or(Fault { at: self.at, what: "has a broken string" })
    }

    /// A string, or `None` for null.
    pub fn text_or_null(&mut self) -> Result<Option<Text<'a>>, Fault> {
        if self.kind()? == Kind::Null { self.value().map(|_| None) } else { self.text().map(Some) }
    }

    /// `true` or `false`, or `None` for null.
    pub fn bool_or_null(&mut self) -> Result<Option<bool>, Fault> {
        match self.kind()? {
            Kind::Null => self.value().map(|_| None),
            Kind::Bool => Ok(Some(self.value()? == "true")),
            _ => self.fault("has another value where true or false belongs"),
        }
    }

    /// A whole number that is not negative, or `None` for null.
    pub fn count_or_null(&mut self) -> Result<Option<u64>, Fault> {
        match self.kind()? {
            Kind::Null => self.value().map(|_| None),
            Kind::Number => {
                let at = self.at;
                let digits = self.value()?;
                // `100.0` is a whole number to every JSON reader that knows only one kind of number.
                let whole = digits.split_once('.').map_or(digits, |(whole, fraction)| {
                    if fraction.bytes().all(|b| b == b'0') { whole } else { digits }
                });
                let value = whole.parse().map_err(|_| Fault { at, what: "has a number that is not a count" });
                value.map(Some)
            }
            _ => self.fault("has another value where a count belongs"),
        }
    }

    /// Any value, checked and stepped over; its text without surrounding white space.
    #[inline]
    pub fn value(&mut self) -> Result<&'a str, Fault> {
        self.space();
        let start = self.at;
        self.skip()?;
        Ok(&self.text[start..self.at])
    }

    /// Any value, kept as written.
    pub fn json(&mut self) -> Result<Json<'a>, Fault> {
        self.value().map(Json::checked)
    }

    /// Walks an object. `each` is given the decoded key and may read its value; a value it leaves is stepped over.
    #[inline]
    pub fn object<E: From<Fault>>(
        &mut self,
        mut each: impl FnMut(&str, &mut Reader<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.kind()? != Kind::Object {
            return Err(Fault { at: self.at, what: "has another value where an object belongs" }.into());
        }
        self.enter()?;
        self.space();
        if self.byte() == Some(b'}') {
            return self.leave();
        }
        loop {
            let key = self.key()?;
            self.space();
            let before = self.at;
            each(&key, self)?;
            if self.at == before {
                self.skip()?;
            }
            self.space();
            match self.byte() {
                Some(b',') => self.at += 1,
                Some(b'}') => return self.leave(),
                _ => return Err(Fault { at: self.at, what: "has an object without its comma or end" }.into()),
            }
        }
    }

    /// Walks an array, as [`Reader::object`] does an object.
    #[inline]
    pub fn array<E: From<Fault>>(
        &mut self,
        mut each: impl FnMut(usize, &mut Reader<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.kind()? != Kind::Array {
            return Err(Fault { at: self.at, what: "has another value where an array belongs" }.into());
        }
        self.enter()?;
        self.space();
        if self.byte() == Some(b']') {
            return self.leave();
        }
        for index in 0.. {
            self.space();
            let before = self.at;
            each(index, self)?;
            if self.at == before {
                self.skip()?;
            }
            self.space();
            match self.byte() {
                Some(b',') => self.at += 1,
                Some(b']') => return self.leave(),
                _ => return Err(Fault { at: self.at, what: "has an array without its comma or end" }.into()),
            }
        }
        Ok(())
    }

    /// A key and its colon.
    #[inline]
    fn key(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.space();
        if self.byte() != Some(b'"') {
            return self.fault("has an object without a key where one belongs");
        }
        let start = self.at + 1;
        self.at = self.string_end(start)?;
        let raw = &self.text[start..self.at - 1];
        self.space();
        if self.byte() != Some(b':') {
            return self.fault("has a key without its colon");
        }
        self.at += 1;
        if raw.as_bytes().contains(&b'\\') {
            let token = &self.text[start - 1..=start + raw.len()];
            let decoded = Text::from_token(token).map(|t| t.decode().into_owned()).unwrap_or_default();
            return Ok(Cow::Owned(decoded));
        }
        Ok(Cow::Borrowed(raw))
    }

    fn enter(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fault("is nested deeper than 128 levels");
        }
        self.at += 1;
        Ok(())
    }

    /// Behind the bracket that closes a level.
    fn leave<E>(&mut self) -> Result<(), E> {
        self.depth -= 1;
        self.at += 1;
        Ok(())
    }

    /// Steps over one value without recursion: a bit per open level says whether it is an object.
    fn skip(&mut self) -> Result<(), Fault> {
        let mut objects: u128 = 0;
        let floor = self.depth;
        loop {
            // A value, or the opening of one.
            match self.kind()? {
                Kind::Object => {
                    self.enter()?;
                    objects = objects << 1 | 1;
                    self.space();
                    if self.byte() != Some(b'}') {
                        self.key()?;
                        continue;
                    }
                }
                Kind::Array => {
                    self.enter()?;
                    objects <<= 1;
                    self.space();
                    if self.byte() != Some(b']') {
                        continue;
                    }
                }
                Kind::String => self.at = self.string_end(self.at + 1)?,
                Kind::Number => self.number()?,
                Kind::Bool | Kind::Null => self.word()?,
            }
            // Behind a value: close what ends here, or go on with the next one.
            loop {
                if self.depth == floor {
                    return Ok(());
                }
                self.space();
                match (self.byte(), objects & 1) {
                    (Some(b','), kind) => {
                        self.at += 1;
                        if kind == 1 {
                            self.key()?;
                        }
                        break;
                    }
                    (Some(b'}'), 1) | (Some(b']'), 0) => {
                        objects >>= 1;
                        self.leave::<Fault>()?;
                    }
                    _ => return self.fault("has brackets that do not match"),
                }
            }
        }
    }

    fn word(&mut self) -> Result<(), Fault> {
        let rest = &self.text.as_bytes()[self.at..];
        for word in ["true", "false", "null"] {
            if rest.starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(());
            }
        }
        self.fault("has a word that is not true, false or null")
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { self.fault("has a broken number") } else { Ok(()) }
    }

    fn number(&mut self) -> Result<(), Fault> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// The offset behind the closing quote of the string whose inside starts at `from`.
    #[inline]
    fn string_end(&self, from: usize) -> Result<usize, Fault> {
        let bytes = self.text.as_bytes();
        let mut at = from;
        loop {
            at = run::end(bytes, at);
            match bytes.get(at) {
                Some(b'"') => return Ok(at + 1),
                Some(b'\\') => match bytes.get(at + 1) {
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                    Some(b'u') if hex(bytes.get(at + 2..at + 6)) => at += 6,
                    _ => return Err(Fault { at, what: "has a string with a broken escape" }),
                },
                Some(_) => return Err(Fault { at, what: "has a string with a raw control character" }),
                None => return Err(Fault { at, what: "has a string without its end" }),
            }
        }
    }
}

fn hex(digits: Option<&[u8]>) -> bool {
    digits.is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit))
}
