//! Decides what is sent for one request: an error, a fault instead of an answer, or an answer that a fault may spoil.
//!
//! Nothing here waits; the reply is a list of acts that [`crate::serve`] and [`crate::body`] perform.

use crate::answer::{Direction, Usage, compose};
use crate::clock::since_epoch;
use crate::config::Keys;
use crate::dialect::{Call, Dialect, Endpoint, Limits, Refused, Trouble};
use crate::fault::Fault;
use crate::play::{self, Act, Ending, Tempo};
use crate::script::Rule;
use crate::seed::{Dice, Mint, hash};
use crate::server::Shared;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use std::sync::PoisonError;
use std::time::{Duration, Instant, SystemTime};

/// Requests and tokens of the current minute, for the limit headers.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    minute: u64,
    requests: u64,
    tokens: u64,
}

/// What is sent, before it is performed.
pub(crate) struct Reply {
    /// What happens before the headers.
    pub(crate) lead: Vec<Act>,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) acts: Vec<Act>,
    pub(crate) bill: Option<Usage>,
    pub(crate) by_the_word: bool,
}

/// Everything needed to reply to one request.
pub(crate) struct Task<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) rule: &'a Rule,
    pub(crate) mint: &'a Mint,
    pub(crate) began: Instant,
    pub(crate) model: &'a str,
    pub(crate) stream: bool,
}

