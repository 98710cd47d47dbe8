//! Usage, both ways. Here `input_tokens` leaves cached tokens out; the neutral form counts them in.

use crate::json::{Fault, Kind, Out, Reader};
use model::{Money, Usage};

/// Reads a usage object; `None` for null or for one that tells nothing.
pub(super) fn read(r: &mut Reader<'_>) -> Result<Option<Usage>, Fault> {
    if r.kind()? != Kind::Object {
        r.value()?;
        return Ok(None);
    }
    let mut usage = Usage::UNKNOWN;
    let mut fresh = None;
    r.object(|key, r| {
        match key {
            "input_tokens" => fresh = count(r)?,
            "output_tokens" => usage.output = count(r)?,
            "cache_read_input_tokens" => usage.cache_read = count(r)?,
            "cache_creation_input_tokens" => usage.cache_write = count(r)?,
            "output_tokens_details" if r.kind()? == Kind::Object => r.object(|key, r| {
                if key == "thinking_tokens" {
                    usage.reasoning = count(r)?;
                }
                Ok::<_, Fault>(())
            })?,
            _ => {}
        }
        Ok::<_, Fault>(())
    })?;
    let cached = usage.cache_read.unwrap_or(0).saturating_add(usage.cache_write.unwrap_or(0));
    usage.input = fresh.map(|fresh: u64| fresh.saturating_add(cached));
    Ok((usage != Usage::UNKNOWN).then_some(usage))
}

/// Brings a later report of a stream into an earlier one. The last report of some servers repeats the uncached input
/// and leaves the cached counts out, which the first one told; then the prompt is both together.
pub(super) fn merge(known: &mut Usage, later: &Usage) {
    let cached = known.cache_read.unwrap_or(0).saturating_add(known.cache_write.unwrap_or(0));
    let partial = later.cache_read.is_none() && later.cache_write.is_none();
    let input = if partial { later.input.map(|fresh| fresh.saturating_add(cached)) } else { later.input };
    known.update(&Usage { input, ..*later });
}

/// A count; anything else is unknown rather than a broken answer.
fn count(r: &mut Reader<'_>) -> Result<Option<u64>, Fault> {
    match r.kind()? {
        Kind::Number => Ok(r.value()?.parse().ok()),
        _ => Ok(None),
    }
}

/// Writes a usage object. The dialect requires numbers; an unknown count is written as 0.
pub(super) fn write(usage: &Usage, cost: Option<Money>, out: &mut Out) {
    let (read, write) = (usage.cache_read.unwrap_or(0), usage.cache_write.unwrap_or(0));
    let fresh = usage.input.unwrap_or(0).saturating_sub(read).saturating_sub(write);
    out.object();
    if let Some(cost) = cost {
        out.key("x-pointsman-cost-usd").plain(&cost.to_string());
    }
    out.key("input_tokens").count(fresh);
    out.key("cache_creation_input_tokens").count(write);
    out.key("cache_read_input_tokens").count(read);
    out.key("output_tokens").count(usage.output.unwrap_or(0));
    if let Some(thinking) = usage.reasoning {
        out.key("output_tokens_details").object().key("thinking_tokens").count(thinking).end_object();
    }
    out.end_object();
}
