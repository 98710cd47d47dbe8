//! What the simulated provider received, what it answered and how each request ended. In memory, bounded.
//!
//! Credentials never enter: a header that carries one is kept as its scheme and a short hash. How a request ended is
//! reported by its [`Visit`], which also notices a client that left.

use crate::answer::Usage;
use crate::ask::tokens;
use crate::clock::{rfc3339, since_epoch};
use crate::hangup::{Hangup, State};
use crate::seed::{credential_hash, sha256};
use http::HeaderMap;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

/// All bodies together hold no more than this; the oldest are dropped first.
const MOST_BODY_BYTES: usize = 128 * 1024 * 1024;

/// One request, as `GET /_sim/log` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Counts up from 1 and never restarts.
    pub seq: u64,
    /// When the request had been read, RFC 3339 with milliseconds.
    pub at: String,
    /// The configured name of the simulated provider.
    pub provider: String,
    /// `openai` or `anthropic`.
    pub dialect: &'static str,
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// HTTP version, as in `HTTP/1.1`.
    pub version: String,
    /// The model asked for; empty where the request names none.
    pub model: String,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Lower-case names. Credentials are replaced by `<scheme> sha256:<hash>`.
    pub headers: BTreeMap<String, String>,
    /// The credential, if any.
    pub credential: Option<Credential>,
    /// The body's exact text; `None` once it was dropped to save memory.
    pub body: Option<String>,
    /// The body was longer than the log keeps, or no UTF-8.
    pub body_altered: bool,
    /// Length of the body.
    pub body_bytes: usize,
    /// SHA-256 of the body, hexadecimal.
    pub body_sha256: String,
    /// The fault that was applied, as its JSON.
    pub fault: Option<serde_json::Value>,
    /// The status that was sent; `None` while, or if, none was.
    pub status: Option<u16>,
    /// How it ended, or that it has not yet.
    pub ended: Ended,
    /// Milliseconds from the request to its end.
    pub ended_ms: Option<u64>,
    /// What a vendor would bill: all of it, or up to where the stream ended.
    pub usage: Option<Usage>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Not yet.
    Open,
    /// The whole answer was sent (or all that the fault lets through).
    Complete,
    /// The client closed the connection first.
    ClientLeft,
    /// Closed by a fault.
    Cut,
    /// Reset by a fault.
    Reset,
    /// The provider was unplugged or shut down meanwhile.
    Unplugged,
}

/// A credential without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Credential {
    /// The header that carried it.
    pub header: String,
    /// `Bearer` and the like; empty where the header is the secret alone.
    pub scheme: String,
    /// See [`crate::credential_hash`].
    pub hash: String,
}

const SECRET_HEADERS: &[&str] =
    &["authorization", "x-api-key", "api-key", "x-goog-api-key", "proxy-authorization", "cookie"];

/// What is known of a request when it arrives.
pub(crate) struct Arrival<'a> {
    pub(crate) provider: &'a str,
    pub(crate) dialect: &'static str,
    pub(crate) method: &'a http::Method,
    pub(crate) path: String,
    pub(crate) version: http::Version,
    pub(crate) model: &'a str,
    pub(crate) stream: bool,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) fault: Option<serde_json::Value>,
    pub(crate) keep_body: usize,
}

#[derive(Debug)]
pub(crate) struct Log {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: VecDeque<Entry>,
    last_seq: u64,
    body_bytes: usize,
    /// Entries before this one have lost their bodies.
    bodies_from: u64,
}

