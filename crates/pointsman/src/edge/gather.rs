//! Reads a whole body, bounded, from either side. A body that arrives in one frame is not copied.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::time::Duration;
use tokio::time::timeout;

/// Why a body could not be read whole.
#[derive(Debug)]
pub enum Ungathered {
    /// It is larger than the bound.
    TooLarge,
    /// The connection broke; what the transport said.
    Broken(String),
    /// Nothing came for longer than allowed.
    Silent,
}

/// Reads to the end. `announced` sizes the buffer when several frames must be joined; `patience` is the longest silence.
pub async fn gather(
    mut body: Incoming,
    announced: usize,
    bound: usize,
    patience: Duration,
) -> Result<Bytes, Ungathered> {
    let mut first = Bytes::new();
    let mut joined: Option<BytesMut> = None;
    while let Some(frame) = timeout(patience, body.frame()).await.map_err(|_| Ungathered::Silent)? {
        let frame = frame.map_err(|e| Ungathered::Broken(crate::upstream::chain(&e)))?;
        let Ok(data) = frame.into_data() else { continue };
        let length = joined.as_ref().map_or(first.len(), BytesMut::len) + data.len();
        if length > bound {
            return Err(Ungathered::TooLarge);
        }
        match &mut joined {
            Some(joined) => joined.extend_from_slice(&data),
            None if first.is_empty() => first = data,
            None => {
                let mut both = BytesMut::with_capacity(announced.clamp(length, bound));
                both.extend_from_slice(&first);
                both.extend_from_slice(&data);
                joined = Some(both);
            }
        }
    }
    Ok(joined.map_or(first, BytesMut::freeze))
}
