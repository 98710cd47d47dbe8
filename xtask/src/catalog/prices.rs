//! The first list, genai-prices: who charges what, today.
//!
//! Decides which of a model's dated and hourly prices holds, and turns the list's names of rates into ours.
//! Which ids a clause of the list names was already answered by `read_lists.py`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::decimal::Decimal;
use crate::Outcome;

/// Our name of a rate to its price: US dollars per million tokens (`per_1k_requests`: per thousand requests).
pub type Rates = BTreeMap<&'static str, Decimal>;

/// The price of one model: its rates, and those that hold for the whole request once its input passes a
/// threshold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Price {
    pub rates: Rates,
    /// Ascending by threshold, in input tokens; each has every rate that holds above it.
    pub tiers: Vec<(u64, Rates)>,
}

/// One model of the list.
#[derive(Debug)]
pub struct Model {
    pub id: String,
    /// The ids that the list spells out in full.
    pub literals: Vec<String>,
    pub context: Option<u64>,
    pub price: Price,
    /// Whether the price depends on the hour; [`Price`] is then the dearest of the day.
    pub hourly: bool,
}

/// One provider of the list.
#[derive(Debug)]
pub struct Provider {
    pub models: Vec<Model>,
    /// Concrete id to the index of the model that it names.
    pub named: BTreeMap<String, usize>,
}

/// The list's names of rates and ours. Rates that no text or audio request can incur are left out.
const RATES: [(&str, &str); 10] = [
    ("input_mtok", "input"),
    ("output_mtok", "output"),
    ("cache_read_mtok", "cache_read"),
    ("cache_write_mtok", "cache_write"),
    ("cache_write_1h_mtok", "cache_write_1h"),
    ("output_reasoning_mtok", "reasoning"),
    ("input_audio_mtok", "input_audio"),
    ("output_audio_mtok", "output_audio"),
    ("cache_audio_read_mtok", "cache_read_audio"),
    ("requests_kcount", "per_1k_requests"),
];

/// Reads the list as `read_lists.py` prints it, by the list's own provider ids. `today` is `YYYY-MM-DD`.
pub fn read(list: &Value, today: &str) -> Outcome<BTreeMap<String, Provider>> {
    let providers = list.as_array().ok_or("the first list has no providers")?;
    providers.iter().map(|provider| Ok((text(&provider["id"])?, read_provider(provider, today)?))).collect()
}

fn read_provider(provider: &Value, today: &str) -> Outcome<Provider> {
    let models = provider["models"].as_array().ok_or("a provider of the first list has no models")?;
    let named = provider["named"].as_object().ok_or("a provider of the first list names nothing")?;
    Ok(Provider {
        models: models.iter().map(|model| read_model(model, today)).collect::<Outcome<_>>()?,
        named: named
            .iter()
            .filter_map(|(id, index)| Some((id.clone(), usize::try_from(index.as_u64()?).ok()?)))
            .collect(),
    })
}

fn read_model(model: &Value, today: &str) -> Outcome<Model> {
    let id = text(&model["id"])?;
    let (price, hourly) =
        in_force(&model["prices"], today).map_err(|e| format!("genai-prices, {id}: {e}"))?;
    let literals = model["ids"].as_array().into_iter().flatten().map(text).collect::<Outcome<_>>()?;
    Ok(Model { id, literals, context: model["context"].as_u64(), price, hourly })
}