impl Log {
    pub(crate) fn new(most: usize) -> Self {
        Self { most: most.max(1), kept: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn arrive(&self, arrival: &Arrival<'_>) -> u64 {
        let text = std::str::from_utf8(arrival.body);
        let kept_text = match text {
            Ok(text) if text.len() <= arrival.keep_body => text.to_owned(),
            _ => String::from_utf8_lossy(&arrival.body[..arrival.body.len().min(arrival.keep_body)])
                .into_owned(),
        };
        let (headers, credential) = headers(arrival.headers);
        let mut entry = Entry {
            seq: 0,
            at: rfc3339(since_epoch(SystemTime::now()), true),
            provider: arrival.provider.to_owned(),
            dialect: arrival.dialect,
            method: arrival.method.to_string(),
            path: arrival.path.clone(),
            version: format!("{:?}", arrival.version),
            model: arrival.model.to_owned(),
            stream: arrival.stream,
            headers,
            credential,
            body_altered: kept_text.as_bytes() != arrival.body,
            body: Some(kept_text),
            body_bytes: arrival.body.len(),
            body_sha256: sha256(arrival.body),
            fault: arrival.fault.clone(),
            status: None,
            ended: Ended::Open,
            ended_ms: None,
            usage: None,
        };
        let mut kept = self.lock();
        kept.last_seq += 1;
        entry.seq = kept.last_seq;
        kept.body_bytes += entry.body.as_ref().map_or(0, String::len);
        kept.entries.push_back(entry);
        kept.trim(self.most);
        kept.last_seq
    }

    fn update(&self, seq: u64, change: impl FnOnce(&mut Entry)) {
        let mut kept = self.lock();
        let first = kept.entries.front().map_or(u64::MAX, |e| e.seq);
        let index = seq.checked_sub(first).and_then(|i| usize::try_from(i).ok());
        if let Some(entry) = index.and_then(|i| kept.entries.get_mut(i)) {
            change(entry);
        }
    }

    /// Entries after `since`, oldest first.
    pub(crate) fn since(&self, since: u64) -> Vec<Entry> {
        self.lock().entries.iter().filter(|e| e.seq > since).cloned().collect()
    }

    pub(crate) fn clear(&self) {
        let mut kept = self.lock();
        kept.entries.clear();
        kept.body_bytes = 0;
    }
}

impl Kept {
    fn trim(&mut self, most: usize) {
        while self.entries.len() > most {
            let gone = self.entries.pop_front();
            self.body_bytes -= gone.and_then(|e| e.body).map_or(0, |b| b.len());
        }
        let first = self.entries.front().map_or(0, |e| e.seq);
        self.bodies_from = self.bodies_from.max(first);
        while self.body_bytes > MOST_BODY_BYTES {
            let index = (self.bodies_from - first) as usize;
            let Some(entry) = self.entries.get_mut(index) else { break };
            self.body_bytes -= entry.body.take().map_or(0, |b| b.len());
            self.bodies_from += 1;
        }
    }
}

fn headers(headers: &HeaderMap) -> (BTreeMap<String, String>, Option<Credential>) {
    let mut kept: BTreeMap<String, String> = BTreeMap::new();
    let mut credential = None;
    for (name, value) in headers {
        let name = name.as_str();
        let mut value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        if SECRET_HEADERS.contains(&name) {
            let (scheme, secret) = match value.split_once(' ') {
                Some((scheme, secret)) if name.ends_with("authorization") => (scheme, secret.trim()),
                _ => ("", value.as_str()),
            };
            let found = Credential {
                header: name.to_owned(),
                scheme: scheme.to_owned(),
                hash: credential_hash(secret),
            };
            value = format!("{} sha256:{}", found.scheme, found.hash).trim_start().to_owned();
            credential.get_or_insert(found);
        }
        kept.entry(name.to_owned())
            .and_modify(|before| {
                before.push_str(", ");
                before.push_str(&value);
            })
            .or_insert(value);
    }
    (kept, credential)
}

/// One request on its way; reports to the log how it ended, however it ends.
#[derive(Debug)]
pub(crate) struct Visit {
    log: Arc<Log>,
    seq: u64,
    began: Instant,
    hangup: Arc<Hangup>,
    /// What the whole answer costs; `None` where nothing is billed.
    bill: Option<Usage>,
    /// Whether part of an answer is worth something to the client, as in a stream.
    by_the_word: bool,
    answering: bool,
    chars: usize,
    ended: bool,
}

impl Visit {
    pub(crate) fn new(log: Arc<Log>, seq: u64, began: Instant, hangup: Arc<Hangup>) -> Self {
        let (by_the_word, answering) = (false, false);
        Self { log, seq, began, hangup, bill: None, by_the_word, answering, chars: 0, ended: false }
    }

    pub(crate) fn bill(&mut self, bill: Option<Usage>, by_the_word: bool) {
        (self.bill, self.by_the_word) = (bill, by_the_word);
    }

    pub(crate) fn answers(&mut self, status: u16) {
        self.answering = true;
        self.log.update(self.seq, |e| e.status = Some(status));
    }

    pub(crate) fn delivered(&mut self, chars: usize) {
        self.chars += chars;
    }

    pub(crate) fn end(&mut self, ended: Ended) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let usage = match (self.bill, ended) {
            (Some(whole), Ended::Complete) => Some(whole),
            (Some(whole), _) if self.answering && self.by_the_word => {
                Some(Usage { output: whole.output.min(tokens(self.chars)), reasoning: 0, ..whole })
            }
            _ => None,
        };
        self.log.update(self.seq, |entry| {
            entry.ended = ended;
            entry.ended_ms = Some(ms);
            entry.usage = usage;
        });
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        // Dropped before its end: the connection went away under it.
        self.end(match self.hangup.state() {
            State::Unplugged => Ended::Unplugged,
            State::Cut => Ended::Cut,
            State::Reset => Ended::Reset,
            State::Connected => Ended::ClientLeft,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> Arrival<'a> {
        Arrival {
            provider: "p",
            dialect: "openai",
            method: &http::Method::POST,
            path: "/v1/chat/completions".to_owned(),
            version: http::Version::HTTP_11,
            model: "m",
            stream: false,
            headers,
            body,
            fault: None,
            keep_body: 8,
        }
    }

    #[test]
    fn credentials_are_kept_as_scheme_and_hash_only() {
        let mut sent = HeaderMap::new();
        sent.insert("authorization", "Bearer sk-secret".parse().unwrap());
        sent.insert("x-app", "shop".parse().unwrap());
        let log = Log::new(10);
        log.arrive(&arrival(&sent, b"{}"));
        let entry = log.since(0).remove(0);
        let hash = credential_hash("sk-secret");
        assert_eq!(entry.headers["authorization"], format!("Bearer sha256:{hash}"));
        assert_eq!(entry.headers["x-app"], "shop");
        assert_eq!(entry.credential.unwrap().hash, hash);
        assert!(!serde_json::to_string(&log.since(0)).unwrap().contains("sk-secret"));
    }

    #[test]
    fn the_log_forgets_the_oldest_and_keeps_counting() {
        let none = HeaderMap::new();
        let log = Log::new(2);
        let seqs = [(); 3].map(|()| log.arrive(&arrival(&none, b"0123456789")));
        assert_eq!(seqs, [1, 2, 3]);
        let entries = log.since(0);
        assert_eq!(entries.iter().map(|e| e.seq).collect::<Vec<_>>(), [2, 3]);
        assert_eq!((entries[0].body.as_deref(), entries[0].body_altered), (Some("01234567"), true));
        assert_eq!(entries[0].body_bytes, 10);
        log.update(1, |_| panic!("entry 1 is gone"));
        log.update(3, |e| e.status = Some(200));
        assert_eq!(log.since(2)[0].status, Some(200));
        log.clear();
        assert_eq!(log.arrive(&arrival(&none, b"")), 4);
    }
}
