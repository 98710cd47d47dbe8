"""Calls through the OpenAI SDK, whole or streamed, gathered into one shape so that a test can assert on either."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import openai

from clients.scene import no_parameters, weather_parameters


@dataclass
class Call:
    id: str = ""
    name: str = ""
    arguments: str = ""
    pieces: int = 0


@dataclass
class Told:
    """What a client was told, as the SDK's own types carried it."""

    id: str = ""
    model: str = ""
    text: str = ""
    refusal: str = ""
    reasoning: str = ""
    calls: list[Call] = field(default_factory=list)
    finish: str | None = None
    finishes: int = 0
    usage: Any = None
    pieces: int = 0
    headers: Any = None


def ask(client: openai.OpenAI, stream: bool, **request: Any) -> Told:
    """One chat completion."""
    if stream:
        request.setdefault("stream_options", {"include_usage": True})
    raw = client.chat.completions.with_raw_response.create(stream=stream, **request)
    told = gather(raw.parse()) if stream else read(raw.parse())
    told.headers = raw.headers
    return told


def read(completion: Any) -> Told:
    choice = completion.choices[0]
    message = choice.message
    assert completion.object == "chat.completion"
    assert message.role == "assistant"
    return Told(
        id=completion.id,
        model=completion.model,
        text=message.content or "",
        refusal=message.refusal or "",
        reasoning=getattr(message, "reasoning_content", None) or "",
        calls=[Call(c.id, c.function.name, c.function.arguments) for c in message.tool_calls or []],
        finish=choice.finish_reason,
        usage=completion.usage,
    )


def gather(chunks: Any) -> Told:
    """Adds chunks up, and holds them to the dialect's rules on the way."""
    told = Told()
    for chunk in chunks:
        assert chunk.object == "chat.completion.chunk"
        assert told.id in ("", chunk.id), "a stream keeps its id"
        told.id, told.model = chunk.id, chunk.model
        if chunk.usage is not None:
            assert told.usage is None, "usage comes once"
            told.usage = chunk.usage
        for choice in chunk.choices:
            delta = choice.delta
            if told.finish is not None:
                # Some servers finish twice. A repetition changes nothing; anything else behind the end does.
                assert choice.finish_reason == told.finish, "nothing but itself follows the finish"
                assert not (delta.content or delta.refusal or delta.tool_calls), "no content follows the finish"
            told.text += delta.content or ""
            told.refusal += delta.refusal or ""
            told.reasoning += getattr(delta, "reasoning_content", None) or ""
            told.pieces += bool(delta.content)
            for piece in delta.tool_calls or []:
                assert piece.index <= len(told.calls), "calls are numbered from zero, without a gap"
                if piece.index == len(told.calls):
                    assert piece.id and piece.function.name, "a call's first piece names it"
                    told.calls.append(Call())
                call = told.calls[piece.index]
                call.id += piece.id or ""
                call.name += piece.function.name or ""
                call.arguments += piece.function.arguments or ""
                call.pieces += bool(piece.function.arguments)
            told.finish = choice.finish_reason or told.finish
            told.finishes += choice.finish_reason is not None
    return told


def tool(name: str, parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": f"The tool {name}", "parameters": parameters, **more}}


WEATHER = tool("weather", weather_parameters())
PING = tool("ping", no_parameters())


def said(told: Told) -> dict[str, Any]:
    """The assistant's turn, as an application puts it back into the conversation."""
    return {
        "role": "assistant",
        "content": told.text or None,
        "tool_calls": [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}} for c in told.calls
        ],
    }
