"""Calls through the Anthropic SDK, whole or streamed, gathered into the SDK's own `Message`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import anthropic
from anthropic.types import Message

from clients.scene import no_parameters, weather_parameters


@dataclass
class Told:
    """The message, the headers it came with, and (streamed) the events that made it."""

    message: Message
    headers: Any
    events: list[Any] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(block.text for block in self.message.content if block.type == "text")

    @property
    def thinking(self) -> str:
        return "".join(block.thinking for block in self.message.content if block.type == "thinking")

    @property
    def calls(self) -> list[Any]:
        return [block for block in self.message.content if block.type == "tool_use"]

    def deltas(self, kind: str) -> list[Any]:
        """Streamed pieces of one kind, such as `text_delta`."""
        return [e.delta for e in self.events if e.type == "content_block_delta" and e.delta.type == kind]


def ask(client: anthropic.Anthropic, stream: bool, **request: Any) -> Told:
    """One message."""
    request.setdefault("max_tokens", 2048)
    if not stream:
        raw = client.messages.with_raw_response.create(**request)
        return Told(raw.parse(), raw.headers)
    with client.messages.stream(**request) as live:
        events = [event for event in live if event.type in RAW]
        told = Told(live.get_final_message(), live.response.headers, events)
    follows_the_protocol(events)
    return told


#: Events that came over the wire; the SDK adds others of its own.
RAW = {
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
}


def follows_the_protocol(events: list[Any]) -> None:
    """Blocks one after another, numbered without a gap; one start, one end."""
    kinds = [event.type for event in events]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("message_start") == kinds.count("message_stop") == 1
    open_block, following = None, 0
    for event in events:
        if event.type == "content_block_start":
            assert open_block is None, "a block opens after the one before has closed"
            assert event.index == following, "blocks are numbered without a gap"
            open_block, following = event.index, following + 1
        elif event.type == "content_block_delta":
            assert event.index == open_block, "a piece belongs to the open block"
        elif event.type == "content_block_stop":
            assert event.index == open_block
            open_block = None
    assert open_block is None, "the last block is closed"


def tool(name: str, schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "description": f"The tool {name}", "input_schema": schema, **more}


WEATHER = tool("weather", weather_parameters())
PING = tool("ping", no_parameters())


def said(told: Told) -> dict[str, Any]:
    """The assistant's turn, as an application puts it back into the conversation."""
    return {"role": "assistant", "content": told.message.content}


def result(call: Any, text: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call.id, "content": text}
