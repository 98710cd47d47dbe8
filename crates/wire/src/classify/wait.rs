//! When to come back: the latest of the exhausted dimensions, from headers first and words second.

use crate::providers::Limits;
use http::HeaderMap;
use model::Timestamp;
use std::time::Duration;

/// Longest wait believed; a vendor that names more is taken at this.
const LONGEST: Duration = Duration::from_secs(31 * 86_400);

/// The latest time that a header or the message names, as a wait from `now`.
pub(super) fn latest(limits: Limits, headers: &HeaderMap, message: &str, now: Timestamp) -> Option<Duration> {
    let value = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
    let millis = value("retry-after-ms").and_then(|v| v.parse::<f64>().ok()).map(|ms| seconds(ms / 1000.0));
    let asked = millis.flatten().or_else(|| value("retry-after").and_then(|v| after(v, now)));
    let gone = |name: &str| value(name)?.parse::<f64>().ok().filter(|left| *left <= 0.0);
    let ending = |ending: &&str| {
        gone(&format!("x-ratelimit-remaining{ending}"))?;
        let reset = value(&format!("x-ratelimit-reset{ending}"))?;
        spelled(reset).or_else(|| clock(reset, now))
    };
    let dimension = |dimension: &&str| {
        gone(&format!("anthropic-ratelimit-{dimension}-remaining"))?;
        let reset = value(&format!("anthropic-ratelimit-{dimension}-reset"))?;
        rfc3339(reset).map(|at| until(at, now))
    };
    let exhausted = match limits {
        Limits::Endings(endings) => endings.iter().filter_map(ending).max(),
        Limits::Anthropic => {
            ["requests", "tokens", "input-tokens", "output-tokens"].iter().filter_map(dimension).max()
        }
    };
    asked.into_iter().chain(exhausted).max().or_else(|| in_words(message))
}

fn seconds(s: f64) -> Option<Duration> {
    (s.is_finite() && s >= 0.0).then(|| Duration::from_secs_f64(s.min(LONGEST.as_secs_f64())))
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::from_micros(at.0.saturating_sub(now.0).max(0) as u64).min(LONGEST)
}

/// `Retry-After`: seconds or an HTTP date.
fn after(value: &str, now: Timestamp) -> Option<Duration> {
    match value.parse::<f64>() {
        Ok(s) => seconds(s),
        Err(_) => http_date(value).map(|at| until(at, now)),
    }
}

/// Seconds, or a Unix time in seconds or milliseconds; told apart by size.
fn clock(value: &str, now: Timestamp) -> Option<Duration> {
    let n = value.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0)?;
    match n {
        n if n > 1e11 => Some(until(Timestamp((n.min(9e15) * 1e3) as i64), now)),
        n if n > 1e9 => Some(until(Timestamp((n * 1e6) as i64), now)),
        n => seconds(n),
    }
}

/// `6m0s`, `1.5s`, `120ms`, `1d2h`. At least one unit must be there.
fn spelled(value: &str) -> Option<Duration> {
    let mut rest = value;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        total += number
            * match &rest[..unit] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    if value.is_empty() { None } else { seconds(total) }
}

/// "Please try again in 1.5s" and its kin.
pub(super) fn in_words(message: &str) -> Option<Duration> {
    let lower = message.to_ascii_lowercase();
    let (_, rest) = lower.split_once("try again in ").or_else(|| lower.split_once("retry in "))?;
    let word = rest.split(|c: char| c.is_whitespace() || c == ',').next()?.trim_end_matches('.');
    spelled(word).or_else(|| {
        let unit = rest.split_whitespace().nth(1)?;
        if unit.starts_with("second") { word.parse().ok().and_then(seconds) } else { None }
    })
}

/// `2026-11-22T16:30:00Z`, with or without a fraction or an offset.
fn rfc3339(value: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize| value.get(from..to)?.parse::<u32>().ok();
    let year = i64::from(number(0, 4)?);
    let parts = [number(5, 7)?, number(8, 10)?, number(11, 13)?, number(14, 16)?, number(17, 19)?];
    let mut at = civil(year, parts)?;
    let zone = value.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    if let Some(offset) = zone.strip_prefix(['+', '-']) {
        let hours: i64 = offset.get(..2)?.parse().ok()?;
        let minutes: i64 = offset.get(offset.len().checked_sub(2)?..)?.parse().ok()?;
        let shift = (hours * 3600 + minutes * 60) * 1_000_000;
        at.0 += if zone.starts_with('-') { shift } else { -shift };
    }
    Some(at)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(value: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = value.split_once(", ")?.1.split(' ');
    let day = words.next()?.parse().ok()?;
    let name = words.next()?;
    let month = MONTHS.iter().position(|m| *m == name)? as u32 + 1;
    let year: u32 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|n| n.parse::<u32>().ok());
    civil(i64::from(year), [month, day, clock.next()??, clock.next()??, clock.next()??])
}

/// A date and time, if they are one.
fn civil(year: i64, [month, day, hour, minute, second]: [u32; 5]) -> Option<Timestamp> {
    let valid = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    valid.then(|| Timestamp::from_civil(year, month, day, hour, minute, second))
}
