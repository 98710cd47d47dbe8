"""A simulated provider: `pointsman sim`, which speaks every dialect by path, fails by script and logs what it got."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from rig.program import Process, free_port, program


class Sim:
    """One simulated provider on a port of its own; a context manager."""

    def __init__(self, directory: Path, name: str = "sim", port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = directory / f"{name}.log"
        self.process: Process | None = None

    def __enter__(self) -> Sim:
        self.process = Process([program(), "sim", "--listen", f"127.0.0.1:{self.port}"], self._log)
        self.process.wait_until(self._answers, "the simulated provider to listen")
        return self

    def __exit__(self, *_: object) -> None:
        self.pull_the_plug()

    def pull_the_plug(self) -> None:
        """The provider is gone from one moment to the next: its port refuses connections."""
        if self.process is not None:
            self.process.kill()

    def script(self, *rules: dict[str, Any]) -> None:
        """Replaces the rules in force: the first that matches decides. `{"fault": {...}}` or `{"answer": {...}}`, with
        `match`, `times`, `first_token_ms`, `chunk_ms`; `crates/sim/README.md` has them all."""
        self._ask("POST", "/_sim/script", {"rules": list(rules)})

    def answers(self, **line: Any) -> None:
        """Every request gets this answer: `text`, `reasoning`, `tool_calls`, `cached_tokens`, ..."""
        self.script({"answer": line})

    def fails(self, kind: str, **parameters: Any) -> None:
        """Every request meets this fault."""
        self.script({"fault": {"kind": kind, **parameters}})

    def forget(self) -> None:
        """No rules and an empty log."""
        self.script()
        self._ask("DELETE", "/_sim/log")

    def log(self) -> list[dict[str, Any]]:
        """One entry a request, oldest first."""
        return self._ask("GET", "/_sim/log")

    def last_request(self) -> dict[str, Any]:
        """The body of the request that came last."""
        return json.loads(self.log()[-1]["body"])

    @staticmethod
    def was_left(entry: dict[str, Any]) -> bool:
        """Whether the caller hung up before this request's answer was over."""
        return entry["ended"] == "client_left"

    def _answers(self) -> bool:
        try:
            self.log()
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"content-type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            text = response.read()
        return json.loads(text) if text else None
