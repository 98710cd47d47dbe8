//! Exact decimals: the text of a price in, the text of a price out, no binary fraction between.
//!
//! Decides only how a number is read, scaled by a power of ten and written. What a number means is
//! [`super::prices`]' and [`super::models`]' business.

use std::fmt;

/// A price as digits and a power of ten: `digits * 10^-scale`, without trailing zeros, so that equal prices
/// are equal values. Never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    digits: u128,
    scale: u32,
}

/// More digits than any price has; what stands beyond them in a list is the residue of its own arithmetic
/// (`9.499999999999999e-07`).
const SIGNIFICANT: u32 = 12;

impl Decimal {
    /// Reads `3`, `0.15` or `3.75e-06` and multiplies by `10^power`. `None` for anything else.
    pub fn read(text: &str, power: i32) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let joined = format!("{whole}{fraction}");
        if joined.is_empty() || joined.len() > 30 || !joined.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let mut digits: u128 = joined.parse().ok()?;
        let mut scale = i32::try_from(fraction.len()).ok()? - exponent - power;
        while digits >= 10u128.pow(SIGNIFICANT) {
            digits = digits / 10 + u128::from(digits % 10 >= 5);
            scale -= 1;
        }
        while scale > 0 && digits.is_multiple_of(10) && digits > 0 {
            digits /= 10;
            scale -= 1;
        }
        if digits == 0 {
            return Some(Self { digits: 0, scale: 0 });
        }
        if !(-12..=18).contains(&scale) {
            return None;
        }
        if scale < 0 {
            digits *= 10u128.pow(scale.unsigned_abs());
            scale = 0;
        }
        Some(Self { digits, scale: scale.unsigned_abs() })
    }

    /// Whether this is nothing at all.
    pub fn is_zero(self) -> bool {
        self.digits == 0
    }

    /// An approximation, for sorting and for reports; never for the file.
    pub fn about(self) -> f64 {
        self.digits as f64 / 10f64.powi(self.scale as i32)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits.to_string();
        let scale = self.scale as usize;
        if scale == 0 {
            return f.write_str(&digits);
        }
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        write!(f, "{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, power: i32) -> String {
        Decimal::read(text, power).unwrap().to_string()
    }

    #[test]
    fn a_price_a_token_becomes_the_exact_price_a_million() {
        assert_eq!(read("3.75e-06", 6), "3.75");
        assert_eq!(read("1.5e-08", 6), "0.015");
        assert_eq!(read("0.00003", 6), "30");
        assert_eq!(read("1e-05", 6), "10");
        assert_eq!(read("0.0", 6), "0");
    }

    #[test]
    fn the_residue_of_a_lists_own_arithmetic_is_rounded_away() {
        assert_eq!(read("9.499999999999999e-07", 6), "0.95");
        assert_eq!(read("4.5000000000000003e-07", 6), "0.45");
        assert_eq!(read("1.41953125e-07", 6), "0.141953125");
    }

    #[test]
    fn equal_prices_are_equal_values_however_they_were_written() {
        assert_eq!(Decimal::read("3", 0), Decimal::read("3.00", 0));
        assert_eq!(Decimal::read("3e-6", 6), Decimal::read("0.000003", 6));
    }

    #[test]
    fn what_is_not_a_price_is_not_read() {
        for text in ["", "-1", "1.2.3", "NaN", "1e400", "abc", "."] {
            assert_eq!(Decimal::read(text, 0), None, "{text}");
        }
    }
}
