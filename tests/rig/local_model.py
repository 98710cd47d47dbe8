"""The real model: `local-model/server.mjs`, which answers in the OpenAI dialect with Gemma 3 270M."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

from rig.program import Process

TESTS = Path(__file__).resolve().parents[1]

#: What the server calls its model.
MODEL = "gemma-3-270m"


class LocalModel:
    """One running server; a context manager. `url` is what an OpenAI SDK takes as its base URL, less `/v1`."""

    def __init__(self, directory: Path) -> None:
        self._log = directory / "local-model.log"
        self.process: Process | None = None
        self.url = ""

    def __enter__(self) -> LocalModel:
        server = TESTS / "local-model" / "server.mjs"
        if not (server.parent / "node_modules").is_dir():
            raise FileNotFoundError("the local model is not installed; run `tests/install.sh local-model`")
        self.process = Process(["node", server, "--port", "0"], self._log)
        self.process.wait_until(self._listens, "the local model to be loaded")
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.stop()

    def health(self) -> dict[str, Any]:
        """`{status, generating, served, cancelled}`."""
        with urllib.request.urlopen(f"{self.url}/healthz", timeout=10) as response:
            return json.load(response)

    def _listens(self) -> bool:
        found = re.search(r"listening on (http://\S+)", self.process.said())
        self.url = found[1] if found else ""
        return bool(found)
