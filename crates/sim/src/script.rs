//! The script: which requests fail, or are answered in a given way, and how often.
//!
//! Rules are tried in order; the first that matches, has turns left and wins its percentage decides. Nothing here
//! knows HTTP beyond names and values; [`crate::serve`] asks [`Desk::decide`] once a request.

use crate::fault::Fault;
use crate::seed::{Dice, hash};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// A list of rules, as `POST /_sim/script` takes it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Tried in order.
    pub rules: Vec<Rule>,
    /// Adds to the rules in force instead of replacing them.
    #[serde(default)]
    pub append: bool,
}

impl Script {
    /// Every request fails in this way.
    pub fn always(fault: Fault) -> Self {
        Self { rules: vec![Rule::of(fault)], append: false }
    }
}

/// One rule: whom it concerns, how often, and what happens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// An empty match concerns every request.
    #[serde(default, rename = "match")]
    pub matches: Match,
    /// How many requests it decides before it is spent; no limit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// Lets so many matching requests pass first.
    #[serde(default)]
    pub skip: u64,
    /// The share of matching requests that it decides, 0 to 100; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// What goes wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// What is answered instead of the generated text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Line>,
    /// Milliseconds to the first token, instead of the configured ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_ms: Option<u64>,
    /// Milliseconds between tokens, instead of the configured ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_ms: Option<u64>,
}

impl Rule {
    /// A rule for every request.
    pub fn of(fault: Fault) -> Self {
        Self { fault: Some(fault), ..Self::default() }
    }

    /// The same rule for so many requests only.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }
}

/// Whom a rule concerns; every given part must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// The configured name of the simulated provider, or the dialect (`openai`, `anthropic`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model asked for; a trailing `*` matches any ending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The path; a trailing `*` matches any ending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Headers and their values (names in any case); `*` matches any value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub header: BTreeMap<String, String>,
    /// A piece of the request body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// Streamed or whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
}

/// A scripted answer. What is absent is generated as usual.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Line {
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Reasoning that the client sees: `reasoning_content` (as DeepSeek sends it) in the OpenAI dialect, a thinking
    /// block in the Anthropic one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// Anthropic: the thinking comes as `redacted_thinking`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
    /// Tool calls, whether the request declares these tools or not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<LineCall>,
    /// Tokens of the prompt that count as read from a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// Tokens of the answer that count as reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// About how many tokens the generated text has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<usize>,
}

/// A scripted tool call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineCall {
    /// The tool.
    pub name: String,
    /// Its arguments: a JSON object, or a string that is sent as it stands (where the dialect has room for one).
    #[serde(default)]
    pub arguments: serde_json::Value,
}

/// What a rule can see of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) provider: &'a str,
    pub(crate) dialect: &'a str,
    pub(crate) model: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a http::HeaderMap,
    pub(crate) body: &'a str,
    pub(crate) stream: bool,
}

impl Match {
    fn holds(&self, seen: &Seen<'_>) -> bool {
        self.provider.as_deref().is_none_or(|p| p == seen.provider || p == seen.dialect)
            && self.model.as_deref().is_none_or(|m| like(m, seen.model))
            && self.path.as_deref().is_none_or(|p| like(p, seen.path))
            && self.contains.as_deref().is_none_or(|c| seen.body.contains(c))
            && self.stream.is_none_or(|s| s == seen.stream)
            && self.header.iter().all(|(name, wanted)| {
                let value = seen.headers.get(name.as_str()).and_then(|v| v.to_str().ok());
                value.is_some_and(|v| wanted == "*" || wanted == v)
            })
    }
}

fn like(pattern: &str, value: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => value.starts_with(start),
        None => pattern == value,
    }
}

/// The rules in force and how often each has had its turn.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    rules: Mutex<Vec<Kept>>,
}

#[derive(Debug)]
struct Kept {
    rule: Rule,
    matched: u64,
    decided: u64,
}

