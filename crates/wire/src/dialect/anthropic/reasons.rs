//! Stop reasons, both ways.

use model::Stop;

/// What a stop reason means.
pub(super) fn read(reason: &str) -> Stop {
    match reason {
        "end_turn" => Stop::EndTurn,
        "max_tokens" => Stop::Length,
        "stop_sequence" => Stop::StopSequence,
        "tool_use" => Stop::ToolUse,
        "pause_turn" => Stop::Pause,
        "refusal" => Stop::Refusal,
        "model_context_window_exceeded" => Stop::ContextExceeded,
        _ => Stop::Other,
    }
}

/// The stop reason that a client of this dialect reads. What is not a normal end never reads as one.
pub(super) fn write(stop: Stop) -> &'static str {
    match stop {
        Stop::EndTurn => "end_turn",
        Stop::Length | Stop::MalformedToolCall | Stop::Other => "max_tokens",
        Stop::StopSequence => "stop_sequence",
        Stop::ToolUse => "tool_use",
        Stop::Pause => "pause_turn",
        Stop::Refusal | Stop::ContentFilter => "refusal",
        Stop::ContextExceeded => "model_context_window_exceeded",
    }
}
