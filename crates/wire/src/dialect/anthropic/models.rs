//! What the vendor's models accept, told by their names; other vendors' names get what compatible servers take.

use crate::catalog;
use std::collections::HashMap;
use std::sync::OnceLock;

/// The output limit of a request that names none. The dialect requires one.
pub(super) fn default_limit(provider: &str, model: &str) -> u64 {
    /// Enough for long answers, low enough for every model whose own limit is unknown to take half of it.
    const MOST: u64 = 32_000;
    const UNKNOWN: u64 = 8_192;
    static LIMITS: OnceLock<HashMap<String, u64>> = OnceLock::new();
    let limits = LIMITS.get_or_init(|| {
        let known = catalog::models().into_iter().filter_map(|m| {
            let limit = m.facts.max_output?;
            Some(
                m.aliases
                    .into_iter()
                    .chain([m.model])
                    .map(move |name| (format!("{}/{name}", m.provider), limit)),
            )
        });
        known.flatten().collect()
    });
    let limit =
        limits.get(&format!("{provider}/{model}")).or_else(|| limits.get(&format!("anthropic/{model}")));
    limit.copied().unwrap_or(UNKNOWN).min(MOST)
}

/// (major, minor) of a Claude name: `claude-sonnet-4-5-20250929` is (4, 5), `claude-3-7-sonnet-latest` (3, 7).
fn version(model: &str) -> Option<(u32, u32)> {
    let name = model.rsplit(['/', '.']).next()?.strip_prefix("claude-")?;
    // Dates stand in the names too; versions are short.
    let mut numbers = name.split('-').filter(|word| word.len() <= 2).filter_map(|word| word.parse().ok());
    Some((numbers.next()?, numbers.next().unwrap_or(0)))
}

/// Whether the model thinks within a budget; later ones judge the depth for themselves and take a level.
pub(super) fn thinks_by_budget(model: &str) -> bool {
    version(model).is_none_or(|version| version < (4, 6))
}

/// Whether the model takes temperature, `top_p` and `top_k`; later ones answer 400.
pub(super) fn takes_sampling(model: &str) -> bool {
    version(model).is_none_or(|version| version < (4, 7))
}

/// Whether the model takes temperature and `top_p` together.
pub(super) fn takes_both(model: &str) -> bool {
    version(model).is_none_or(|version| version < (4, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_s_generation_is_read_from_its_name() {
        assert_eq!(version("claude-sonnet-4-5-20250929"), Some((4, 5)));
        assert_eq!(version("claude-3-7-sonnet-latest"), Some((3, 7)));
        assert_eq!(version("anthropic/claude-opus-4-20250514"), Some((4, 0)));
        assert_eq!(version("claude-haiku-5-5"), Some((5, 5)));
        assert_eq!(version("kimi-k2"), None);
        assert!(thinks_by_budget("claude-sonnet-4-5") && !thinks_by_budget("claude-opus-5"));
        assert!(takes_sampling("some-server") && !takes_sampling("claude-opus-4-7"));
    }

    #[test]
    fn the_output_limit_of_a_request_without_one_fits_the_model() {
        assert_eq!(default_limit("anthropic", "claude-3-5-haiku-latest"), 8_192);
        assert_eq!(default_limit("anthropic", "claude-sonnet-4-5"), 32_000);
        assert_eq!(default_limit("mine", "unknown"), 8_192);
    }
}
