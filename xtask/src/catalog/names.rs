//! The names of a model: which spellings are one model, and which id is another with a date behind it.
//!
//! Pure over ids. What follows from two ids being one model is [`super::join`]'s business.

use std::collections::BTreeMap;

use super::known::MAKERS;
use super::models::{Row, Use};

/// A model's id under every spelling, to its rows in the second list, the maker's first.
pub struct Spellings<'a>(BTreeMap<String, Vec<&'a Row>>);

/// `gpt-4.1` for `gpt-4.1-2025-04-14`, `claude-opus-4-5` for `claude-opus-4-5-20251101` or `...@20251101`.
pub fn undated(id: &str) -> Option<&str> {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if let Some((base, date)) = id.rsplit_once(['-', '@'])
        && date.len() == 8
        && date.starts_with("20")
        && digits(date)
    {
        return Some(base);
    }
    let at = id.len().checked_sub(11).filter(|at| id.is_char_boundary(*at))?;
    let (base, tail) = id.split_at(at);
    let mut parts = tail.strip_prefix('-')?.split('-');
    let shaped = [4, 2, 2].iter().all(|width| parts.next().is_some_and(|p| p.len() == *width && digits(p)));
    (shaped && !base.is_empty()).then_some(base)
}

impl<'a> Spellings<'a> {
    /// Of the whole second list.
    pub fn of(second: &'a BTreeMap<String, Row>) -> Self {
        let rank = |row: &Row| MAKERS.iter().position(|maker| *maker == row.host).unwrap_or(MAKERS.len());
        let mut by_name: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
        for (key, row) in second.iter().filter(|(_, row)| row.purpose != Use::Other) {
            by_name.entry(plain(key)).or_default().push(row);
        }
        by_name.values_mut().for_each(|rows| rows.sort_by_key(|row| rank(row)));
        Self(by_name)
    }

    /// The row that describes this model best, at whatever host.
    pub fn find(&self, id: &str) -> Option<&'a Row> {
        let name = plain(id);
        let rows = self.0.get(&name).or_else(|| self.0.get(undated(&name)?))?;
        rows.first().copied()
    }
}

/// The name of a model whatever host it is at: no path, no variant, one kind of separator, lower case.
fn plain(id: &str) -> String {
    let last = id.rsplit('/').next().unwrap_or(id).to_lowercase();
    let bare = last.rsplit_once("anthropic.").map_or(last.as_str(), |(_, name)| name);
    let bare = bare.split(':').next().unwrap_or(bare);
    let bare = match bare.rsplit_once("-v") {
        Some((name, version)) if last.contains("anthropic.") && version.len() == 1 => name,
        _ => bare,
    };
    bare.replace(['.', '@', '_'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_at_the_end_is_recognised_in_both_forms_and_nothing_else_is() {
        assert_eq!(undated("gpt-4.1-2025-04-14"), Some("gpt-4.1"));
        assert_eq!(undated("claude-opus-4-5-20251101"), Some("claude-opus-4-5"));
        assert_eq!(undated("claude-3-haiku@20240307"), Some("claude-3-haiku"));
        assert_eq!(undated("mistral-small-2603"), None);
        assert_eq!(undated("command-r-08-2024"), None);
        assert_eq!(undated("gpt-5"), None);
        assert_eq!(undated("ü-2025-04-1"), None);
    }

    #[test]
    fn a_model_has_one_plain_name_at_every_host() {
        assert_eq!(plain("anthropic.claude-3-5-sonnet-20241022-v2:0"), "claude-3-5-sonnet-20241022");
        assert_eq!(plain("us.anthropic.claude-opus-4-8"), "claude-opus-4-8");
        assert_eq!(plain("anthropic/claude-opus-4.8"), "claude-opus-4-8");
        assert_eq!(plain("meta-llama/Llama-3.3-70B-Instruct:free"), "llama-3-3-70b-instruct");
        assert_eq!(plain("vertex_ai/claude-3-haiku@20240307"), "claude-3-haiku-20240307");
    }
}
