//! The form of `catalog.json`: how it is written and what may stand in it.
//!
//! Decides the bytes, one model a line so that a diff shows which model changed, and holds any file of that
//! form to its rules. Where the facts come from is [`super::join`]'s business.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::join::Entry;
use super::prices::Rates;
use super::{RETRIEVED, SOURCES};
use crate::Outcome;

/// Every word that `can` may hold.
const WORDS: [&str; 12] = [
    "tools",
    "parallel_tools",
    "vision",
    "audio",
    "pdf",
    "json_schema",
    "json_object",
    "reasoning",
    "prompt_cache",
    "prefix",
    "long_context",
    "embeddings",
];

/// Every rate, in the order in which the file gives them, with the most that is believed of it in US dollars
/// per million tokens (per thousand requests for the last).
const RATES: [(&str, f64); 10] = [
    ("input", 2_000.0),
    ("output", 5_000.0),
    ("cache_read", 1_000.0),
    ("cache_write", 2_000.0),
    ("cache_write_1h", 4_000.0),
    ("reasoning", 5_000.0),
    ("input_audio", 2_000.0),
    ("output_audio", 5_000.0),
    ("cache_read_audio", 1_000.0),
    ("per_1k_requests", 1_000.0),
];

/// The file's text. Keys stand in one order and rates in [`RATES`]' order.
pub fn write(rows: &[Entry]) -> String {
    let mut text = String::from("{\"sources\":[\n");
    for (index, source) in SOURCES.iter().enumerate() {
        let comma = if index + 1 < SOURCES.len() { "," } else { "" };
        let _ = writeln!(
            text,
            "{{\"name\":{},\"version\":{},\"licence\":{},\"retrieved\":{},\"gives\":{}}}{comma}",
            json!(source.name),
            json!(source.version),
            json!(source.licence),
            json!(RETRIEVED),
            json!(source.gives),
        );
    }
    text.push_str("],\"models\":[\n");
    for (index, row) in rows.iter().enumerate() {
        text.push_str(&line(row));
        text.push_str(if index + 1 < rows.len() { ",\n" } else { "\n" });
    }
    text.push_str("]}\n");
    text
}

fn line(row: &Entry) -> String {
    let mut line = format!("{{\"provider\":{},\"model\":{}", json!(row.provider), json!(row.model));
    if !row.aliases.is_empty() {
        let _ = write!(line, ",\"aliases\":{}", json!(row.aliases));
    }
    for (name, count) in [("context", row.facts.context), ("max_output", row.facts.max_output)] {
        if let Some(count) = count {
            let _ = write!(line, ",\"{name}\":{count}");
        }
    }
    let can: Vec<_> = WORDS.iter().filter(|word| row.facts.can.contains(*word)).collect();
    let _ = write!(line, ",\"can\":{},\"rates\":{}", json!(can), rates(&row.facts.price.rates));
    if !row.facts.price.tiers.is_empty() {
        let tiers: Vec<String> = row
            .facts
            .price
            .tiers
            .iter()
            .map(|(above, tier)| format!("{{\"above\":{above},\"rates\":{}}}", rates(tier)))
            .collect();
        let _ = write!(line, ",\"tiers\":[{}]", tiers.join(","));
    }
    let _ = write!(line, ",\"as_of\":{}}}", json!(RETRIEVED));
    line
}

fn rates(rates: &Rates) -> String {
    let parts: Vec<String> =
        RATES.iter().filter_map(|(name, _)| Some(format!("\"{name}\":\"{}\"", rates.get(name)?))).collect();
    format!("{{{}}}", parts.join(","))
}

/// Holds a file to the form and returns how many models it has. The first thing wrong is the error.
pub fn check(text: &str) -> Outcome<usize> {
    let file: Value = serde_json::from_str(text).map_err(|e| format!("catalog.json: {e}"))?;
    let models = file["models"].as_array().ok_or("catalog.json has no models")?;
    let sources = file["sources"].as_array().ok_or("catalog.json has no sources")?;
    for source in sources {
        for key in ["name", "version", "licence", "retrieved", "gives"] {
            if !source[key].is_string() {
                return Err(format!("a source of catalog.json has no {key}"));
            }
        }
    }
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("{\"provider\"")).collect();
    if rows.len() != models.len() {
        return Err(format!("catalog.json holds {} models on {} lines", models.len(), rows.len()));
    }
    let mut ids: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut last: Option<(&str, &str)> = None;
    for model in models {
        let row = model.as_object().ok_or("a model of catalog.json is not an object")?;
        let (provider, id) = (text_of(row, "provider")?, text_of(row, "model")?);
        let wrong = |what: &str| format!("catalog.json, {provider}/{id}: {what}");
        if last >= Some((provider, id)) {
            return Err(wrong("is out of order"));
        }
        last = Some((provider, id));
        let aliases = row.get("aliases").and_then(Value::as_array).into_iter().flatten();
        for name in std::iter::once(Some(id)).chain(aliases.map(Value::as_str)) {
            let name = name.ok_or_else(|| wrong("has an alias that is not a text"))?;
            if name.is_empty() || name.contains(char::is_whitespace) {
                return Err(wrong("has an id that is empty or has a space in it"));
            }
            if !ids.entry(provider).or_default().insert(name) {
                return Err(wrong(&format!("`{name}` names two models")));
            }
        }
        check_row(row).map_err(|what| wrong(&what))?;
    }
    Ok(models.len())
}

