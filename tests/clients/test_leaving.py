"""A client that leaves: the provider's work is cancelled, and the ledger says that nobody waited for the rest."""

from __future__ import annotations

import anthropic
import openai
import pytest

from clients.scene import TARGETS, TEAM, configuration
from rig.program import await_until

QUESTION = [{"role": "user", "content": "Tell me everything."}]


@pytest.fixture
def fresh(start_gateway, sim):
    return start_gateway(configuration(sim))


def one_row_ends_with_client_left(gateway) -> None:
    def ended():
        rows = gateway.ledger()
        return rows and rows[0]["end"]

    assert await_until(ended, "the request's row in the ledger", 10, every=0.2) == "client_left"


def provider_was_left(sim) -> None:
    await_until(lambda: any(sim.was_left(entry) for entry in sim.log()), "the provider to be cancelled", 5)


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_leaving_a_stream_cancels_the_provider(fresh, sim, provider, sdk):
    sim.script({"answer": {"tokens": 4000}, "chunk_ms": 40})
    key = fresh.create_key(TEAM)
    if sdk == "openai":
        with openai.OpenAI(base_url=f"{fresh.url}/v1", api_key=key, max_retries=0) as client:
            live = client.chat.completions.create(model=TARGETS[provider], messages=QUESTION, stream=True)
            texts = (chunk.choices[0].delta.content for chunk in live if chunk.choices)
            heard = [text for text, _ in zip((t for t in texts if t), range(3), strict=False)]
            live.close()
    else:
        with anthropic.Anthropic(base_url=fresh.url, api_key=key, max_retries=0) as client:
            with client.messages.stream(model=TARGETS[provider], max_tokens=8000, messages=QUESTION) as live:
                heard = [text for text, _ in zip(live.text_stream, range(3), strict=False)]
    assert len(heard) == 3
    provider_was_left(sim)
    one_row_ends_with_client_left(fresh)


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_leaving_before_the_answer_cancels_the_provider(fresh, sim, provider, sdk):
    sim.script({"first_token_ms": 8000})
    key = fresh.create_key(TEAM)
    if sdk == "openai":
        with openai.OpenAI(base_url=f"{fresh.url}/v1", api_key=key, max_retries=0, timeout=1) as client:
            with pytest.raises(openai.APITimeoutError):
                client.chat.completions.create(model=TARGETS[provider], messages=QUESTION)
    else:
        with anthropic.Anthropic(base_url=fresh.url, api_key=key, max_retries=0, timeout=1) as client:
            with pytest.raises(anthropic.APITimeoutError):
                client.messages.create(model=TARGETS[provider], max_tokens=100, messages=QUESTION)
    provider_was_left(sim)
    one_row_ends_with_client_left(fresh)
