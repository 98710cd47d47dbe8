//! Models and prices as data: `data/catalog.json`, embedded, in our own form with its sources and dates.
//!
//! Prices are US dollars per million tokens, written as strings so that they stay exact. Rates the gateway does not
//! bill by (audio, requests) stand in the file and are ignored here.

use model::{Capabilities, CatalogModel, ModelFacts, MoneyError, Price, Rates, Tier};
use serde::{Deserialize, Deserializer};

const EMBEDDED: &str = include_str!("../data/catalog.json");

/// Where figures of the catalog come from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
pub struct Source {
    /// The list's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence.
    pub licence: String,
    /// When it was read, `YYYY-MM-DD`.
    pub retrieved: String,
    /// What was taken from it.
    pub gives: String,
}

#[derive(Deserialize)]
struct File {
    sources: Vec<Source>,
    #[cfg(test)]
    models: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    provider: String,
    model: String,
    #[serde(default)]
    aliases: Vec<String>,
    context: Option<u64>,
    max_output: Option<u64>,
    #[serde(default)]
    can: Capabilities,
    rates: Option<Figures>,
    #[serde(default)]
    tiers: Vec<Step>,
    as_of: Option<String>,
}

#[derive(Deserialize)]
struct Figures {
    #[serde(default)]
    input: Figure,
    #[serde(default)]
    output: Figure,
    cache_read: Option<Figure>,
    cache_write: Option<Figure>,
}

/// A price as the file writes it. Lists that divide an hourly price give endless decimals; those are rounded up to
/// the pico-dollar, so that nothing is reserved too low.
#[derive(Clone, Copy, Default)]
struct Figure(Price);

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Figure, D::Error> {
        let text = String::deserialize(d)?;
        let price = match text.parse() {
            Err(MoneyError::TooFine(decimals)) => {
                let end = text.find('.').map_or(text.len(), |dot| dot + 1 + decimals as usize);
                text[..end].parse().map(|Price(down)| Price(down.saturating_add(1)))
            }
            price => price,
        };
        price.map(Figure).map_err(serde::de::Error::custom)
    }
}

#[derive(Deserialize)]
struct Step {
    above: u64,
    rates: Figures,
}

impl Figures {
    fn rates(self, tiers: Vec<Tier>) -> Rates {
        let Figures { input, output, cache_read, cache_write } = self;
        let price = |figure: Option<Figure>| figure.map(|Figure(price)| price);
        let (cache_read, cache_write) = (price(cache_read), price(cache_write));
        Rates { input: input.0, output: output.0, cache_read, cache_write, tiers }
    }
}

impl Entry {
    fn model(self) -> CatalogModel {
        let mut tiers: Vec<Tier> = self
            .tiers
            .into_iter()
            .map(|step| Tier { above: step.above, rates: step.rates.rates(Vec::new()) })
            .collect();
        tiers.sort_by_key(|tier| tier.above);
        CatalogModel {
            provider: self.provider,
            model: self.model,
            aliases: self.aliases,
            facts: ModelFacts {
                context: self.context,
                max_output: self.max_output,
                can: self.can,
                rates: self.rates.map(|figures| figures.rates(tiers)),
            },
            as_of: self.as_of,
        }
    }
}

/// Every model of the catalog. Thousands: a server wants [`models_of`].
pub fn models() -> Vec<CatalogModel> {
    models_of(&|_| true)
}

/// The models of the providers that are wanted. The file has one model a line, so that the others cost nothing.
pub fn models_of(wanted: &dyn Fn(&str) -> bool) -> Vec<CatalogModel> {
    const START: &str = "{\"provider\":\"";
    let lines = EMBEDDED.lines().filter(|line| {
        let provider = line.strip_prefix(START).and_then(|rest| rest.split('"').next());
        provider.is_some_and(wanted)
    });
    // The file is part of the program and a test reads all of it.
    lines.filter_map(|line| serde_json::from_str(line.trim_end_matches(',')).ok()).map(Entry::model).collect()
}

/// Where the figures come from.
pub fn sources() -> Vec<Source> {
    serde_json::from_str::<File>(EMBEDDED).map(|file| file.sources).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_catalog_reads_whole_and_its_prices_are_exact() {
        let file: File = serde_json::from_str(EMBEDDED).unwrap();
        assert_eq!(file.models.len(), models().len());
        assert!(!sources().is_empty());
        let models = models();
        let find = |provider: &str, model: &str| {
            models
                .iter()
                .find(|m| {
                    m.provider == provider && (m.model == model || m.aliases.iter().any(|a| a == model))
                })
                .unwrap()
        };
        let sonnet = find("anthropic", "claude-sonnet-4-5-20250929").facts.clone();
        let rates = sonnet.rates.unwrap();
        assert_eq!((rates.input.to_string(), rates.output.to_string()), ("3".into(), "15".into()));
        assert_eq!(rates.tiers[0].above, 200_000);
        assert_eq!(find("openai", "gpt-4.1").provider, "openai");
    }

    #[test]
    fn a_price_with_endless_decimals_is_rounded_up_and_spoils_nothing() {
        let Figure(price) = serde_json::from_str(r#""0.0833333333333""#).unwrap();
        assert_eq!(price.to_string(), "0.083334");
        assert!(serde_json::from_str::<Figure>(r#""1e3""#).is_err());
    }

    #[test]
    fn every_vendor_with_a_catalogued_price_that_has_a_row_goes_by_the_row_s_name() {
        let models = models();
        for name in [
            "openai",
            "anthropic",
            "together",
            "mistral",
            "groq",
            "deepseek",
            "xai",
            "fireworks",
            "openrouter",
        ] {
            assert!(crate::row(name).is_some());
            assert!(models.iter().any(|m| m.provider == name), "{name}");
        }
    }
}
