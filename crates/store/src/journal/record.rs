//! One record of the journal: what stands where, and how a whole one is told from a torn or a damaged one.
//!
//! ```text
//! 8 bytes, stored last and at once   u32 length of the body · u32 checksum
//! the body                           u8 kind · the row, as postcard writes it (its first 16 bytes are the request id)
//! zeros up to a multiple of 8
//! ```
//!
//! The checksum starts from the segment's random salt and the length. A client can put any bytes into a field that
//! ends up in a row, but cannot make them pass for a record of their own after a crash.

use model::{RequestId, RequestRow};

/// The word in front of every body.
pub(crate) const HEAD: usize = 8;
/// The longest body. A row that needs more is cut (see [`shortened`]).
pub(crate) const MAX_BODY: usize = 65_536;
/// Longest client- or vendor-made text of a row that had to be cut, in bytes.
const SHORT_TEXT: usize = 512;

/// What a record says of its request. The numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// About to be sent to a target.
    Intent = 1,
    /// Over.
    Settlement = 2,
}

/// A body, split.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body<'a> {
    pub(crate) kind: Kind,
    pub(crate) id: RequestId,
    /// The row as postcard wrote it.
    pub(crate) row: &'a [u8],
}

/// Bytes from the head of one record to the head of the next.
pub(crate) fn stride(body: usize) -> usize {
    (HEAD + body).next_multiple_of(8)
}

/// The word that publishes `body`.
pub(crate) fn head(salt: u32, body: &[u8]) -> u64 {
    let length = body.len() as u32;
    let mut crc = crc32fast::Hasher::new_with_initial(salt ^ length.rotate_left(16));
    crc.update(body);
    u64::from(length) | u64::from(crc.finalize()) << 32
}

/// The length that `word` claims, if a record may have it.
pub(crate) fn length(word: u64) -> Option<usize> {
    let length = (word & 0xffff_ffff) as usize;
    (17..=MAX_BODY).contains(&length).then_some(length)
}

/// Splits a body whose checksum is right. `None` for a kind that this version does not know.
pub(crate) fn split(body: &[u8]) -> Option<Body<'_>> {
    let (kind, row) = body.split_first()?;
    let kind = match kind {
        1 => Kind::Intent,
        2 => Kind::Settlement,
        _ => return None,
    };
    let id = row.first_chunk::<16>()?;
    Some(Body { kind, id: RequestId(u128::from_be_bytes(*id)), row })
}

/// Writes kind and row into `space`. `None` when they do not fit.
pub(crate) fn write(kind: Kind, row: &RequestRow, space: &mut [u8]) -> Option<usize> {
    let (first, rest) = space.split_first_mut()?;
    *first = kind as u8;
    postcard::to_slice(row, rest).ok().map(|written| written.len() + 1)
}

/// Reads the row of a body.
pub(crate) fn read(row: &[u8]) -> Option<RequestRow> {
    postcard::from_bytes(row).ok()
}

/// The same row with the texts that others wrote cut to a bound: a row too long for the journal loses words, never
/// its place in the ledger.
pub(crate) fn shortened(row: &RequestRow) -> RequestRow {
    let mut row = row.clone();
    row.asked.model = cut(&row.asked.model).into();
    for attempt in &mut row.attempts {
        attempt.detail = attempt.detail.as_deref().map(|d| cut(d).into());
    }
    row
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(SHORT_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
