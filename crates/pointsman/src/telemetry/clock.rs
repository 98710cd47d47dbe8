//! The one place that reads the clocks; everything that decides is handed a [`Now`].

use model::{Now, RequestId, Tick, Timestamp};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Both clocks and the numbering of requests.
#[derive(Debug)]
pub struct Clock {
    began: Instant,
    process: u64,
    counter: AtomicU64,
}

impl Clock {
    /// Starts at zero ticks, with a random number for this process.
    pub fn start() -> Clock {
        use std::hash::{BuildHasher, Hasher};
        // The standard library seeds its hasher from the operating system's randomness.
        let process = std::collections::hash_map::RandomState::new().build_hasher().finish();
        Clock { began: Instant::now(), process, counter: AtomicU64::new(0) }
    }

    /// The present.
    pub fn now(&self) -> Now {
        Now { wall: Timestamp(unix_micros()), tick: self.tick() }
    }

    /// The monotonic clock alone.
    pub fn tick(&self) -> Tick {
        Tick(self.began.elapsed().as_micros() as u64)
    }

    /// A fresh id for a request admitted at `at`.
    pub fn request_id(&self, at: Timestamp) -> RequestId {
        let ms = (at.0 / 1000).max(0) as u64;
        RequestId::compose(ms, self.process, self.counter.fetch_add(1, Ordering::Relaxed))
    }

    /// A number that differs from request to request, for jitter and weighted choices.
    pub fn seed(&self, id: RequestId) -> u64 {
        let mut x = (id.0 as u64) ^ self.process;
        // SplitMix64's finaliser.
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }
}

fn unix_micros() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
    }
}
