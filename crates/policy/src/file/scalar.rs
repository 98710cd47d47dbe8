//! Single values as people write them: durations, sizes, dates, shares, addresses.

use model::Timestamp;
use std::fmt;
use std::time::Duration;

const UNITS: [(&str, u64); 6] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

/// `3s`, `250ms`, `14d`, `1h30m`: whole numbers with units, the larger first. Milliseconds are the finest.
pub fn duration(text: &str) -> Result<Duration, String> {
    const WHY: &str = "a duration is a whole number with a unit: 250ms, 3s, 10m, 1h30m, 14d";
    let mut rest = text;
    let mut total: u64 = 0;
    let mut largest = u64::MAX;
    if rest.is_empty() {
        return Err(WHY.to_owned());
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let letters = rest[digits..].find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len() - digits);
        let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
        let scale = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale);
        let (Ok(number), Some(scale)) = (number.parse::<u64>(), scale) else { return Err(WHY.to_owned()) };
        if scale >= largest {
            return Err(WHY.to_owned());
        }
        largest = scale;
        total = number
            .checked_mul(scale)
            .and_then(|n| total.checked_add(n))
            .filter(|n| *n <= i64::MAX as u64 / 1000)
            .ok_or("a duration this long is a mistake")?;
        rest = &rest[digits + letters..];
    }
    Ok(Duration::from_millis(total))
}

/// A duration as people write it; what is finer than a millisecond is rounded up.
pub(crate) struct Written(pub(crate) Duration);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_micros().div_ceil(1000);
        if rest == 0 {
            return f.write_str("0s");
        }
        // Weeks are read and never written: nobody says 2w for 14d.
        for (unit, scale) in UNITS[..5].iter().rev() {
            let count = rest / u128::from(*scale);
            if count > 0 {
                write!(f, "{count}{unit}")?;
                rest %= u128::from(*scale);
            }
        }
        Ok(())
    }
}

/// `32MiB`, `512KB`, `1048576`: bytes.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    const WHY: &str = "a size is a whole number of bytes, with or without a unit: 32MiB, 512KB";
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: u64 = text[..text.len() - digits.len()].parse().map_err(|_| WHY)?;
    let scale: u64 = match digits.trim_start() {
        "" | "B" => 1,
        "KB" | "kB" => 1000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        _ => return Err(WHY.to_owned()),
    };
    number.checked_mul(scale).ok_or_else(|| "a size this large is a mistake".to_owned())
}

/// `2027-06-30`: the instant at which that UTC day is over.
pub(crate) fn end_of_day(text: &str) -> Result<Timestamp, String> {
    const WHY: &str = "a date is year-month-day: 2027-06-30";
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else { return Err(WHY.to_owned()) };
    let number = |s: &str, digits: usize| -> Result<u32, String> {
        let plain = s.len() == digits && s.bytes().all(|b| b.is_ascii_digit());
        s.parse().ok().filter(|_| plain).ok_or_else(|| WHY.to_owned())
    };
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    let midnight = Timestamp::from_civil(i64::from(year), month, day, 0, 0, 0);
    // A date that does not exist comes back as another one.
    let (y, m, d, ..) = midnight.civil();
    if (y, m, d) != (i64::from(year), month, day) {
        return Err(format!("there is no {text} in the calendar"));
    }
    Ok(Timestamp(midnight.0 + 86_400_000_000))
}

/// `0.05`: a share from 0 to 1, as millionths.
pub(crate) fn share(text: &str) -> Result<u32, String> {
    // A price per million has the same six decimals.
    let value: model::Price =
        text.parse().map_err(|e: model::MoneyError| format!("a share is a number from 0 to 1 ({e})"))?;
    u32::try_from(value.0)
        .ok()
        .filter(|v| *v <= 1_000_000)
        .ok_or_else(|| "a share is a number from 0 to 1, such as 0.95".to_owned())
}

/// A whole number; underscores may group digits.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) || text.starts_with('_') {
        return Err("a whole number is expected, such as 600".to_owned());
    }
    digits.parse().map_err(|_| "a number this large is a mistake".to_owned())
}

/// An `http` or `https` URL with a host and nothing a base URL may not have; without its trailing slash.
pub(crate) fn base_url(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .ok_or("a base URL begins with https:// or http://")?;
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("a URL holds no spaces and no letters beyond ASCII".to_owned());
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("a base URL holds no credentials; name them under api_key".to_owned());
    }
    if rest.contains(['?', '#']) {
        return Err("a base URL holds no query and no fragment".to_owned());
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if host.is_empty() || port.is_some_and(|p| p.parse::<u16>().is_err()) {
        return Err("a base URL names a host and, if it must, a port".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Whether a checked URL would send secrets in the clear to another machine.
pub(crate) fn leaves_in_the_clear(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').filter(|(_, p)| !p.contains(']')).map_or(authority, |(h, _)| h);
    !(host == "localhost" || host == "[::1]" || host.starts_with("127."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_written() {
        let cases = [
            ("3s", 3000),
            ("250ms", 250),
            ("14d", 1_209_600_000),
            ("1h30m", 5_400_000),
            ("2w", 1_209_600_000),
        ];
        for (text, ms) in cases {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in
            ["", "3", "s", "3 s", "3sec", "1.5s", "-3s", "30m1h", "1s1s", "99999999999999d", "3s\u{e9}"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(Written(Duration::from_millis(5_400_250)).to_string(), "1h30m250ms");
        assert_eq!(Written(Duration::from_secs(14 * 86_400)).to_string(), "14d");
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        assert_eq!(end_of_day("2027-06-30"), Ok(Timestamp::from_civil(2027, 7, 1, 0, 0, 0)));
        assert!(end_of_day("2028-02-29").is_ok());
        for text in
            ["2027-02-29", "2027-13-01", "2027-6-3", "27-06-30", "2027-06-31", "soon", "2027-06-30T00"]
        {
            assert!(end_of_day(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_shares_and_counts() {
        assert_eq!(size("32MiB"), Ok(33_554_432));
        assert_eq!(size("1048576"), Ok(1_048_576));
        assert!(size("32 megs").is_err() && size("99999999999999999GiB").is_err());
        assert_eq!(share("0.95"), Ok(950_000));
        assert!(share("1.01").is_err() && share("95%").is_err());
        assert_eq!(count("2_000_000"), Ok(2_000_000));
        assert!(count("2e6").is_err() && count("").is_err());
    }

    #[test]
    fn base_urls_hold_a_host_and_nothing_secret() {
        assert_eq!(base_url("https://api.openai.com/v1/"), Ok("https://api.openai.com/v1".to_owned()));
        assert_eq!(base_url("http://[::1]:9000"), Ok("http://[::1]:9000".to_owned()));
        for text in [
            "api.openai.com",
            "ftp://x",
            "https://",
            "https://u:p@host",
            "https://host:x",
            "https://h?k=v",
            "https://h h",
        ] {
            assert!(base_url(text).is_err(), "{text}");
        }
        assert!(leaves_in_the_clear("http://10.0.0.1/v1"));
        assert!(!leaves_in_the_clear("http://127.0.0.1:9000/v1") && !leaves_in_the_clear("https://x"));
    }
}
