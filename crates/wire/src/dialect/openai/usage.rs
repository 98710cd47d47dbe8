//! Usage, both ways. Here `prompt_tokens` counts cached tokens, as the neutral form does.

use crate::json::{Fault, Kind, Out, Reader};
use model::{Money, Usage};

/// Reads a usage object; `None` for null or for one that tells nothing.
pub(super) fn read(r: &mut Reader<'_>) -> Result<Option<Usage>, Fault> {
    if r.kind()? != Kind::Object {
        r.value()?;
        return Ok(None);
    }
    let mut usage = Usage::UNKNOWN;
    let (mut total, mut hits) = (None, None);
    r.object(|key, r| {
        match key {
            "prompt_tokens" => usage.input = count(r)?,
            "completion_tokens" => usage.output = count(r)?,
            "total_tokens" => total = count(r)?,
            // Cached tokens under other vendors' names.
            "prompt_cache_hit_tokens" | "cached_tokens" => hits = count(r)?,
            "prompt_tokens_details" if r.kind()? == Kind::Object => r.object(|key, r| {
                match key {
                    "cached_tokens" => usage.cache_read = count(r)?,
                    "cache_write_tokens" => usage.cache_write = count(r)?,
                    _ => {}
                }
                Ok::<_, Fault>(())
            })?,
            "completion_tokens_details" if r.kind()? == Kind::Object => r.object(|key, r| {
                if key == "reasoning_tokens" {
                    usage.reasoning = count(r)?;
                }
                Ok::<_, Fault>(())
            })?,
            _ => {}
        }
        Ok::<_, Fault>(())
    })?;
    usage.cache_read = usage.cache_read.or(hits);
    if let (Some(input), Some(output), Some(reasoning), Some(total)) =
        (usage.input, usage.output, usage.reasoning, total)
    {
        // Some vendors leave thinking out of `completion_tokens`; their total gives them away.
        let beside = output.saturating_add(reasoning);
        if reasoning > 0 && input.saturating_add(beside) == total {
            usage.output = Some(beside);
        }
    }
    Ok((usage != Usage::UNKNOWN).then_some(usage))
}

/// A count; anything else is unknown rather than a broken answer.
fn count(r: &mut Reader<'_>) -> Result<Option<u64>, Fault> {
    match r.kind()? {
        Kind::Number => Ok(r.value()?.parse().ok()),
        _ => Ok(None),
    }
}

/// Writes a usage object, or null where nothing is known.
pub(super) fn write(usage: &Usage, cost: Option<Money>, out: &mut Out) {
    if *usage == Usage::UNKNOWN && cost.is_none() {
        out.null();
        return;
    }
    // The dialect has no word for an unknown count; its clients require numbers.
    let (input, output) = (usage.input.unwrap_or(0), usage.output.unwrap_or(0));
    out.object();
    if let Some(cost) = cost {
        out.key("x-pointsman-cost-usd").plain(&cost.to_string());
    }
    out.key("prompt_tokens").count(input).key("completion_tokens").count(output);
    out.key("total_tokens").count(input.saturating_add(output));
    if usage.cache_read.is_some() || usage.cache_write.is_some() {
        out.key("prompt_tokens_details").object();
        out.key("cached_tokens").count(usage.cache_read.unwrap_or(0));
        if let Some(written) = usage.cache_write {
            out.key("cache_write_tokens").count(written);
        }
        out.end_object();
    }
    if let Some(reasoning) = usage.reasoning {
        out.key("completion_tokens_details").object().key("reasoning_tokens").count(reasoning).end_object();
    }
    out.end_object();
}
