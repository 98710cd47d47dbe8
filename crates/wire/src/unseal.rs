//! Same dialect, but thinking of another vendor in the history: the foreign parts are cut out, every other byte stays.
//!
//! A client that was served by another dialect's vendor holds thinking with a tagged seal (see [`crate::seal`]). Its
//! own dialect's vendor would refuse it, so those parts are left out when the request goes there.

use crate::json::{Fault, Kind, Reader};
use bytes::Bytes;
use model::Dialect;
use smallvec::SmallVec;
use std::ops::Range;

/// A list of which some elements go: the list's own place, and the places of those that stay.
struct Cut {
    list: Range<usize>,
    kept: Vec<Range<usize>>,
}

/// Places of a body and what stands there instead.
pub(crate) type Edits = SmallVec<[(Range<usize>, Bytes); 2]>;

/// What is put in place of a list of content that lost every part; the dialects refuse an empty one.
const NOTHING: &str = r#"{"type":"text","text":"..."}"#;

/// The cuts that rid a body of foreign thinking, as replacements in ascending order.
pub(crate) fn replacements(dialect: Dialect, body: &str) -> Result<Edits, Fault> {
    let mut cuts = Vec::new();
    let mut reader = Reader::new(body);
    let list = if dialect == Dialect::OpenAi { "reasoning_details" } else { "content" };
    reader.object(|key, r| {
        if key != "messages" || r.kind()? != Kind::Array {
            return Ok(());
        }
        r.array(|_, r| {
            if r.kind()? != Kind::Object {
                return Ok(());
            }
            r.object(|key, r| {
                if key == list && r.kind()? == Kind::Array {
                    cuts.extend(cut(r)?);
                }
                Ok::<_, Fault>(())
            })
        })
    })?;
    let replace = |cut: Cut| {
        let kept: Vec<&str> = cut.kept.iter().map(|range| &body[range.clone()]).collect();
        let inside = match kept.as_slice() {
            [] if dialect != Dialect::OpenAi => NOTHING.to_owned(),
            kept => kept.join(","),
        };
        (cut.list, Bytes::from(format!("[{inside}]")))
    };
    Ok(cuts.into_iter().map(replace).collect())
}

/// Looks through one list; `None` where nothing of it goes.
fn cut(r: &mut Reader<'_>) -> Result<Option<Cut>, Fault> {
    r.space();
    let start = r.at();
    let (mut kept, mut any) = (Vec::new(), false);
    r.array(|_, r| {
        r.space();
        let from = r.at();
        let mut foreign = false;
        if r.kind()? == Kind::Object {
            r.object(|key, r| {
                if matches!(key, "signature" | "data") && r.kind()? == Kind::String {
                    foreign |= r.string()?.starts_with(crate::seal::TAG);
                }
                Ok::<_, Fault>(())
            })?;
        } else {
            r.value()?;
        }
        if foreign {
            any = true
        } else {
            kept.push(from..r.at())
        }
        Ok::<_, Fault>(())
    })?;
    Ok(any.then_some(Cut { list: start..r.at(), kept }))
}
