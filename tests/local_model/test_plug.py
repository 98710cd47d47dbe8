"""The plug is pulled on the simulated cloud, and the answer comes from the real model on this machine: streamed and
whole, through both client dialects, with the story told alike by headers, ledger and model server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from rig import Gateway, LocalModel, Sim
from rig.local_model import MODEL

CLOUD = "cloud/gpt-4.1-mini"
LOCAL = f"local/{MODEL}"

#: The base model needs an easy question; it answers this one by temperature 0.
FRANCE = [{"role": "user", "content": "What is the capital of France?"}]


def configuration(cloud: Sim, local: LocalModel) -> dict[str, Any]:
    return {
        "providers": {
            "cloud": {"dialect": "openai", "base_url": f"{cloud.url}/v1", "api_key": {"env": "SIM_OPENAI_KEY"}},
            "local": {
                "dialect": "openai",
                "base_url": f"{local.url}/v1",
                "region": "onprem",
                "terms": {"retention": "none", "training": "never", "baa": "always"},
            },
        },
        "models": {
            CLOUD: {"context": 32768, "price": {"input": 0.4, "output": 1.6}},
            LOCAL: {"context": 4096, "price": {"input": 0, "output": 0}, "can": ["json_schema", "prefix"]},
        },
        "workflows": {
            "geography": {
                "criticality": "high",
                "latency": {"first_token": "30s", "total": "120s"},
                "route": [CLOUD, LOCAL],
                "on": {"outage": "next", "timeout": "next"},
            }
        },
    }


@pytest.fixture
def cloud(tmp_path: Path):
    with Sim(tmp_path, "cloud") as cloud:
        yield cloud


@pytest.fixture
def gateway(cloud: Sim, local: LocalModel, start_gateway: Callable[[dict[str, Any]], Gateway]) -> Gateway:
    return start_gateway(configuration(cloud, local))


def through_openai(gateway: Gateway, stream: bool):
    """Text, headers and the number of pieces."""
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0, timeout=150) as client:
        raw = client.chat.completions.with_raw_response.create(
            model="geography", messages=FRANCE, max_tokens=12, temperature=0, stream=stream
        )
        if not stream:
            return raw.parse().choices[0].message.content, raw.headers, 1
        pieces = [chunk.choices[0].delta.content for chunk in raw.parse() if chunk.choices]
        heard = [piece for piece in pieces if piece]
        return "".join(heard), raw.headers, len(heard)


def through_anthropic(gateway: Gateway, stream: bool):
    """Text, headers and the number of pieces."""
    # The SDK has no parameter for the temperature any more; the models of the vendor's that take one still do.
    request = {"model": "geography", "messages": FRANCE, "max_tokens": 12, "extra_body": {"temperature": 0}}
    with anthropic.Anthropic(base_url=gateway.url, api_key="none", max_retries=0, timeout=150) as client:
        if not stream:
            raw = client.messages.with_raw_response.create(**request)
            return raw.parse().content[0].text, raw.headers, 1
        with client.messages.stream(**request) as live:
            heard = list(live.text_stream)
            return live.get_final_message().content[0].text, live.response.headers, len(heard)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("ask", [through_openai, through_anthropic], ids=["openai", "anthropic"])
def test_with_the_plug_pulled_the_local_model_answers(gateway, cloud, local, ask, stream):
    text, headers, _ = ask(gateway, stream)
    assert headers["x-pointsman-served-by"] == CLOUD, "while the cloud is there, it serves"
    assert text

    served_before = local.health()["served"]
    cloud.pull_the_plug()
    text, headers, pieces = ask(gateway, stream)

    assert "Paris" in text
    assert headers["x-pointsman-served-by"] == LOCAL
    assert headers["x-pointsman-attempts"] == "2"
    assert local.health()["served"] == served_before + 1, "the model on this machine did the work"
    if stream:
        assert pieces > 2, "it was streamed as it was made"

    row = gateway.row(headers["x-pointsman-request-id"])
    assert row["end"] == "served"
    assert row["served_by"] == LOCAL
    assert row["workflow"] == "geography"
    assert row["stream"] is stream
    failed, served = row["attempts"]
    assert failed["target"] == CLOUD
    assert failed["failure"], "the ledger says why the cloud did not serve"
    assert served["target"] == LOCAL
    assert served["failure"] is None
    assert served["usage"]["output"] > 0


def test_a_dead_cloud_is_soon_left_out_and_the_local_model_keeps_serving(gateway, cloud):
    cloud.pull_the_plug()
    attempts = []
    for _ in range(8):
        text, headers, _ = through_openai(gateway, stream=True)
        assert "Paris" in text
        assert headers["x-pointsman-served-by"] == LOCAL
        attempts.append(int(headers["x-pointsman-attempts"]))
    assert attempts[-1] == 1, f"after {attempts} the breaker spares the dead target"


def test_with_everything_gone_the_client_is_told_so_in_its_dialect(start_gateway, cloud, tmp_path, local):
    config = configuration(cloud, local)
    config["workflows"]["geography"]["route"] = [CLOUD]
    gateway = start_gateway(config)
    cloud.pull_the_plug()
    with pytest.raises(openai.InternalServerError):
        through_openai(gateway, stream=True)
    with pytest.raises(anthropic.APIStatusError) as failed:
        through_anthropic(gateway, stream=True)
    assert failed.value.status_code >= 500
