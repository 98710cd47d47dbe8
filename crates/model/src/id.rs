//! Names and numbers of things.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A request's id: 128 bits that sort by time (48 bits of Unix milliseconds, then bits of the process and a counter).
///
/// Shown as `req_` and 26 Crockford base-32 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u128);

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl RequestId {
    /// From the wall clock in milliseconds, a random number of this process, and a counter that never repeats in it.
    pub fn compose(unix_ms: u64, process: u64, counter: u64) -> RequestId {
        let process = u128::from(process & 0xff_ffff_ffff);
        let counter = u128::from(counter & 0xff_ffff_ffff);
        RequestId(u128::from(unix_ms & 0xffff_ffff_ffff) << 80 | process << 40 | counter)
    }

    /// The shown form, without allocating.
    pub fn encode(self) -> [u8; 30] {
        let mut out = *b"req_00000000000000000000000000";
        let mut rest = self.0;
        for slot in out[4..].iter_mut().rev() {
            *slot = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        out
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.encode()).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for RequestId {
    type Err = &'static str;
    fn from_str(s: &str) -> Result<RequestId, &'static str> {
        const WHY: &str = "a request id is `req_` and 26 characters of 0-9 and a-z";
        let body = s.strip_prefix("req_").filter(|b| b.len() == 26).ok_or(WHY)?;
        let mut value: u128 = 0;
        for c in body.bytes() {
            let digit = ALPHABET.iter().position(|a| *a == c).ok_or(WHY)?;
            value = value.checked_mul(32).ok_or(WHY)? | digit as u128;
        }
        Ok(RequestId(value))
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { self.0.to_be_bytes().serialize(s) }
    }
}

impl<'de> Deserialize<'de> for RequestId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<RequestId, D::Error> {
        if d.is_human_readable() {
            let text = String::deserialize(d)?;
            return text.parse().map_err(serde::de::Error::custom);
        }
        <[u8; 16]>::deserialize(d).map(|b| RequestId(u128::from_be_bytes(b)))
    }
}

/// `provider/model`. The model may hold slashes itself; the provider never does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TargetName(String);

impl TargetName {
    /// Puts the two together.
    pub fn new(provider: &str, model: &str) -> TargetName {
        TargetName(format!("{provider}/{model}"))
    }
    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// What stands before the first slash.
    pub fn provider(&self) -> &str {
        self.0.split_once('/').map_or("", |(p, _)| p)
    }
    /// What stands behind the first slash: the id that the provider is sent.
    pub fn model(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, m)| m)
    }
}

impl FromStr for TargetName {
    type Err = &'static str;
    fn from_str(s: &str) -> Result<TargetName, &'static str> {
        match s.split_once('/') {
            Some((p, m)) if !p.is_empty() && !m.is_empty() => Ok(TargetName(s.to_owned())),
            _ => Err("a target is `provider/model`"),
        }
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_read_back_and_sort_by_time() {
        let early = RequestId::compose(1_700_000_000_000, u64::MAX, u64::MAX);
        let late = RequestId::compose(1_700_000_000_001, 0, 0);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse(), Ok(early));
        assert!("req_short".parse::<RequestId>().is_err());
        assert!("req_zzzzzzzzzzzzzzzzzzzzzzzzzz".parse::<RequestId>().is_err());
    }

    #[test]
    fn a_model_name_may_hold_slashes() {
        let t: TargetName = "together/meta-llama/Llama-3.3-70B".parse().unwrap();
        assert_eq!((t.provider(), t.model()), ("together", "meta-llama/Llama-3.3-70B"));
        assert!("gpt-4.1".parse::<TargetName>().is_err());
    }
}
