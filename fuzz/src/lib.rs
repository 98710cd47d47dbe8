//! What the targets share: bytes driven through a reader or a relay, and what must hold whatever they are.

use bytes::Bytes;
use model::{Dialect, FailureKind, Operation, Timestamp};
use std::collections::VecDeque;
use wire::dialect::Target;
use wire::{Relay, RelayOptions};

/// The dialects spoken.
pub const BOTH: [Dialect; 2] = [Dialect::OpenAi, Dialect::Anthropic];

/// A request that can be read can be written for every dialect or is refused by name; what is written is JSON that
/// its own dialect reads.
pub fn read(dialect: Dialect, data: &[u8]) {
    let Ok(prompt) = wire::read(dialect, data) else { return };
    for target in BOTH {
        let row = wire::plain(target);
        let to = Target { row, model: "model", operation: Operation::Chat };
        match wire::write(target, &prompt, to) {
            Ok(bytes) => {
                let json = serde_json::from_slice::<&serde_json::value::RawValue>(&bytes);
                assert!(json.is_ok(), "{}", String::from_utf8_lossy(&bytes));
                let back = wire::read(target, &bytes);
                assert!(back.is_ok(), "{back:?} {}", String::from_utf8_lossy(&bytes));
            }
            Err(uncarried) => assert!(!uncarried.part.is_empty() && !uncarried.why.is_empty()),
        }
    }
}

/// An answer is passed on as it is, or becomes one that the client's dialect reads.
pub fn answer(provider: Dialect, data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    for client in BOTH {
        let row = wire::plain(provider);
        let Ok(relayed) = wire::answer(client, provider, row, body.clone(), Timestamp(0)) else { continue };
        if client == provider {
            assert_eq!(relayed.body, body);
        } else {
            let json = serde_json::from_slice::<&serde_json::value::RawValue>(&relayed.body);
            assert!(json.is_ok(), "{}", String::from_utf8_lossy(&relayed.body));
        }
    }
}

/// However a stream is cut, the client reads the same; a stream that is not whole never ends like one that is.
pub fn stream(provider: Dialect, data: &[u8]) {
    let Some((cut, stream)) = data.split_first() else { return };
    for client in BOTH {
        let whole = run(client, provider, &[stream]);
        let at = stream.len() * usize::from(*cut) / 256;
        let parted = run(client, provider, &[&stream[..at], &stream[at..]]);
        assert_eq!(whole, parted, "{}", String::from_utf8_lossy(stream));
        if client != provider && whole.1.is_some() {
            let text = String::from_utf8_lossy(&whole.0);
            let ends = text.contains("data: [DONE]\n\n") || text.contains("event: message_stop\n");
            assert!(!ends, "{text}");
        }
    }
}

fn run(client: Dialect, provider: Dialect, pieces: &[&[u8]]) -> (Vec<u8>, Option<FailureKind>) {
    let options = RelayOptions { asks_usage: true, model: "model", created: 0, id_hint: "id" };
    let mut relay = Relay::new(client, provider, wire::plain(provider), options);
    let mut out = VecDeque::new();
    let fed =
        pieces.iter().try_for_each(|piece| relay.feed(Bytes::copy_from_slice(piece), &mut out).map(|_| ()));
    let failed = fed.and_then(|()| relay.eof().map(|_| ())).err().map(|failure| failure.kind);
    relay.finale(None, &mut out);
    (out.iter().flat_map(|bytes| bytes.iter().copied()).collect(), failed)
}