/// The price in force: the last whose start has come, unless prices by the hour stand after it; then the
/// dearest of them all.
fn in_force(prices: &Value, today: &str) -> Outcome<(Price, bool)> {
    let Some(list) = prices.as_array() else {
        return Ok((read_price(prices)?, false));
    };
    let mut standing = read_price(&list.first().ok_or("has an empty list of prices")?["prices"])?;
    let mut by_the_hour = Vec::new();
    for entry in list {
        let constraint = &entry["constraint"];
        match constraint["_"].as_str() {
            Some("TimeOfDateConstraint") => by_the_hour.push(read_price(&entry["prices"])?),
            Some("StartDateConstraint") if text(&constraint["start_date"])?.as_str() > today => {}
            Some("StartDateConstraint") | None => {
                standing = read_price(&entry["prices"])?;
                by_the_hour.clear();
            }
            Some(other) => {
                return Err(format!("has a price under a condition that is not known here: {other}"));
            }
        }
    }
    let hourly = !by_the_hour.is_empty();
    let sum = |price: &Price| price.rates.values().map(|rate| rate.about()).sum::<f64>();
    let dearest = by_the_hour.into_iter().fold(standing, |a, b| if sum(&b) > sum(&a) { b } else { a });
    Ok((dearest, hourly))
}

fn read_price(price: &Value) -> Outcome<Price> {
    let mut base = Rates::new();
    let mut steps: BTreeMap<&'static str, BTreeMap<u64, Decimal>> = BTreeMap::new();
    for (theirs, ours) in RATES {
        match &price[theirs] {
            Value::Null => {}
            Value::String(rate) => {
                base.insert(ours, exact(rate)?);
            }
            tiered => {
                base.insert(ours, exact(&text(&tiered["base"])?)?);
                for tier in tiered["tiers"].as_array().into_iter().flatten() {
                    let start = tier["start"].as_u64().ok_or("has a tier without a start")?;
                    steps.entry(ours).or_default().insert(start, exact(&text(&tier["price"])?)?);
                }
            }
        }
    }
    let starts: std::collections::BTreeSet<u64> = steps.values().flat_map(|s| s.keys().copied()).collect();
    let above = |start: u64| {
        let mut rates = base.clone();
        for (name, steps) in &steps {
            if let Some((_, rate)) = steps.range(..=start).next_back() {
                rates.insert(name, *rate);
            }
        }
        rates
    };
    Ok(Price { tiers: starts.into_iter().map(|start| (start, above(start))).collect(), rates: base })
}

fn exact(rate: &str) -> Outcome<Decimal> {
    Decimal::read(rate, 0).ok_or_else(|| format!("has a price that is not a number: {rate}"))
}

fn text(value: &Value) -> Outcome<String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("expected a text, found {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn input(prices: Value) -> (String, bool) {
        let (price, hourly) = in_force(&prices, "2026-11-22").unwrap();
        (price.rates["input"].to_string(), hourly)
    }

    #[test]
    fn a_price_that_has_not_begun_is_not_in_force() {
        let starts = |day: &str| json!({"_": "StartDateConstraint", "start_date": day});
        let prices = json!([
            {"prices": {"input_mtok": "1"}},
            {"constraint": starts("2026-10-19"), "prices": {"input_mtok": "2"}},
            {"constraint": starts("2027-01-01"), "prices": {"input_mtok": "3"}},
        ]);
        assert_eq!(input(prices), ("2".into(), false));
    }

    #[test]
    fn of_prices_by_the_hour_the_dearest_is_kept() {
        let hours = json!({"_": "TimeOfDateConstraint", "start_time": "01:00", "end_time": "04:00"});
        let prices = json!([
            {"prices": {"input_mtok": "0.15"}},
            {"constraint": hours, "prices": {"input_mtok": "0.3"}},
        ]);
        assert_eq!(input(prices), ("0.3".into(), true));
    }

    #[test]
    fn above_a_threshold_every_rate_is_given_even_one_that_does_not_change() {
        let price = read_price(&json!({
            "input_mtok": {"base": "3", "tiers": [{"start": 200_000, "price": "6"}]},
            "output_mtok": "15",
        }))
        .unwrap();
        assert_eq!(price.tiers.len(), 1);
        assert_eq!(price.tiers[0].0, 200_000);
        assert_eq!(price.tiers[0].1["input"].to_string(), "6");
        assert_eq!(price.tiers[0].1["output"].to_string(), "15");
        assert_eq!(price.rates["input"].to_string(), "3");
    }
}