impl Desk {
    pub(crate) fn load(&self, script: Script) {
        let mut rules = self.lock();
        if !script.append {
            rules.clear();
        }
        rules.extend(script.rules.into_iter().map(|rule| Kept { rule, matched: 0, decided: 0 }));
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// The rules in force, with how many requests each has decided.
    pub(crate) fn show(&self) -> Vec<(Rule, u64)> {
        self.lock().iter().map(|k| (k.rule.clone(), k.decided)).collect()
    }

    /// The rule that decides this request, if any; counts its turn.
    pub(crate) fn decide(&self, seen: &Seen<'_>) -> Option<Rule> {
        let mut rules = self.lock();
        for (position, kept) in rules.iter_mut().enumerate() {
            if kept.rule.times.is_some_and(|t| kept.decided >= t) || !kept.rule.matches.holds(seen) {
                continue;
            }
            kept.matched += 1;
            if kept.matched <= kept.rule.skip {
                continue;
            }
            // Drawn from the request's number under this rule, so a percentage falls the same way on every run.
            let draw =
                Dice::new(hash(seen.provider.as_bytes()) ^ (position as u64) << 48 ^ kept.matched).unit();
            if kept.rule.percent.is_none_or(|p| draw * 100.0 < p) {
                kept.decided += 1;
                return Some(kept.rule.clone());
            }
        }
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Kept>> {
        self.rules.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    fn decide(desk: &Desk, model: &str, headers: &HeaderMap, body: &str) -> Option<&'static str> {
        let seen = Seen {
            provider: "one",
            dialect: "openai",
            model,
            path: "/v1/chat/completions",
            headers,
            body,
            stream: true,
        };
        desk.decide(&seen).and_then(|r| r.fault).map(|f| f.kind())
    }

    fn load(text: &str) -> Desk {
        let desk = Desk::default();
        desk.load(serde_json::from_str(text).expect("a script"));
        desk
    }

    #[test]
    fn the_first_rule_with_turns_left_decides() {
        let desk = load(
            r#"{"rules":[{"times":1,"fault":{"kind":"auth"}},{"match":{"model":"gpt-*"},"fault":{"kind":"quota"}}]}"#,
        );
        let none = HeaderMap::new();
        assert_eq!(decide(&desk, "gpt-4.1", &none, ""), Some("auth"));
        assert_eq!(decide(&desk, "gpt-4.1", &none, ""), Some("quota"));
        assert_eq!(decide(&desk, "claude", &none, ""), None);
        assert_eq!(desk.show().iter().map(|(_, n)| *n).collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn every_part_of_a_match_must_hold() {
        let desk = load(
            r#"{"rules":[{"match":{"provider":"openai","path":"/v1/chat*","header":{"X-App":"shop"},"contains":"refund",
                "stream":true},"skip":1,"fault":{"kind":"empty"}}]}"#,
        );
        let mut headers = HeaderMap::new();
        assert_eq!(decide(&desk, "m", &headers, "refund"), None, "no header");
        headers.insert("x-app", "shop".parse().unwrap());
        assert_eq!(decide(&desk, "m", &headers, "other"), None, "another text");
        assert_eq!(decide(&desk, "m", &headers, "a refund"), None, "skipped");
        assert_eq!(decide(&desk, "m", &headers, "a refund"), Some("empty"));
    }

    #[test]
    fn a_percentage_holds_over_many_requests_and_repeats() {
        let script = r#"{"rules":[{"percent":25,"fault":{"kind":"cut"}}]}"#;
        let none = HeaderMap::new();
        let run = |desk: &Desk| (0..1000).map(|_| decide(desk, "m", &none, "").is_some()).collect::<Vec<_>>();
        let (first, second) = (run(&load(script)), run(&load(script)));
        assert_eq!(first, second);
        let hits = first.iter().filter(|h| **h).count();
        assert!((200..300).contains(&hits), "{hits} of 1000");
    }
}
