//! The second list, litellm's: what each model takes, gives and can do.
//!
//! Decides how one row of that list reads in our words. Which provider a row belongs to and what the list
//! leaves out is in [`super::known`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::decimal::Decimal;
use super::prices::{Price, Rates};
use crate::Outcome;

/// What a row is for; rows for pictures, speech and the like are not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    Text,
    Embedding,
    Other,
}

/// One row of the list.
#[derive(Debug)]
pub struct Row {
    /// The list's own provider id.
    pub host: String,
    pub purpose: Use,
    pub context: Option<u64>,
    pub max_output: Option<u64>,
    /// Our words for what the row claims, before [`super::known`] corrects them.
    pub can: BTreeSet<&'static str>,
    /// `Some(false)` where the list says outright that an unfinished turn is refused.
    pub prefix: Option<bool>,
    /// Structured output by the model's own decoder, and not through a forced tool call.
    pub native_schema: bool,
    pub price: Price,
}

#[cfg(test)]
impl Row {
    /// A row that says nothing.
    pub fn silent() -> Self {
        read_row(&Map::new(), "somewhere")
    }
}

/// The list's flags and our words.
const FLAGS: [(&str, &str); 9] = [
    ("supports_function_calling", "tools"),
    ("supports_parallel_function_calling", "parallel_tools"),
    ("supports_vision", "vision"),
    ("supports_audio_input", "audio"),
    ("supports_pdf_input", "pdf"),
    ("supports_response_schema", "json_schema"),
    ("supports_native_structured_output", "json_schema"),
    ("supports_reasoning", "reasoning"),
    ("supports_prompt_caching", "prompt_cache"),
];

/// The list's names of rates, ours, and the power of ten between them.
const RATES: [(&str, &str, i32); 11] = [
    ("input_cost_per_token", "input", 6),
    ("output_cost_per_token", "output", 6),
    ("input_cost_per_token_cache_hit", "cache_read", 6),
    ("cache_read_input_token_cost", "cache_read", 6),
    ("cache_creation_input_token_cost", "cache_write", 6),
    ("cache_creation_input_token_cost_above_1hr", "cache_write_1h", 6),
    ("output_cost_per_reasoning_token", "reasoning", 6),
    ("input_cost_per_audio_token", "input_audio", 6),
    ("output_cost_per_audio_token", "output_audio", 6),
    ("cache_read_input_audio_token_cost", "cache_read_audio", 6),
    ("input_cost_per_request", "per_1k_requests", 3),
];

/// Reads the list as `read_lists.py` prints it, by the list's own keys.
pub fn read(list: &Value) -> Outcome<BTreeMap<String, Row>> {
    let rows = list.as_object().ok_or("the second list has no models")?;
    Ok(rows
        .iter()
        .filter_map(|(key, row)| {
            let row = row.as_object()?;
            Some((key.clone(), read_row(row, row.get("litellm_provider")?.as_str()?)))
        })
        .collect())
}

fn read_row(row: &Map<String, Value>, host: &str) -> Row {
    let purpose = match row.get("mode").and_then(Value::as_str) {
        Some("chat" | "responses" | "completion") => Use::Text,
        Some("embedding") => Use::Embedding,
        _ => Use::Other,
    };
    let flag = |name: &str| row.get(name).and_then(Value::as_bool);
    let mut can: BTreeSet<_> =
        FLAGS.iter().filter(|(theirs, _)| flag(theirs) == Some(true)).map(|(_, ours)| *ours).collect();
    let price = read_price(row, purpose);
    if price.rates.contains_key("cache_read") {
        can.insert("prompt_cache");
    }
    Row {
        host: host.to_owned(),
        purpose,
        context: count(row.get("max_input_tokens").or_else(|| row.get("max_tokens"))),
        max_output: count(row.get("max_output_tokens")).filter(|_| purpose == Use::Text),
        can,
        prefix: flag("supports_assistant_prefill"),
        native_schema: flag("supports_native_structured_output") == Some(true)
            || flag("supports_bedrock_native_structured_output") == Some(true),
        price,
    }
}

/// Counts are numbers in most rows and text in some.
fn count(value: Option<&Value>) -> Option<u64> {
    value?.as_str()?.parse().ok().filter(|count| *count > 0)
}

fn read_price(row: &Map<String, Value>, purpose: Use) -> Price {
    let rates = rates_with(row, "");
    let unknown = ["input", "output"].iter().all(|name| rates.get(name).is_none_or(|rate| rate.is_zero()));
    if unknown {
        return Price::default();
    }
    let starts: BTreeSet<u64> = row
        .keys()
        .filter_map(|key| key.strip_prefix("input_cost_per_token_above_")?.strip_suffix("k_tokens"))
        .filter_map(|thousands| Some(thousands.parse::<u64>().ok()? * 1000))
        .collect();
    let mut standing = rates.clone();
    let mut tiers = Vec::new();
    for start in starts {
        standing.extend(rates_with(row, &format!("_above_{}k_tokens", start / 1000)));
        tiers.push((start, standing.clone()));
    }
    let mut price = Price { rates, tiers };
    if purpose == Use::Embedding {
        price.rates.remove("output");
        // A slip of a thousand in the list: nobody asks ten dollars for a million tokens of embedding.
        price.rates.retain(|_, rate| rate.about() < 10.0);
    }
    price
}

fn rates_with(row: &Map<String, Value>, suffix: &str) -> Rates {
    RATES
        .iter()
        .filter_map(|(theirs, ours, power)| {
            let text = row.get(&format!("{theirs}{suffix}"))?.as_str()?;
            let rate = Decimal::read(text, *power)?;
            // A cached or audio rate of nothing is a row that was never filled in.
            (!rate.is_zero() || matches!(*ours, "input" | "output")).then_some((*ours, rate))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(value: Value) -> Row {
        read_row(value.as_object().unwrap(), "somewhere")
    }

    #[test]
    fn a_row_with_thresholds_gives_every_rate_above_them() {
        let row = row(json!({
            "mode": "chat", "max_input_tokens": "1048576",
            "input_cost_per_token": "1.25e-06", "output_cost_per_token": "1e-05",
            "cache_read_input_token_cost": "1.25e-07",
            "input_cost_per_token_above_200k_tokens": "2.5e-06",
            "output_cost_per_token_above_200k_tokens": "1.5e-05",
            "input_cost_per_token_above_200k_tokens_priority": "9e-06",
        }));
        assert_eq!(row.price.rates["input"].to_string(), "1.25");
        assert_eq!(row.price.tiers.len(), 1);
        assert_eq!(row.price.tiers[0].1["input"].to_string(), "2.5");
        assert_eq!(row.price.tiers[0].1["output"].to_string(), "15");
        assert_eq!(row.price.tiers[0].1["cache_read"].to_string(), "0.125");
        assert!(row.can.contains("prompt_cache"));
    }

    #[test]
    fn a_price_of_zero_is_unknown_and_not_free() {
        let row = row(json!({"mode": "chat", "input_cost_per_token": "0.0", "output_cost_per_token": "0"}));
        assert_eq!(row.price, Price::default());
    }

    #[test]
    fn an_embedding_has_no_output_rate() {
        let row = row(
            json!({"mode": "embedding", "input_cost_per_token": "2e-08", "output_cost_per_token": "0.0"}),
        );
        assert_eq!(row.price.rates.keys().copied().collect::<Vec<_>>(), ["input"]);
    }
}
