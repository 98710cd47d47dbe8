"""One gateway in front of one simulated provider, and the clients that call it."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import openai
import pytest

from rig import Gateway, Sim
from clients.scene import TEAM, configuration


@pytest.fixture(autouse=True)
def a_provider_that_remembers_nothing(sim: Sim) -> None:
    sim.forget()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, sim: Sim) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("gateway"), configuration(sim)) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def key(gateway: Gateway) -> str:
    """The application key that every client of this suite carries."""
    return gateway.create_key(TEAM)


# Without retries of its own: what the gateway answers first is what the test sees.


@pytest.fixture
def openai_client(gateway: Gateway, key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture
def anthropic_client(gateway: Gateway, key: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway.url, api_key=key, max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture(params=["openai", "anthropic"], ids=["to-openai", "to-anthropic"])
def provider(request: pytest.FixtureRequest) -> str:
    """The dialect that the provider behind the gateway speaks."""
    return request.param


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    return request.param
