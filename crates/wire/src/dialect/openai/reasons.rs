//! Finish reasons, both ways.

use model::Stop;

/// What a finish reason means, the compatible vendors' own among them. `None` for one that reports an error: the
/// answer is then no answer.
pub(super) fn read(reason: &str) -> Option<Stop> {
    Some(match reason {
        "stop" | "end_turn" | "eos" | "eos_token" | "complete" => Stop::EndTurn,
        "length" | "max_tokens" => Stop::Length,
        "stop_sequence" => Stop::StopSequence,
        "tool_calls" | "function_call" | "tool_use" => Stop::ToolUse,
        "content_filter" | "safety" | "recitation" => Stop::ContentFilter,
        "refusal" => Stop::Refusal,
        "model_length" => Stop::ContextExceeded,
        "malformed_function_call" => Stop::MalformedToolCall,
        "error" | "abort" | "insufficient_system_resource" | "cancelled" => return None,
        _ => Stop::Other,
    })
}

/// The finish reason that a client of this dialect reads. What is not a normal end never reads as one: the dialect
/// has `length` for an answer that is not whole and `content_filter` for one that was withheld.
pub(super) fn write(stop: Stop) -> &'static str {
    match stop {
        Stop::EndTurn | Stop::StopSequence => "stop",
        Stop::ToolUse => "tool_calls",
        Stop::ContentFilter | Stop::Refusal => "content_filter",
        Stop::Length | Stop::Pause | Stop::ContextExceeded | Stop::MalformedToolCall | Stop::Other => {
            "length"
        }
    }
}
