//! The top-level fields of each dialect's requests: what is known, what is harmless to leave out, what is ours.
//!
//! Two rules use these tables. `glance` refuses a key that differs from a known one only in case. A translation
//! carries a field, leaves it out when this table says that it does not change the answer, or refuses the request.

use model::{Dialect, Json, Operation};
use std::borrow::Cow;

/// Fields of OpenAI chat requests, the vendors' well-known additions and OpenRouter's routing fields among them.
/// Sorted by length, so that a key is compared with few others.
const OPENAI: &[&str] = &[
    "n",
    "seed",
    "stop",
    "user",
    "audio",
    "min_p",
    "model",
    "route",
    "store",
    "tools",
    "top_a",
    "top_k",
    "top_p",
    "models",
    "stream",
    "best_of",
    "plugins",
    "logprobs",
    "messages",
    "metadata",
    "provider",
    "thinking",
    "functions",
    "reasoning",
    "verbosity",
    "logit_bias",
    "max_tokens",
    "modalities",
    "moderation",
    "prediction",
    "transforms",
    "temperature",
    "tool_choice",
    "service_tier",
    "top_logprobs",
    "function_call",
    "stream_options",
    "response_format",
    "presence_penalty",
    "prompt_cache_key",
    "reasoning_effort",
    "frequency_penalty",
    "safety_identifier",
    "repetition_penalty",
    "web_search_options",
    "parallel_tool_calls",
    "prompt_cache_options",
    "max_completion_tokens",
    "prompt_cache_retention",
];

/// Fields of embedding requests.
const OPENAI_EMBED: &[&str] = &["user", "input", "model", "dimensions", "encoding_format"];

/// Fields of Anthropic message and token counting requests.
const ANTHROPIC: &[&str] = &[
    "betas",
    "model",
    "speed",
    "tools",
    "top_k",
    "top_p",
    "stream",
    "system",
    "messages",
    "metadata",
    "thinking",
    "container",
    "max_tokens",
    "diagnostics",
    "mcp_servers",
    "temperature",
    "tool_choice",
    "service_tier",
    "workspace_id",
    "cache_control",
    "inference_geo",
    "output_config",
    "output_format",
    "stop_sequences",
    "user_profile_id",
    "context_management",
];

/// The known fields of a request, sorted by length.
pub(crate) fn known(dialect: Dialect, operation: Operation) -> &'static [&'static str] {
    match (dialect, operation) {
        (Dialect::OpenAi, Operation::Embed) => OPENAI_EMBED,
        (Dialect::Anthropic, _) => ANTHROPIC,
        _ => OPENAI,
    }
}

/// Fields that do not change the answer: a translation leaves them out when the target has no place for them.
///
/// They name the caller, choose a queue or a cache, ask to keep a copy, or say how frames are padded.
const HARMLESS: &[&str] = &[
    "user",
    "store",
    "speed",
    "betas",
    "metadata",
    "diagnostics",
    "service_tier",
    "cache_control",
    "prompt_cache_key",
    "safety_identifier",
    "user_profile_id",
    "prompt_cache_options",
    "prompt_cache_retention",
    // Read by the gateway itself as wishes for routing; never meant for a vendor of another dialect.
    "models",
    "route",
    "provider",
    "transforms",
];

/// Fields that only shape how the words are drawn. Where a target's model refuses them outright they are left out,
/// because the answer stays of the same kind and the request would otherwise have no fallback at all.
const SOFT: &[&str] = &["seed", "temperature", "top_p", "top_k", "verbosity"];

/// Whether a field may be left out of a translation.
pub(crate) fn harmless(field: &str) -> bool {
    HARMLESS.contains(&field)
}

/// Whether a sampling field may be left out where the target's model refuses it.
pub(crate) fn soft(field: &str) -> bool {
    SOFT.contains(&field)
}

/// Whether a field's value asks for nothing: off, empty, or what would be done anyway.
pub(crate) fn neutral(field: &str, value: &Json<'_>) -> bool {
    match value.raw() {
        "null" | "false" | "0" | "0.0" | "[]" | "{}" | "\"\"" => true,
        "1" | "1.0" => matches!(field, "n" | "best_of" | "top_p" | "repetition_penalty"),
        "[\"text\"]" => field == "modalities",
        _ => false,
    }
}

/// What a top-level key is to the dialect.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// The field at this index of the table.
    Known(usize),
    /// A field that this table does not have.
    Unknown,
    /// Reads like this known field to software that ignores case.
    Variant(&'static str),
}

/// Looks a key up. Letters are folded as widely as the laxest JSON readers do: ASCII case, the long s, the Kelvin sign.
pub(crate) fn spelling(table: &'static [&'static str], key: &str) -> Spelling {
    let folded: Cow<'_, str> = if key.is_ascii() {
        Cow::Borrowed(key)
    } else {
        Cow::Owned(key.replace('\u{17f}', "s").replace('\u{212a}', "k"))
    };
    let (length, mut variant) = (folded.len(), None);
    for (index, known) in table.iter().enumerate() {
        if known.len() < length {
            continue;
        }
        if known.len() > length {
            break;
        }
        if *known == key {
            return Spelling::Known(index);
        }
        if known.eq_ignore_ascii_case(&folded) {
            variant = Some(*known);
        }
    }
    variant.map_or(Spelling::Unknown, Spelling::Variant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_by_length_and_fit_a_bit_set() {
        for table in [OPENAI, OPENAI_EMBED, ANTHROPIC] {
            assert!(table.is_sorted_by_key(|field| field.len()), "{table:?}");
            assert!(table.len() <= 64);
        }
    }

    #[test]
    fn a_spelling_that_a_lax_reader_takes_for_a_known_field_is_a_variant() {
        assert_eq!(spelling(OPENAI, "Model"), Spelling::Variant("model"));
        assert_eq!(spelling(OPENAI, "\u{17f}tream"), Spelling::Variant("stream"));
        assert_eq!(spelling(OPENAI, "to\u{212a}en"), Spelling::Unknown);
        assert_eq!(spelling(OPENAI, "x_mine"), Spelling::Unknown);
        assert!(matches!(spelling(OPENAI, "model"), Spelling::Known(_)));
    }
}
