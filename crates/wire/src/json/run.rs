//! Runs of ordinary string characters, found a block at a time. Strings are most of every body, so this is most of
//! what reading costs.

/// Bytes tested together; the test is plain arithmetic that the compiler turns into vector instructions.
const BLOCK: usize = 64;

/// Bytes of a word.
const WORD: usize = 8;

/// The first byte at or behind `at` that ends a run: a quote, a backslash or a control character.
#[inline]
pub(super) fn end(bytes: &[u8], mut at: usize) -> usize {
    // Keys and short values end within two words; blocks pay only beyond them.
    for _ in 0..2 {
        match word(bytes, at) {
            Some(0) => at += WORD,
            Some(hits) => return at + first(hits),
            None => return tail(bytes, at),
        }
    }
    far(bytes, at)
}

fn far(bytes: &[u8], mut at: usize) -> usize {
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk::<BLOCK>) {
        if any(block) {
            break;
        }
        at += BLOCK;
    }
    loop {
        match word(bytes, at) {
            Some(0) => at += WORD,
            Some(hits) => return at + first(hits),
            None => return tail(bytes, at),
        }
    }
}

fn tail(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|b| !special(*b)) {
        at += 1;
    }
    at
}

#[inline(always)]
const fn special(b: u8) -> bool {
    (b == b'"') | (b == b'\\') | (b < 0x20)
}

#[inline(always)]
fn any(block: &[u8; BLOCK]) -> bool {
    block.iter().fold(0u8, |hit, b| hit | u8::from(special(*b))) != 0
}

/// Marks in the top bits of the bytes of the word at `at`. The lowest mark is exact; those above it may not be.
#[inline(always)]
fn word(bytes: &[u8], at: usize) -> Option<u64> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let word = u64::from_le_bytes(*bytes.get(at..)?.first_chunk::<WORD>()?);
    let zero = |x: u64| x.wrapping_sub(ONES) & !x;
    let quote = zero(word ^ (ONES * b'"' as u64));
    let slash = zero(word ^ (ONES * b'\\' as u64));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    Some((quote | slash | control) & TOPS)
}

#[inline(always)]
const fn first(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place_ends_a_run_or_does_not() {
        for place in 0..200 {
            for byte in 0..=255u8 {
                let mut bytes = [b'x'; 201];
                bytes[place] = byte;
                let expected = if special(byte) { place } else { 201 };
                assert_eq!(end(&bytes, 0), expected, "byte {byte} at {place}");
            }
        }
    }

    #[test]
    fn the_first_of_several_hits_is_the_one_found() {
        for seed in 0..20_000u64 {
            let bytes: Vec<u8> = (1..=12u64)
                .flat_map(|n| (seed.wrapping_mul(n).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n).to_le_bytes())
                .collect();
            let expected = bytes.iter().position(|b| special(*b)).unwrap_or(bytes.len());
            assert_eq!(end(&bytes, 0), expected);
        }
    }
}
