//! Seals: the vendors' signatures over thinking, as they travel through a client of another dialect.
//!
//! A signature is only good at the vendor that issued it. On its way to a client of another dialect it is given the
//! prefix `pm1.<dialect>.`; when it comes back it is stripped for that dialect and dropped for every other one.

use model::{Dialect, Text};

/// How every tagged seal begins.
pub(crate) const TAG: &str = "pm1.";

/// The prefix that a signature of `issued_by` gets before a client of `client` may hold it.
pub(crate) fn tag(client: Dialect, issued_by: Dialect) -> String {
    if client == issued_by { String::new() } else { format!("{TAG}{issued_by}.") }
}

/// A signature as a client of `client` sent it: who issued it, and its bytes. `None` for an empty or forged one.
pub(crate) fn inward<'a>(client: Dialect, token: Text<'a>) -> Option<(Dialect, Text<'a>)> {
    let plain = token.decode();
    let Some(tagged) = plain.strip_prefix(TAG) else {
        return well_formed(&plain).then_some((client, token));
    };
    let (dialect, seal) = tagged.split_once('.')?;
    let dialect: Dialect = dialect.parse().ok()?;
    (dialect != client && well_formed(seal)).then(|| (dialect, Text::plain(seal)))
}

/// Signatures are base64 or identifiers; anything else was not issued by a vendor.
fn well_formed(seal: &str) -> bool {
    !seal.is_empty() && seal.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=-_.:~".contains(&b))
}

/// Whether tagged seals may stand in a body. A mention in prose costs a translation and nothing else.
pub(crate) fn tagged_in(body: &str) -> bool {
    memchr::memmem::find(body.as_bytes(), b"\"pm1.").is_some()
}
