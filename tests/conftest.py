"""Fixtures that every suite shares: a simulated provider and gateways in front of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rig import Gateway, Sim

# Loopback only: a proxy of the surroundings, or a client's own telemetry, has no part in these tests.
for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(name, None)
os.environ.update(LANGSMITH_TRACING="false", LANGCHAIN_TRACING_V2="false", NO_PROXY="127.0.0.1,localhost")


@pytest.fixture(scope="session")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sim]:
    with Sim(tmp_path_factory.mktemp("sim")) as sim:
        yield sim


@pytest.fixture
def start_gateway(tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], Gateway]]:
    """Starts gateways of a test's own, each on a fresh data directory; ends them with the test."""
    started: list[Gateway] = []

    def start(config: dict[str, Any]) -> Gateway:
        gateway = Gateway(tmp_path / f"gateway-{len(started)}", config)
        started.append(gateway)
        gateway.start()
        return gateway

    yield start
    for gateway in started:
        gateway.kill()
