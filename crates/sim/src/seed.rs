//! What makes a simulated answer repeatable: a seeded generator, ids, digests and signatures.
//!
//! Everything here is a pure function of its input, so the same request gets the same answer on every run. Nothing
//! here is a secret: the signing key is public on purpose, because it protects a simulation.
//! The text itself is made in [`crate::prose`].

use ring::{digest, hmac};

/// A small generator (splitmix64): fast, seedable, and the same on every platform.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn of(text: &str) -> Self {
        Self(hash(text.as_bytes()))
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..n`; zero when `n` is zero.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { (self.roll() % n as u64) as usize }
    }

    /// A number in `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// One of `items`, which is never empty at any caller.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }
}

/// FNV-1a, for seeds and cache keys only.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Makes the ids of one response: unique among responses, repeatable within one.
#[derive(Debug, Clone)]
pub(crate) struct Mint {
    seed: u64,
    /// Unix seconds at which the response was made, for `created` fields.
    pub(crate) now: u64,
}

impl Mint {
    pub(crate) fn new(seed: u64, now: u64) -> Self {
        Self { seed, now }
    }

    /// `prefix` and `len` letters and digits; `salt` tells ids of one response apart.
    pub(crate) fn id(&self, prefix: &str, salt: u64, len: usize) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz123456789";
        let mut dice =
            Dice::new(self.seed ^ hash(prefix.as_bytes()) ^ salt.wrapping_mul(0x2545_F491_4F6C_DD1D));
        let mut id = String::with_capacity(prefix.len() + len);
        id.push_str(prefix);
        id.extend((0..len).map(|_| ALPHABET[dice.below(ALPHABET.len())] as char));
        id
    }

    /// `prefix` and `len` hexadecimal digits.
    pub(crate) fn hex(&self, prefix: &str, len: usize) -> String {
        let mut dice = Dice::new(self.seed ^ hash(prefix.as_bytes()));
        let mut id = String::from(prefix);
        id.extend((0..len).map(|_| char::from_digit(dice.below(16) as u32, 16).unwrap_or('0')));
        id
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// How the log names a credential without keeping it: the first sixteen hexadecimal digits of its SHA-256.
///
/// Give the secret alone, without `Bearer `.
pub fn credential_hash(secret: &str) -> String {
    let mut digest = sha256(secret.as_bytes());
    digest.truncate(16);
    digest
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

const SIGNING_KEY: &[u8] = b"pointsman simulated provider; public on purpose";

/// The signature of a thinking block: standard base64, like a vendor's, over `kind` and the text.
pub(crate) fn sign(kind: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SIGNING_KEY);
    let mut signed = b"sim1".to_vec();
    signed.extend_from_slice(hmac::sign(&key, format!("{kind}\0{text}").as_bytes()).as_ref());
    base64(&signed)
}

/// Whether `signature` is what [`sign`] made for this very text.
pub(crate) fn signed(kind: &str, text: &str, signature: &str) -> bool {
    sign(kind, text) == signature
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Standard base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |w, b| (w << 8) | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let sextet = (word >> (18 - 6 * i)) & 63;
            out.push(if i <= chunk.len() { BASE64[sextet as usize] as char } else { '=' });
        }
    }
    out
}

/// Whether `text` is standard base64 as the vendors' image readers take it: full quads, padding only at the end.
pub(crate) fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !text.is_empty()
        && text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body.bytes().all(|b| BASE64.contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_matches_the_standard_at_every_padding() {
        assert_eq!(base64(b""), "");
        assert_eq!(base64(b"f"), "Zg==");
        assert_eq!(base64(b"fo"), "Zm8=");
        assert_eq!(base64(b"foobar"), "Zm9vYmFy");
        assert!(is_base64("Zm8=") && !is_base64("Zm8") && !is_base64("Z===") && !is_base64("Zm-_"));
    }

    #[test]
    fn a_signature_holds_for_its_own_text_only() {
        let signature = sign("thinking", "two plus two");
        assert!(signed("thinking", "two plus two", &signature));
        assert!(!signed("thinking", "two plus three", &signature));
        assert!(!signed("redacted", "two plus two", &signature));
    }

    #[test]
    fn ids_repeat_for_one_response_and_differ_between_responses() {
        let (a, b) = (Mint::new(1, 0), Mint::new(2, 0));
        assert_eq!(a.id("call_", 0, 24), a.id("call_", 0, 24));
        assert_ne!(a.id("call_", 0, 24), a.id("call_", 1, 24));
        assert_ne!(a.id("call_", 0, 24), b.id("call_", 0, 24));
    }
}
