"""What the clients' tests ask with: the configuration, the targets, tools, pictures and schemas."""

from __future__ import annotations

import math
from typing import Any

from pydantic import BaseModel

from rig import Sim

TEAM = "clients"

#: A team that may call one workflow and no target.
NARROW_TEAM = "narrow"

#: A target behind each provider's dialect.
TARGETS = {"openai": "openai/gpt-4.1", "anthropic": "anthropic/claude-sonnet-4-5"}

#: Where reasoning is to be had.
REASONING_TARGETS = {"openai": "openai/gpt-5-mini", "anthropic": "anthropic/claude-sonnet-4-5"}

#: Text that a careless translation spoils: several scripts, quotes, a line separator, an escape, an emoji of two units.
TEXT = 'Grüße, 東京 — "quoted", a \\backslash,\na new line, a\u2028separator and a 🙂 at the end.'

#: A picture of one red pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8Dwn4EIwDiqkL4KAcT9GO0U4BxoAAAAAElFTkSuQmCC"

PICTURE_URL = "https://example.com/receipt.png"


def configuration(sim: Sim) -> dict[str, Any]:
    """Both dialects of one simulated provider, and a team that may call them by target."""
    return {
        "providers": {
            "openai": {"base_url": f"{sim.url}/v1", "api_key": {"env": "SIM_OPENAI_KEY"}},
            "anthropic": {"base_url": sim.url, "api_key": {"env": "SIM_ANTHROPIC_KEY"}},
        },
        "workflows": {
            "small-talk": {"description": "Answers a greeting", "route": [TARGETS["openai"]]},
        },
        "teams": {
            TEAM: {"workflows": ["small-talk"], "targets": ["openai/*", "anthropic/*"]},
            NARROW_TEAM: {"workflows": ["small-talk"]},
        },
    }


class Refund(BaseModel):
    """Structured output that every vendor's strict mode accepts."""

    order_id: int
    reason: str
    urgent: bool
    items: list[str]


def weather_parameters() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Where"}},
        "required": ["city"],
        "additionalProperties": False,
    }


def no_parameters() -> dict[str, Any]:
    return {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


def tokens(text: str) -> int:
    """What the simulated provider counts for a text: a token for every four characters, rounded up."""
    return math.ceil(len(text) / 4)
