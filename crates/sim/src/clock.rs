//! Times as vendors write them. The only room that turns seconds into text; it never waits.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Time since the Unix epoch; zero if the machine's clock stands before it.
pub(crate) fn since_epoch(at: SystemTime) -> Duration {
    at.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// RFC 3339 in UTC; `millis` adds three fractional digits.
pub(crate) fn rfc3339(since_epoch: Duration, millis: bool) -> String {
    let seconds = since_epoch.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (h, m, s) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let fraction = if millis { format!(".{:03}", since_epoch.subsec_millis()) } else { String::new() };
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}{fraction}Z")
}

/// A duration as OpenAI writes it in `x-ratelimit-reset-*`: `350ms`, `1s`, `6m0s`.
pub(crate) fn openai_duration(d: Duration) -> String {
    match d.as_secs() {
        0 => format!("{}ms", d.as_millis()),
        s if s < 60 => format!("{s}s"),
        s if s < 3600 => format!("{}m{}s", s / 60, s % 60),
        s => format!("{}h{}m{}s", s / 3600, s / 60 % 60, s % 60),
    }
}

/// Days since the epoch to a date of the proleptic Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    // Counting years from March puts the leap day at the end of a year; 719,468 days lie between 0000-03-01 and 1970.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_around_leap_days() {
        assert_eq!(rfc3339(Duration::from_secs(0), false), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(Duration::from_secs(951_782_400), false), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(Duration::from_millis(1_795_364_664_007), true), "2026-11-22T16:24:24.007Z");
    }

    #[test]
    fn resets_are_written_as_openai_writes_them() {
        assert_eq!(openai_duration(Duration::from_millis(350)), "350ms");
        assert_eq!(openai_duration(Duration::from_secs(1)), "1s");
        assert_eq!(openai_duration(Duration::from_secs(360)), "6m0s");
    }
}
