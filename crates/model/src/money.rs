//! Money as exact integers, prices fine enough for any list, usage that tells unknown from zero, and the cost of both.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// US dollars in nano-dollars. Shown and serialised as a decimal string without trailing zeros (`"0.0001235"`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(pub i64);

/// A price of one unit (a token, unless a field says otherwise) in pico-dollars.
///
/// One US dollar per million tokens is exactly 1,000,000 pico-dollars a token, so every list price with up to six
/// decimals is an integer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(pub u64);

/// Why a decimal could not become money or a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoneyError {
    /// Not a plain decimal such as `12`, `0.02` or `3.75`.
    NotADecimal,
    /// More decimals than the unit can hold exactly; the allowed count is carried.
    TooFine(u32),
    /// Does not fit.
    TooLarge,
}

impl fmt::Display for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MoneyError::NotADecimal => f.write_str("not a plain decimal number such as 12 or 0.02"),
            MoneyError::TooFine(n) => write!(f, "has more than {n} decimals"),
            MoneyError::TooLarge => f.write_str("is too large"),
        }
    }
}

impl std::error::Error for MoneyError {}

/// Reads a plain decimal as an integer of `scale` decimals, exactly.
fn scaled(text: &str, scale: u32) -> Result<u64, MoneyError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || (text.contains('.') && fraction.is_empty())
    {
        return Err(MoneyError::NotADecimal);
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > scale as usize {
        return Err(MoneyError::TooFine(scale));
    }
    let mut value: u64 = 0;
    let padding = scale as usize - fraction.len();
    for digit in
        whole.bytes().chain(fraction.bytes()).map(|b| b - b'0').chain(std::iter::repeat_n(0, padding))
    {
        value = value
            .checked_mul(10)
            .and_then(|v| v.checked_add(u64::from(digit)))
            .ok_or(MoneyError::TooLarge)?;
    }
    Ok(value)
}

impl Money {
    /// Nothing spent, as opposed to unknown.
    pub const ZERO: Money = Money(0);

    /// Sum, or `None` when it does not fit.
    pub fn plus(self, other: Money) -> Option<Money> {
        self.0.checked_add(other.0).map(Money)
    }
}

impl FromStr for Money {
    type Err = MoneyError;
    /// Dollars as people write them: `500`, `0.02`. Up to nine decimals.
    fn from_str(s: &str) -> Result<Money, MoneyError> {
        scaled(s, 9).and_then(|n| i64::try_from(n).map(Money).map_err(|_| MoneyError::TooLarge))
    }
}

impl FromStr for Price {
    type Err = MoneyError;
    /// US dollars per million units, as price lists write them: `3`, `0.0375`. Up to six decimals.
    fn from_str(s: &str) -> Result<Price, MoneyError> {
        scaled(s, 6).map(Price)
    }
}

