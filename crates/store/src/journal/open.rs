//! Which requests were sent and are not settled, and how much room is kept for their settlements.

use model::RequestId;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by request id.
pub(crate) type ById<V> = HashMap<RequestId, V, BuildHasherDefault<IdHasher>>;

/// Mixes a request id. Ids are made by this program, so nobody can choose them to collide.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write_u128(&mut self, id: u128) {
        // The counter is in the low bits, the clock in the high ones; multiplying spreads both over the top bits, which
        // the map looks at as well as the low ones.
        let folded = (id as u64) ^ ((id >> 64) as u64).rotate_left(29);
        let mixed = folded.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Open requests with the bytes kept for each.
#[derive(Default)]
pub(crate) struct OpenRequests {
    kept: ById<u64>,
    reserved: u64,
}

impl OpenRequests {
    /// The bytes kept for a request, `None` if it is not open.
    pub(crate) fn kept_for(&self, id: RequestId) -> Option<u64> {
        self.kept.get(&id).copied()
    }

    /// Opens a request, or changes what is kept for it.
    pub(crate) fn keep(&mut self, id: RequestId, bytes: u64) {
        let before = self.kept.insert(id, bytes).unwrap_or(0);
        self.reserved = self.reserved - before + bytes;
    }

    /// Closes a request.
    pub(crate) fn release(&mut self, id: RequestId) {
        self.reserved -= self.kept.remove(&id).unwrap_or(0);
    }

    /// Bytes kept for all of them.
    pub(crate) fn reserved(&self) -> u64 {
        self.reserved
    }

    /// How many are open.
    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }
}
