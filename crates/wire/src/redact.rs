//! What a provider said, made fit for logs and ledger: one line, bounded, without anything that looks like a key.

use std::borrow::Cow;

/// Longest detail kept, in bytes.
pub(crate) const LONGEST: usize = 512;

/// What stands where a credential stood.
const MARK: &str = "[redacted]";

/// How vendors' keys begin.
const PREFIXES: &[&str] = &[
    "sk-", "sk_", "pk-", "pk_", "rk-", "xai-", "gsk_", "fw_", "hf_", "r8_", "AIza", "AKIA", "ASIA", "eyJ",
    "nvapi-",
];

/// How ids that people need for support begin; they are long and random too, and are kept.
const IDS: &[&str] = &["req_", "req-", "chatcmpl-", "msg_", "resp_", "org-", "call_", "toolu_", "gen-"];

/// Bounds and cleans what a provider said. `secret` is the key it was sent, which it may have echoed.
pub(crate) fn detail(said: &str, secret: Option<&str>) -> String {
    let secret = secret.filter(|s| s.len() >= 4);
    let said: Cow<'_, str> = match secret {
        Some(secret) if said.contains(secret) => Cow::Owned(said.replace(secret, MARK)),
        _ => Cow::Borrowed(said),
    };
    let mut out = String::with_capacity(said.len().min(LONGEST + 4));
    let mut rest: &str = &said;
    while !rest.is_empty() && out.len() < LONGEST {
        let word = rest.find(|c| !in_key(c)).unwrap_or(rest.len());
        let (token, tail) = rest.split_at(word);
        out.push_str(if looks_like_key(token, secret) { MARK } else { token });
        let gap = tail.find(in_key).unwrap_or(tail.len());
        out.extend(tail[..gap].chars().map(|c| if c.is_control() { ' ' } else { c }));
        rest = &tail[gap..];
    }
    if out.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|at| out.is_char_boundary(*at)).unwrap_or(0);
        out.truncate(end);
        out.push('…');
    }
    out
}

fn in_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-.*+/=~".contains(c)
}

fn looks_like_key(token: &str, secret: Option<&str>) -> bool {
    if token.len() < 8 || IDS.iter().any(|id| token.starts_with(id)) {
        return false;
    }
    if PREFIXES.iter().any(|prefix| token.starts_with(prefix)) {
        return true;
    }
    if secret.is_some_and(|s| s.bytes().zip(token.bytes()).take_while(|(a, b)| a == b).count() >= 8) {
        return true;
    }
    let random = |part: &str| {
        part.len() >= 28
            && part.bytes().any(|b| b.is_ascii_digit())
            && part.bytes().any(|b| b.is_ascii_alphabetic())
    };
    // Addresses and dotted names are made of short pieces; a key is one long one.
    token.split(['/', '.', '-']).any(random) || (random(token) && !token.contains(['/', '.', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echoed_key_never_reaches_a_log_in_whole_or_in_part() {
        let key = "local-secret-0123456789";
        for said in [
            "Incorrect API key provided: sk-proj-abcdefghijkl*******wxyz.",
            "bad key local-secret-0123456789",
            "bad key local-secret-01... for you",
            "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdef",
            "key 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 refused",
        ] {
            let clean = detail(said, Some(key));
            assert!(clean.contains(MARK), "{clean}");
            for part in ["wxyz", "secret-01", "eyJ", "9f86"] {
                assert!(!clean.contains(part), "{clean}");
            }
        }
    }

    #[test]
    fn ordinary_words_addresses_and_request_ids_stay() {
        let said = "The model `meta-llama/Llama-3.3-70B-Instruct-Turbo` is gone, see https://x.example/docs/models-2026 (req_011CSHoEeqs5C35K2UUqR7Fy)";
        assert_eq!(detail(said, Some("another-key")), said);
    }

    #[test]
    fn a_detail_is_one_bounded_line() {
        let clean = detail(&"line\nbreak é ".repeat(200), None);
        assert!(clean.len() <= LONGEST + '…'.len_utf8() && !clean.contains('\n'));
    }
}