impl Task<'_> {
    /// The reply to a request that leads somewhere.
    pub(crate) fn reply(&self, endpoint: &Endpoint, parsed: Result<Value, serde_json::Error>) -> Reply {
        let fault = self.rule.fault.as_ref();
        if let Some(reply) = fault.and_then(|f| self.instead(f)) {
            return reply;
        }
        let body = match parsed {
            Ok(Value::Object(body)) => body,
            Ok(_) => return self.trouble(&Trouble::NotJson("Input should be an object".to_owned())),
            Err(why) => return self.trouble(&Trouble::NotJson(why.to_string())),
        };
        if let Some(trouble) = self.keyless() {
            return self.trouble(&trouble);
        }
        let call = Call { headers: self.headers, body: &body, config: &self.shared.config, mint: self.mint };
        let mut reply = match endpoint {
            Endpoint::Answer => self.answer(&call),
            _ => match self.dialect.side(endpoint, &call) {
                Ok(body) => self.whole(200, body.text().into(), 0, fault),
                Err(refused) => self.refused(refused),
            },
        };
        if let Some(Fault::SlowHeaders { ms }) = fault {
            reply.lead.insert(0, Act::Wait(Duration::from_millis(*ms)));
        }
        reply
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        let ask = match self.dialect.read(call) {
            Ok(ask) => ask,
            Err(refused) => return self.refused(refused),
        };
        let config = &self.shared.config;
        let fault = self.rule.fault.as_ref();
        let cached =
            ask.cache_mark.is_some_and(|(key, _)| self.seen_before(key ^ hash(ask.model.as_bytes())));
        let direction = Direction {
            line: self.rule.answer.as_ref(),
            fault,
            tokens: config.tokens_per_answer,
            voice: config.voice,
            cached,
        };
        let answer = compose(&ask, direction);
        let mut tempo = Tempo {
            first: Duration::from_millis(self.rule.first_token_ms.unwrap_or(config.first_token_ms)),
            gap: Duration::from_millis(self.rule.chunk_ms.unwrap_or(config.chunk_ms)),
            jitter: config.jitter_seed.map(|seed| Dice::new(seed ^ hash(ask.last_user.as_bytes()))),
        };
        self.count_tokens(answer.usage);
        if ask.stream {
            let frames = self.dialect.frames(&ask, &answer, self.mint);
            let error = self.dialect.error_frame(self.mint);
            let mut headers = self.vendor_headers(None);
            headers.push(("content-type".to_owned(), "text/event-stream; charset=utf-8".to_owned()));
            headers.push(("cache-control".to_owned(), "no-cache".to_owned()));
            return Reply {
                lead: Vec::new(),
                status: 200,
                headers,
                acts: play::stream(frames, fault, error, tempo),
                bill: Some(answer.usage),
                by_the_word: true,
            };
        }
        if let Some(Fault::SlowFirstToken { ms }) = fault {
            tempo.first = Duration::from_millis(*ms);
        }
        // Where a stream would break in the middle, a whole answer is an error or does not parse.
        match fault {
            Some(Fault::InStreamError { .. }) => return self.trouble(&Trouble::Server(500)),
            Some(Fault::MalformedChunk { .. }) => {
                let text = self.dialect.whole(&ask, &answer, self.mint).body.text();
                let half: String = text.chars().take(text.chars().count() / 2).collect();
                return self.whole(200, half.into(), 0, None);
            }
            _ => {}
        }
        let Refused { status, body } = self.dialect.whole(&ask, &answer, self.mint);
        let mut reply = self.whole(status, body.text().into(), answer.text.chars().count(), fault);
        reply.bill = Some(answer.usage).filter(|_| status == 200);
        reply.lead.push(tempo.whole(answer.usage.output));
        reply
    }

    /// Replies that do not look at the request any further.
    fn instead(&self, fault: &Fault) -> Option<Reply> {
        let secret = self.dialect.credential(self.headers).unwrap_or_default().to_owned();
        let lead = |act| Reply { lead: vec![act], ..self.whole(200, Bytes::new(), 0, None) };
        let text = |body: &'static str, kind: &str| {
            let mut reply = self.whole(200, Bytes::from_static(body.as_bytes()), 0, None);
            set(&mut reply.headers, "content-type", kind);
            reply
        };
        Some(match fault {
            Fault::Status { code, body, headers } => self.status(*code, body.as_ref(), headers),
            Fault::RateLimit { retry_after } => self.rate_limit(*retry_after),
            Fault::Quota {} => self.trouble(&Trouble::Quota),
            Fault::Overloaded {} => self.trouble(&Trouble::Overloaded),
            Fault::ServerError { code } => self.trouble(&Trouble::Server(*code)),
            Fault::Auth {} => self.trouble(&Trouble::BadKey(secret)),
            Fault::EchoKey {} => self.trouble(&Trouble::EchoKey(secret)),
            Fault::ModelGone {} => self.trouble(&Trouble::ModelGone(self.model.to_owned())),
            Fault::ContextExceeded {} => self.trouble(&Trouble::ContextExceeded(262_144)),
            Fault::Reset {} => lead(Act::End(Ending::Reset)),
            Fault::Silence {} => lead(Act::Hang),
            Fault::ErrorIn200 {} => Reply { status: 200, ..self.trouble(&Trouble::Server(500)) },
            Fault::Html200 {} => text(
                "<!DOCTYPE html>\n<html><body><h1>It works!</h1></body></html>\n",
                "text/html; charset=utf-8",
            ),
            Fault::EmptyBody {} if self.stream => text("", "text/event-stream; charset=utf-8"),
            Fault::EmptyBody {} => text("", "application/json"),
            _ => return None,
        })
    }

    fn status(
        &self,
        code: u16,
        body: Option<&Value>,
        headers: &std::collections::BTreeMap<String, String>,
    ) -> Reply {
        let mut reply = match body {
            None => self.trouble(&Trouble::Status(code)),
            Some(Value::String(text)) => self.whole(code, text.clone().into(), 0, None),
            Some(value) => self.whole(code, value.to_string().into(), 0, None),
        };
        for (name, value) in headers {
            set(&mut reply.headers, &name.to_lowercase(), value);
        }
        reply
    }

    fn rate_limit(&self, retry_after: Option<f64>) -> Reply {
        let mut reply = self.trouble(&Trouble::RateLimit);
        let Some(wait) = retry_after.and_then(|s| Duration::try_from_secs_f64(s).ok()) else {
            reply.headers.retain(|(name, _)| !name.contains("ratelimit"));
            return reply;
        };
        for (name, value) in self.vendor_headers(Some(wait)) {
            set(&mut reply.headers, &name, &value);
        }
        let whole_seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        set(&mut reply.headers, "retry-after", &whole_seconds.to_string());
        if self.dialect.name() == "openai" {
            set(&mut reply.headers, "retry-after-ms", &wait.as_millis().to_string());
        }
        reply
    }

    fn keyless(&self) -> Option<Trouble> {
        match (&self.shared.config.keys, self.dialect.credential(self.headers)) {
            (Keys::Open, _) | (Keys::Any, Some(_)) => None,
            (Keys::Only(keys), Some(key)) if keys.iter().any(|k| k == key) => None,
            (Keys::Only(_), Some(key)) => Some(Trouble::BadKey(key.to_owned())),
            (_, None) => Some(Trouble::MissingKey),
        }
    }

    pub(crate) fn trouble(&self, trouble: &Trouble) -> Reply {
        self.refused(self.dialect.trouble(trouble, self.mint))
    }

    fn refused(&self, refused: Refused) -> Reply {
        self.whole(refused.status, refused.body.text().into(), 0, None)
    }

    fn whole(&self, status: u16, body: Bytes, chars: usize, fault: Option<&Fault>) -> Reply {
        let mut headers = self.vendor_headers(None);
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        // Announced in full, so that a body that breaks off is seen to be short.
        headers.push(("content-length".to_owned(), body.len().to_string()));
        let acts = play::whole(body, chars, fault);
        Reply { lead: Vec::new(), status, headers, acts, bill: None, by_the_word: false }
    }

    /// The vendor's headers; with `exhausted`, nothing is left until then.
    fn vendor_headers(&self, exhausted: Option<Duration>) -> Vec<(String, String)> {
        let now = since_epoch(SystemTime::now());
        let (requests, tokens) = self.gauge(now, 0);
        let left = |most: u64, used: u64| if exhausted.is_some() { 0 } else { most.saturating_sub(used) };
        let limits = Limits {
            now,
            requests_left: left(Limits::REQUESTS, requests),
            tokens_left: left(Limits::TOKENS, tokens),
            resets_in: exhausted.unwrap_or(Duration::from_secs(60 - now.as_secs() % 60)),
            took: self.began.elapsed(),
        };
        let headers = self.dialect.headers(self.mint, &limits);
        headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn count_tokens(&self, usage: Usage) {
        let now = since_epoch(SystemTime::now());
        self.gauge(now, usage.input + usage.output);
    }

    /// Adds a request's tokens to the current minute (none: only looks) and tells the minute's requests and tokens.
    fn gauge(&self, now: Duration, tokens: u64) -> (u64, u64) {
        let minute = now.as_secs() / 60;
        let mut gauge = self.shared.gauge.lock().unwrap_or_else(PoisonError::into_inner);
        if gauge.minute != minute {
            *gauge = Gauge { minute, ..Gauge::default() };
        }
        gauge.requests += u64::from(tokens > 0);
        gauge.tokens += tokens;
        (gauge.requests, gauge.tokens)
    }

    /// Whether this prefix was marked before; remembers it.
    fn seen_before(&self, key: u64) -> bool {
        const MOST: usize = 100_000;
        let mut cached = self.shared.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.len() >= MOST {
            cached.clear();
        }
        !cached.insert(key)
    }
}

fn set(headers: &mut Vec<(String, String)>, name: &str, value: &str) {
    headers.retain(|(n, _)| n != name);
    headers.push((name.to_owned(), value.to_owned()));
}