fn decimal(f: &mut fmt::Formatter<'_>, negative: bool, value: u64, scale: u32) -> fmt::Result {
    let unit = 10u64.pow(scale);
    let sign = if negative { "-" } else { "" };
    let fraction = value % unit;
    if fraction == 0 {
        return write!(f, "{sign}{}", value / unit);
    }
    let text = format!("{fraction:0width$}", width = scale as usize);
    write!(f, "{sign}{}.{}", value / unit, text.trim_end_matches('0'))
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal(f, self.0 < 0, self.0.unsigned_abs(), 9)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal(f, false, self.0, 6)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { s.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Money, D::Error> {
        if !d.is_human_readable() {
            return i64::deserialize(d).map(Money);
        }
        let text = String::deserialize(d)?;
        let (negative, digits) = text.strip_prefix('-').map_or((false, text.as_str()), |rest| (true, rest));
        let value: Money = digits.parse().map_err(serde::de::Error::custom)?;
        Ok(if negative { Money(-value.0) } else { value })
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { s.serialize_u64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Price, D::Error> {
        if !d.is_human_readable() {
            return u64::deserialize(d).map(Price);
        }
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Tokens of one attempt, in one normal form for every dialect. `None` is unknown, never zero.
///
/// `input` counts every prompt token, cached ones included; `cache_read` and `cache_write` are parts of it.
/// `output` counts every generated token, hidden reasoning included; `reasoning` is a part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// All prompt tokens.
    pub input: Option<u64>,
    /// All generated tokens.
    pub output: Option<u64>,
    /// Prompt tokens read from the vendor's cache.
    pub cache_read: Option<u64>,
    /// Prompt tokens written to the vendor's cache.
    pub cache_write: Option<u64>,
    /// Generated tokens the client does not see as text.
    pub reasoning: Option<u64>,
}

impl Usage {
    /// Nothing is known.
    pub const UNKNOWN: Usage =
        Usage { input: None, output: None, cache_read: None, cache_write: None, reasoning: None };

    /// Later reports replace earlier ones, field by field; an absent field leaves what is known.
    pub fn update(&mut self, later: &Usage) {
        self.input = later.input.or(self.input);
        self.output = later.output.or(self.output);
        self.cache_read = later.cache_read.or(self.cache_read);
        self.cache_write = later.cache_write.or(self.cache_write);
        self.reasoning = later.reasoning.or(self.reasoning);
    }

    /// Field by field sum over attempts; a field is known when it is known in either.
    pub fn add(&mut self, other: &Usage) {
        let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
        self.input = sum(self.input, other.input);
        self.output = sum(self.output, other.output);
        self.cache_read = sum(self.cache_read, other.cache_read);
        self.cache_write = sum(self.cache_write, other.cache_write);
        self.reasoning = sum(self.reasoning, other.reasoning);
    }
}

/// What a model charges, per token. An absent cached rate means that the plain input rate applies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rates {
    /// Per prompt token.
    pub input: Price,
    /// Per generated token.
    pub output: Price,
    /// Per prompt token read from the vendor's cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<Price>,
    /// Per prompt token written to the vendor's cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<Price>,
    /// Long-context rates, ascending; the last tier that the prompt exceeds replaces the rates above for all tokens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
}

/// Rates of a request whose prompt is longer than `above` tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// Prompt tokens (cached ones included) beyond which this tier holds.
    pub above: u64,
    /// The rates; its own `tiers` are ignored.
    pub rates: Rates,
}

/// The exact cost of one attempt in nano-dollars, or `None` when a needed count is unknown.
///
/// The sum is taken in pico-dollars and rounded once, half up, to a nano-dollar.
pub fn cost(rates: &Rates, usage: &Usage) -> Option<Money> {
    let (input, output) = (usage.input?, usage.output?);
    let rates = rates.tiers.iter().rev().find(|tier| input > tier.above).map_or(rates, |tier| &tier.rates);
    let read = usage.cache_read.unwrap_or(0).min(input);
    let write = usage.cache_write.unwrap_or(0).min(input - read);
    let pico = u128::from(input - read - write) * u128::from(rates.input.0)
        + u128::from(read) * u128::from(rates.cache_read.unwrap_or(rates.input).0)
        + u128::from(write) * u128::from(rates.cache_write.unwrap_or(rates.input).0)
        + u128::from(output) * u128::from(rates.output.0);
    i64::try_from((pico + 500) / 1000).ok().map(Money)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rates(input: &str, output: &str) -> Rates {
        Rates { input: input.parse().unwrap(), output: output.parse().unwrap(), ..Rates::default() }
    }

    #[test]
    fn a_list_price_with_four_decimals_is_exact() {
        let r = rates("0.0375", "0.15");
        let usage = Usage { input: Some(1), output: Some(0), ..Usage::default() };
        // 37.5 nano-dollars: rounded once, half up.
        assert_eq!(cost(&r, &usage), Some(Money(38)));
        let usage = Usage { input: Some(2), output: Some(0), ..Usage::default() };
        assert_eq!(cost(&r, &usage), Some(Money(75)));
    }

    #[test]
    fn cached_tokens_are_billed_once() {
        let r = Rates { cache_read: Some("0.3".parse().unwrap()), ..rates("3", "15") };
        let usage = Usage { input: Some(1000), output: Some(10), cache_read: Some(900), ..Usage::default() };
        assert_eq!(cost(&r, &usage), Some(Money(100 * 3000 + 900 * 300 + 10 * 15_000)));
    }

    #[test]
    fn a_long_prompt_moves_every_token_to_its_tier() {
        let r = Rates { tiers: vec![Tier { above: 200_000, rates: rates("6", "22.5") }], ..rates("3", "15") };
        let usage = |n| Usage { input: Some(n), output: Some(1), ..Usage::default() };
        assert_eq!(cost(&r, &usage(200_000)), Some(Money(200_000 * 3000 + 15_000)));
        assert_eq!(cost(&r, &usage(200_001)), Some(Money(200_001 * 6000 + 22_500)));
    }

    #[test]
    fn unknown_usage_has_no_cost_rather_than_none_spent() {
        assert_eq!(cost(&rates("3", "15"), &Usage { input: Some(5), ..Usage::default() }), None);
    }

    #[test]
    fn bad_decimals_are_refused_with_a_reason() {
        assert_eq!("1e3".parse::<Money>(), Err(MoneyError::NotADecimal));
        assert_eq!("1.".parse::<Money>(), Err(MoneyError::NotADecimal));
        assert_eq!("-1".parse::<Money>(), Err(MoneyError::NotADecimal));
        assert_eq!("0.0000000001".parse::<Money>(), Err(MoneyError::TooFine(9)));
        assert_eq!("99999999999999999999".parse::<Money>(), Err(MoneyError::TooLarge));
    }

    proptest! {
        #[test]
        fn money_reads_back_what_it_shows(n in 0..i64::MAX) {
            prop_assert_eq!(Money(n).to_string().parse::<Money>(), Ok(Money(n)));
        }
    }
}
