//! What a request asks for, in no dialect: all that the answer depends on.
//!
//! A dialect's `read` makes one after checking the request; [`crate::answer`] answers it.

use serde_json::Value;

/// One accepted request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ask {
    pub(crate) model: String,
    pub(crate) stream: bool,
    /// The stream ends with usage (Anthropic always, OpenAI when `stream_options.include_usage` is set).
    pub(crate) stream_usage: bool,
    /// The last words of the user.
    pub(crate) last_user: String,
    /// Results that follow the last assistant's turn, in the order in which they came.
    pub(crate) results: Vec<ToolResult>,
    pub(crate) tools: Vec<Tool>,
    pub(crate) choice: Choice,
    /// More than one call in a turn is allowed.
    pub(crate) parallel: bool,
    /// A sentence before tool calls is customary in the dialect.
    pub(crate) preface: bool,
    pub(crate) format: Format,
    pub(crate) stop: Vec<String>,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) thinking: Thinking,
    /// The assistant's unfinished turn that the answer continues.
    pub(crate) prefix: Option<String>,
    /// How many answers are wanted.
    pub(crate) n: usize,
    /// Characters of everything the model reads.
    pub(crate) prompt_chars: usize,
    pub(crate) images: usize,
    /// Up to the last cache mark: a key of the marked prefix, and its characters.
    pub(crate) cache_mark: Option<(u64, usize)>,
    /// A call without arguments is sent with an empty string instead of `{}`.
    pub(crate) bare_arguments: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) schema: Value,
}

#[derive(Debug, Clone)]
pub(crate) struct ToolResult {
    pub(crate) tool: String,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    #[default]
    Auto,
    Never,
    Required,
    Named(String),
}

#[derive(Debug, Clone, Default)]
pub(crate) enum Format {
    #[default]
    Text,
    AnyJson,
    Schema(Value),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Thinking {
    #[default]
    None,
    /// Counted in usage, never shown; about so many tokens.
    Hidden(u64),
    /// Sent with a signature; at most so many tokens.
    Shown(u64),
    /// Only the signature is sent.
    Omitted(u64),
}

/// How many tokens a text counts: one for every four characters, rounded up.
///
/// A rule that anyone can check by hand; vendors' own counts differ.
pub fn tokens(chars: usize) -> u64 {
    chars.div_ceil(4) as u64
}

/// What an image counts, whatever its size.
pub(crate) const IMAGE_TOKENS: u64 = 256;

impl Ask {
    pub(crate) fn input_tokens(&self) -> u64 {
        tokens(self.prompt_chars).max(1) + self.images as u64 * IMAGE_TOKENS
    }
}
