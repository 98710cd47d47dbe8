//! What a key looks like: `pm_`, a public id, `_`, a secret; and the pepper that keeps it from being stored.

use ring::hmac;

/// `pm_` so that people and secret scanners know one when they see it.
const PREFIX: &str = "pm_";
/// Characters of a public id: 60 bits.
const ID: usize = 12;
/// Characters of a secret: 256 bits.
const SECRET: usize = 52;
/// Lower case without letters that read like digits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A new id and the whole key, from random bytes.
pub(super) fn compose(id: [u8; 32], secret: [u8; 32]) -> (String, String) {
    let id = base32(&id, ID);
    let key = format!("{PREFIX}{id}_{}", base32(&secret, SECRET));
    (id, key)
}

/// The first `length` characters of `bytes` in base 32, five bits each, zeros behind the end.
fn base32(bytes: &[u8; 32], length: usize) -> String {
    let bit = |n: usize| bytes.get(n / 8).map_or(0, |b| b >> (7 - n % 8) & 1);
    let digit = |n: usize| (0..5).fold(0, |value, i| value << 1 | bit(n * 5 + i));
    (0..length).map(|n| char::from(ALPHABET[usize::from(digit(n))])).collect()
}

/// The id inside a key that has the right form.
pub(super) fn id(presented: &str) -> Option<&str> {
    let body = presented.strip_prefix(PREFIX)?;
    let known =
        |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'z') && !b"ilou".contains(&b));
    let (id, secret) = body.split_once('_')?;
    (id.len() == ID && secret.len() == SECRET && known(id) && known(secret)).then_some(id)
}

/// Turns keys into what is stored of them. Without it, a stolen database tells nobody's key.
pub(super) struct Pepper(hmac::Key);

impl Pepper {
    pub(super) fn new(bytes: &[u8; 32]) -> Pepper {
        Pepper(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// What is stored of a key.
    pub(super) fn seal(&self, key: &str) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(hmac::sign(&self.0, key.as_bytes()).as_ref());
        out
    }

    /// Whether `presented` is the key that was stored, in a time that does not depend on where they differ.
    pub(super) fn fits(&self, presented: &str, stored: &[u8; 32]) -> bool {
        hmac::verify(&self.0, presented.as_bytes(), stored).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_id_and_has_all_the_secrets_bits() {
        let (id_made, key) = compose([0xff; 32], [0x80; 32]);
        assert_eq!(id_made, "zzzzzzzzzzzz");
        assert_eq!(id(&key), Some("zzzzzzzzzzzz"));
        assert_eq!(key.len(), 3 + 12 + 1 + 52);
        let mut last = [0; 32];
        last[31] = 1;
        assert_ne!(compose([0; 32], last).1, compose([0; 32], [0; 32]).1);
    }

    #[test]
    fn nothing_but_the_exact_form_is_a_key() {
        let (_, key) = compose([1; 32], [2; 32]);
        let wrong = [
            "",
            "pm_",
            "pm__",
            "sk-abc",
            &key[..key.len() - 1],
            &format!("{key}0"),
            &key.to_uppercase(),
            &key.replace("pm_", "pm-"),
            &format!(" {key}"),
            &key.replacen('0', "é", 1),
            "pm_'; DROP TABLE keys;--_",
        ];
        for text in wrong {
            assert_eq!(id(text), None, "{text:?}");
        }
    }
}
