//! Frames are the same however the bytes are cut, and together they are the bytes.
#![no_main]
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wire::sse::{Splitter, fields};

fn frames(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let (mut splitter, mut frames) = (Splitter::default(), Vec::new());
    for piece in pieces {
        splitter.feed(Bytes::copy_from_slice(piece));
        while let Ok(Some(frame)) = splitter.next_frame() {
            frames.push(splitter.view(frame).to_vec());
        }
    }
    let rest = splitter.rest();
    frames.push(splitter.view(rest).to_vec());
    frames
}

fuzz_target!(|data: &[u8]| {
    let Some((cut, stream)) = data.split_first() else { return };
    let whole = frames(&[stream]);
    assert_eq!(whole.concat(), stream);
    let at = stream.len() * usize::from(*cut) / 256;
    assert_eq!(frames(&[&stream[..at], &stream[at..]]), whole);
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(frames(&bytes), whole);
    for frame in &whole {
        let _ = fields(frame);
    }
});
