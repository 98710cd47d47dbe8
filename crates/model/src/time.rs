//! Two clocks, both passed in: the wall clock for records and expiry, a monotonic one for limits and health.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Microseconds since the Unix epoch, UTC. Serialised as an integer; shown as RFC 3339 with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// Microseconds on a monotonic clock since the process began. Never compared across processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tick(pub u64);

/// The present, on both clocks. Decisions take it as an argument and never read a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For records, expiry of terms and certificates.
    pub wall: Timestamp,
    /// For deadlines, breakers and latency.
    pub tick: Tick,
}

impl Tick {
    /// The tick `d` later; saturates.
    pub fn after(self, d: Duration) -> Tick {
        Tick(self.0.saturating_add(d.as_micros().min(u128::from(u64::MAX)) as u64))
    }
    /// Time from `earlier` to here; zero when `earlier` is later.
    pub fn since(self, earlier: Tick) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Timestamp {
    /// The timestamp of a civil UTC date and time. Months and days count from 1. No validation: callers parse.
    pub fn from_civil(year: i64, month: u32, day: u32, hour: u32, minute: u32, second: u32) -> Timestamp {
        let days = days_from_civil(year, month, day);
        let seconds = days * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
        Timestamp(seconds.saturating_mul(1_000_000))
    }
    /// Whole seconds since the epoch, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
    /// (year, month, day, hour, minute, second, microsecond) in UTC.
    pub fn civil(self) -> (i64, u32, u32, u32, u32, u32, u32) {
        let seconds = self.seconds();
        let (y, m, d) = civil_from_days(seconds.div_euclid(86_400));
        let s = seconds.rem_euclid(86_400) as u32;
        (y, m, d, s / 3600, s / 60 % 60, s % 60, self.0.rem_euclid(1_000_000) as u32)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (y, m, d, h, min, s, us) = self.civil();
        write!(f, "{y:04}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}.{:03}Z", us / 1000)
    }
}

// Howard Hinnant's civil-date arithmetic: exact for every proleptic Gregorian date.
fn days_from_civil(y: i64, m: u32, d: u32) -> i64 {
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = i64::from((m + 9) % 12);
    let doy = (153 * mp + 2) / 5 + i64::from(d) - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

fn civil_from_days(z: i64) -> (i64, u32, u32) {
    let z = z + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let d = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let m = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
    (yoe + era * 400 + i64::from(m <= 2), m, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_dates_survive_the_round_trip() {
        for t in [0, 1_700_000_000_123_456, -1, 951_782_400_000_000, 4_102_444_799_000_000] {
            let (y, m, d, h, min, s, us) = Timestamp(t).civil();
            assert_eq!(Timestamp::from_civil(y, m, d, h, min, s).0 + i64::from(us), t);
        }
        assert_eq!(Timestamp::from_civil(2027, 6, 30, 0, 0, 0).to_string(), "2027-06-30T00:00:00.000Z");
    }
}
