//! Who may call what, and how much.

use model::Money;
use serde::Serialize;
use std::sync::Arc;

/// `teams.<name>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Team {
    /// Its name.
    pub name: Arc<str>,
    /// The workflows its keys may call.
    pub workflows: Vec<Arc<str>>,
    /// Patterns of the targets its keys may call directly; `*` stands for any run of characters.
    pub targets: Vec<Arc<str>>,
    /// What it may spend, window by window.
    pub budget: Vec<Budget>,
    /// How fast it may go.
    pub limits: TeamLimits,
}

/// One window of `teams.<name>.budget`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// US dollars.
    pub usd: Money,
    /// In each of these.
    pub per: Period,
}

/// A calendar window, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Period {
    Hour,
    Day,
    Week,
    Month,
}

/// `teams.<name>.limits`. `None` is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TeamLimits {
    /// Requests in a minute.
    pub requests_per_minute: Option<u64>,
    /// Tokens in a minute, prompt and answer.
    pub tokens_per_minute: Option<u64>,
}

impl Team {
    /// Whether its keys may call this target without a workflow.
    pub fn allows_target(&self, name: &str) -> bool {
        self.targets.iter().any(|pattern| glob(pattern, name))
    }
    /// Whether its keys may call this workflow.
    pub fn allows_workflow(&self, name: &str) -> bool {
        self.workflows.iter().any(|w| &**w == name)
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any run of characters, slashes included.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, mut rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    while let Some((piece, after)) = rest.split_once('*') {
        // The leftmost fit is as good as any: what follows may begin anywhere behind it.
        let Some(at) = text.find(piece) else { return false };
        text = &text[at + piece.len()..];
        rest = after;
    }
    text.ends_with(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run() {
        let cases = [
            ("openai/*", "openai/gpt-4.1", true),
            ("openai/*", "azure/gpt-4.1", false),
            ("*", "anything/at/all", true),
            ("*/gpt-4.1", "azure/gpt-4.1", true),
            ("*/gpt-4.1", "azure/gpt-4.1-mini", false),
            ("together/*Llama*", "together/meta-llama/Llama-3", true),
            ("a*b*b", "ab", false),
            ("a*b*b", "abb", true),
            ("openai/gpt-4.1", "openai/gpt-4.1", true),
        ];
        for (pattern, text, fits) in cases {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }
}
