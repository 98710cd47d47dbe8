//! A client that hides nothing: it writes a request, reads every byte, and tells how the connection ended.

use serde_json::{Value, json};
use sim::{Ended, Entry, Sim, SimConfig, SimHandle};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Closed,
    Reset,
    /// Open, and nothing came any more.
    Quiet,
}

/// A response as it stood on the wire.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    /// Status line and headers, lower-case.
    pub head: String,
    /// Without chunk framing.
    pub body: String,
    /// As many bytes as announced, or the last chunk seen.
    pub whole: bool,
    pub end: End,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e} in {}", self.body))
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let start = format!("{name}: ");
        self.head.lines().find_map(|line| line.strip_prefix(&start))
    }

    /// The data of every event, in order.
    pub fn data(&self) -> Vec<&str> {
        self.body.lines().filter_map(|line| line.strip_prefix("data: ")).collect()
    }

    /// The data of every event that is JSON.
    pub fn events(&self) -> Vec<Value> {
        self.data().iter().filter_map(|d| serde_json::from_str(d).ok()).collect()
    }

    /// The text of an OpenAI stream.
    pub fn openai_text(&self) -> String {
        self.events().iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).collect()
    }

    /// The text of an Anthropic stream.
    pub fn anthropic_text(&self) -> String {
        self.events().iter().filter_map(|e| e["delta"]["text"].as_str()).collect()
    }
}

pub async fn start() -> SimHandle {
    Sim::start(SimConfig::instant("test")).await.expect("a free port")
}

pub async fn connect(sim: &SimHandle, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(sim.addr()).await.expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    stream
}

/// A request with both vendors' credentials and version headers.
pub fn request(path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!(
        "POST {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\nauthorization: Bearer sk-test-1234567890\r\n\
         anthropic-version: 2023-06-01\r\ncontent-type: application/json\r\n{more}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub async fn send(sim: &SimHandle, request: &str) -> Got {
    let mut stream = connect(sim, request).await;
    let mut bytes = Vec::new();
    let end = read(&mut stream, &mut bytes).await;
    parse(&bytes, end)
}

pub async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> End {
    loop {
        match tokio::time::timeout(Duration::from_secs(1), stream.read_buf(bytes)).await {
            Err(_) => return End::Quiet,
            Ok(Ok(0)) => return End::Closed,
            Ok(Ok(_)) => {}
            Ok(Err(e)) if e.kind() == ErrorKind::ConnectionReset => return End::Reset,
            Ok(Err(e)) => panic!("{e}"),
        }
    }
}

fn parse(bytes: &[u8], end: End) -> Got {
    let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let Some((head, rest)) = text.split_once("\r\n\r\n") else {
        return Got { status: 0, head: String::new(), body: text, whole: false, end };
    };
    let head = head.to_lowercase();
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status line");
    if head.contains("transfer-encoding: chunked") {
        let (body, whole) = dechunk(rest.as_bytes());
        return Got { status, head, body, whole, end };
    }
    let announced =
        head.lines().find_map(|l| l.strip_prefix("content-length: ")).and_then(|n| n.parse().ok());
    Got { status, whole: announced == Some(rest.len()), head, body: rest.to_owned(), end }
}

fn dechunk(mut rest: &[u8]) -> (String, bool) {
    let mut body = Vec::new();
    let mut whole = false;
    while let Some(at) = rest.windows(2).position(|w| w == b"\r\n") {
        let size = std::str::from_utf8(&rest[..at]).ok().and_then(|s| usize::from_str_radix(s, 16).ok());
        let size = size.expect("a chunk size");
        if size == 0 {
            whole = true;
            break;
        }
        let chunk = &rest[at + 2..];
        body.extend_from_slice(&chunk[..size.min(chunk.len())]);
        rest = chunk.get(size + 2..).unwrap_or_default();
    }
    (String::from_utf8(body).expect("UTF-8"), whole)
}

pub async fn openai(sim: &SimHandle, headers: &[(&str, &str)], body: Value) -> Got {
    send(sim, &request("/v1/chat/completions", headers, &body.to_string())).await
}

pub async fn anthropic(sim: &SimHandle, headers: &[(&str, &str)], body: Value) -> Got {
    send(sim, &request("/v1/messages", headers, &body.to_string())).await
}

/// A plain question in the OpenAI dialect, with more fields.
pub fn asks(more: Value) -> Value {
    with(json!({"model": "gpt-4.1", "messages": [{"role": "user", "content": "Where is my order?"}]}), more)
}

/// A plain question in the Anthropic dialect, with more fields.
pub fn says(more: Value) -> Value {
    let plain = json!({"model": "claude-sonnet-4-5", "max_tokens": 2048,
                       "messages": [{"role": "user", "content": "Where is my order?"}]});
    with(plain, more)
}

fn with(mut base: Value, more: Value) -> Value {
    let (Value::Object(fields), Value::Object(more)) = (&mut base, more) else { panic!("objects") };
    fields.extend(more);
    base
}

/// The newest log entry, once it has ended.
pub async fn last_ended(sim: &SimHandle) -> Entry {
    for _ in 0..500 {
        if let Some(entry) = sim.log().pop().filter(|e| e.ended != Ended::Open) {
            return entry;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("still open after five seconds: {:?}", sim.log().pop());
}
