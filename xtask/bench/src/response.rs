//! Reads HTTP/1.1 responses from a byte stream, just enough for the bench: status, framing, and how often the
//! [`MARK`] stands in the body. Every streamed chunk of the upstream carries one mark.
//!
//! Pure: feed bytes, ask what happened. No socket and no clock.

/// What the upstream writes once into every answer and every streamed chunk, whatever the dialect.
pub const MARK: &[u8] = b"zq~";

/// What one call of [`Reader::feed`] found out.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Marks that these bytes completed.
    pub marks: u64,
    /// Whether the response is complete.
    pub done: bool,
}

#[derive(Debug)]
enum Body {
    Head,
    Sized(usize),
    /// Bytes left of the current chunk's data.
    Chunk(usize),
    /// In a chunk's size line, or the line break after its data.
    ChunkSize,
    /// After the last chunk: its closing empty line.
    Trailer,
    Done,
}

/// Reads one response after another.
#[derive(Debug)]
pub struct Reader {
    line: Vec<u8>,
    body: Body,
    matched: usize,
    /// Status of the response being read; 0 before its head is complete.
    pub status: u16,
}

impl Reader {
    /// A reader at the start of a response.
    pub fn new() -> Self {
        Self { line: Vec::with_capacity(1024), body: Body::Head, matched: 0, status: 0 }
    }

    /// Takes the next bytes. The bench never pipelines, so bytes after the end are an error of the server.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<Seen, String> {
        let mut seen = Seen::default();
        while !bytes.is_empty() {
            match self.body {
                Body::Head => {
                    let before = self.line.len();
                    self.line.extend_from_slice(bytes);
                    let from = before.saturating_sub(3);
                    let Some(at) = memchr::memmem::find(&self.line[from..], b"\r\n\r\n") else { break };
                    bytes = &bytes[from + at + 4 - before..];
                    self.line.truncate(from + at + 2);
                    self.body = self.head()?;
                    self.line.clear();
                }
                Body::Sized(left) => {
                    let take = left.min(bytes.len());
                    seen.marks += self.marks(&bytes[..take]);
                    bytes = &bytes[take..];
                    self.body = if take == left { Body::Done } else { Body::Sized(left - take) };
                }
                Body::Chunk(left) => {
                    let take = left.min(bytes.len());
                    seen.marks += self.marks(&bytes[..take]);
                    bytes = &bytes[take..];
                    self.body = if take == left { Body::ChunkSize } else { Body::Chunk(left - take) };
                }
                Body::ChunkSize | Body::Trailer => {
                    let end = memchr::memchr(b'\n', bytes);
                    self.line.extend_from_slice(&bytes[..end.map_or(bytes.len(), |end| end + 1)]);
                    let Some(end) = end else { break };
                    bytes = &bytes[end + 1..];
                    self.size_line()?;
                    self.line.clear();
                }
                Body::Done => return Err(format!("{} bytes after the end of a response", bytes.len())),
            }
        }
        if let Body::Sized(0) = self.body {
            self.body = Body::Done;
        }
        seen.done = matches!(self.body, Body::Done);
        Ok(seen)
    }

    /// Makes ready for the next response on the same connection.
    pub fn again(&mut self) {
        self.body = Body::Head;
        self.matched = 0;
        self.status = 0;
        self.line.clear();
    }

    fn head(&mut self) -> Result<Body, String> {
        let head = String::from_utf8_lossy(&self.line).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        self.status = status.ok_or_else(|| format!("not an HTTP response: {head}"))?;
        let value = |name: &str| {
            head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
        };
        if value("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            return Ok(Body::ChunkSize);
        }
        let length = value("content-length").and_then(|length| length.parse().ok());
        length.map(Body::Sized).ok_or_else(|| format!("a response without a length: {head}"))
    }

    fn size_line(&mut self) -> Result<(), String> {
        let line = self.line.trim_ascii();
        self.body = match self.body {
            Body::Trailer if line.is_empty() => Body::Done,
            Body::Trailer => Body::Trailer,
            _ if line.is_empty() => Body::ChunkSize,
            _ => {
                let text = String::from_utf8_lossy(line);
                match usize::from_str_radix(text.split(';').next().unwrap_or_default(), 16) {
                    Ok(0) => Body::Trailer,
                    Ok(size) => Body::Chunk(size),
                    Err(_) => return Err(format!("not the size of a chunk: {text}")),
                }
            }
        };
        Ok(())
    }

    fn marks(&mut self, bytes: &[u8]) -> u64 {
        let mut marks = 0;
        let mut rest = bytes;
        // A mark that began in earlier bytes is finished by hand, the others are searched for.
        while self.matched > 0 && !rest.is_empty() {
            if rest[0] == MARK[self.matched] {
                self.matched += 1;
                rest = &rest[1..];
                if self.matched == MARK.len() {
                    marks += 1;
                    self.matched = 0;
                }
            } else {
                self.matched = 0;
            }
        }
        if self.matched > 0 {
            return marks;
        }
        marks += memchr::memmem::find_iter(rest, MARK).count() as u64;
        self.matched = (1..MARK.len()).rev().find(|cut| rest.ends_with(&MARK[..*cut])).unwrap_or(0);
        marks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        7\r\ndata: z\r\n3;x=1\r\nq~ \r\n5\r\nzq~zq\r\n1\r\n~\r\n0\r\n\r\n";
    const SIZED: &[u8] = b"HTTP/1.1 429 No\r\ncontent-length: 5\r\n\r\n.zq~.";

    fn read(bytes: &[u8], cut: usize) -> (u16, u64, bool) {
        let mut reader = Reader::new();
        let first = reader.feed(&bytes[..cut]).unwrap();
        let second = reader.feed(&bytes[cut..]).unwrap();
        (reader.status, first.marks + second.marks, first.done || second.done)
    }

    #[test]
    fn a_response_reads_the_same_wherever_it_is_cut() {
        for cut in 0..=CHUNKED.len() {
            assert_eq!(read(CHUNKED, cut), (200, 3, true), "cut at {cut}");
        }
        for cut in 0..=SIZED.len() {
            assert_eq!(read(SIZED, cut), (429, 1, true), "cut at {cut}");
        }
    }

    #[test]
    fn what_is_not_a_response_is_an_error_and_not_a_hang() {
        assert!(Reader::new().feed(b"hello\r\n\r\n").is_err());
        assert!(Reader::new().feed(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(Reader::new().feed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n").is_err());
    }

    #[test]
    fn the_second_response_of_a_connection_is_read_like_the_first() {
        let mut reader = Reader::new();
        assert!(reader.feed(SIZED).unwrap().done);
        reader.again();
        assert_eq!(reader.feed(SIZED).unwrap(), Seen { marks: 1, done: true });
    }
}