fn check_row(row: &Map<String, Value>) -> Outcome {
    const KEYS: [&str; 9] =
        ["provider", "model", "aliases", "context", "max_output", "can", "rates", "tiers", "as_of"];
    if let Some(key) = row.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("has a key that is not in the form: {key}"));
    }
    for key in ["context", "max_output"] {
        if let Some(count) = row.get(key)
            && !count.as_u64().is_some_and(|count| (1..=20_000_000).contains(&count))
        {
            return Err(format!("{key} is {count}"));
        }
    }
    let can = row.get("can").and_then(Value::as_array).ok_or("has no `can`")?;
    if let Some(word) = can.iter().find(|word| !word.as_str().is_some_and(|word| WORDS.contains(&word))) {
        return Err(format!("can {word}, which is not a word of the form"));
    }
    let long = row.get("context").and_then(Value::as_u64).is_some_and(|context| context >= 200_000);
    if long != can.iter().any(|word| word == "long_context") && !can.iter().any(|word| word == "embeddings") {
        return Err("`long_context` does not fit its context".into());
    }
    check_rates(row.get("rates"))?;
    let mut above = 0;
    for tier in row.get("tiers").and_then(Value::as_array).into_iter().flatten() {
        let start = tier["above"].as_u64().ok_or("has a tier without `above`")?;
        if start <= above {
            return Err("has tiers that do not rise".into());
        }
        above = start;
        check_rates(tier.get("rates"))?;
    }
    let day = text_of(row, "as_of")?;
    if day.len() != 10 || !day.starts_with("20") || day.split('-').count() != 3 {
        return Err(format!("as_of is {day}"));
    }
    Ok(())
}

fn check_rates(rates: Option<&Value>) -> Outcome {
    let rates = rates.and_then(Value::as_object).ok_or("has no rates")?;
    for (name, rate) in rates {
        let most = RATES.iter().find(|(known, _)| known == name).map(|(_, most)| *most);
        let most = most.ok_or_else(|| format!("has a rate that is not in the form: {name}"))?;
        let text = rate.as_str().ok_or_else(|| format!("{name} is not a decimal string"))?;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let trimmed = !text.contains('.') || !text.ends_with('0');
        if !digits(whole) || !digits(fraction) || !trimmed || (whole.len() > 1 && whole.starts_with('0')) {
            return Err(format!("{name} is {text}, which is not an exact decimal in its shortest form"));
        }
        if text.parse::<f64>().map_err(|e| e.to_string())? > most {
            return Err(format!("{name} is {text}, more than anyone charges"));
        }
    }
    Ok(())
}

fn text_of<'r>(row: &'r Map<String, Value>, key: &str) -> Outcome<&'r str> {
    row.get(key).and_then(Value::as_str).ok_or_else(|| format!("a model of catalog.json has no {key}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(rows: &[&str]) -> String {
        format!("{{\"sources\":[\n],\"models\":[\n{}\n]}}\n", rows.join(",\n"))
    }

    fn row(provider: &str, model: &str, rest: &str) -> String {
        format!("{{\"provider\":\"{provider}\",\"model\":\"{model}\",{rest},\"as_of\":\"2026-11-22\"}}")
    }

    #[test]
    fn each_way_in_which_a_file_can_be_wrong_is_named() {
        let good = "\"can\":[],\"rates\":{\"input\":\"0.15\"}";
        let (a, b) = (row("openai", "a", good), row("openai", "b", good));
        assert_eq!(check(&file(&[&a, &b])), Ok(2));
        let cases: [(&[&str], &str); 7] = [
            (&[&b, &a], "out of order"),
            (&[&row("x", "a", "\"aliases\":[\"a\"],\"can\":[],\"rates\":{}")], "names two models"),
            (&[&row("x", "a", "\"can\":[],\"rates\":{\"input\":0.15}")], "not a decimal string"),
            (&[&row("x", "a", "\"can\":[],\"rates\":{\"input\":\"1e-3\"}")], "exact decimal"),
            (&[&row("x", "a", "\"can\":[],\"rates\":{\"input\":\"9999\"}")], "more than anyone charges"),
            (&[&row("x", "a", "\"can\":[\"fly\"],\"rates\":{}")], "not a word of the form"),
            (
                &[&row(
                    "x",
                    "a",
                    "\"can\":[],\"rates\":{},\"tiers\":[{\"above\":2,\"rates\":{}},{\"above\":1,\"rates\":{}}]",
                )],
                "do not rise",
            ),
        ];
        for (rows, expected) in cases {
            let said = check(&file(rows)).unwrap_err();
            assert!(said.contains(expected), "{said}");
        }
    }
}
