"""The gateway under test: a configuration written to a file, `pointsman serve` on it, and its commands beside it."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from rig.program import PATIENCE, Process, await_until, free_port, program

ADMIN_TOKEN = "an-admin-token-for-tests-0123456789"

#: The provider keys that the configuration refers to by environment variable.
PROVIDER_KEYS = {"SIM_OPENAI_KEY": "sk-sim-openai-0123456789", "SIM_ANTHROPIC_KEY": "sk-ant-sim-0123456789"}


class Gateway:
    """A gateway with a data directory that survives `kill` and `start`; a context manager.

    `config` is everything of `pointsman.yaml` but `server` and `store`, which belong to the rig.
    """

    def __init__(self, directory: Path, config: dict[str, Any]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port, self.admin_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.admin_url = f"http://127.0.0.1:{self.admin_port}"
        self.data_dir = directory / "data"
        self.file = directory / "pointsman.yaml"
        self.file.write_text(
            yaml.safe_dump(
                {
                    "server": {"listen": f"127.0.0.1:{self.port}", "admin": f"127.0.0.1:{self.admin_port}"},
                    "store": {"data_dir": str(self.data_dir)},
                    **config,
                },
                sort_keys=False,
            )
        )
        self._log = directory / "gateway.log"
        self.process: Process | None = None

    def __enter__(self) -> Gateway:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def environment(self) -> dict[str, str]:
        return {"POINTSMAN_ADMIN_TOKEN": ADMIN_TOKEN, **PROVIDER_KEYS}

    def start(self) -> None:
        """Starts it and waits until it says that it is ready."""
        self.process = Process([program(), "serve", "-c", self.file], self._log, self.environment)
        self.process.wait_until(self._ready, "the gateway to be ready")

    def kill(self) -> None:
        """`kill -9`."""
        if self.process is not None:
            self.process.kill()

    def stop(self) -> int:
        """An orderly end; the exit code."""
        return self.process.stop()

    def command(self, *arguments: str) -> str:
        """Runs `pointsman ARGUMENTS -c FILE` beside the server and returns what it printed; raises where it failed."""
        done = subprocess.run(
            [str(program()), *arguments, "-c", str(self.file)],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"pointsman {' '.join(arguments)}: code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def create_key(self, team: str) -> str:
        """A new application key of this team, once the running server knows it."""
        return self.create_key_and_id(team)["key"]

    def create_key_and_id(self, team: str) -> dict[str, str]:
        """The same with its public id: `{id, key}`."""
        made = json.loads(self.command("keys", "create", "--team", team, "--json"))
        # The server hears of it within a moment. While it knew no key at all, any was as good as none.
        await_until(
            lambda: self._status_with("an-invented-key") == 401 and self._status_with(made["key"]) == 200,
            "the running server to hear of the new key",
            5,
        )
        return made

    def ledger(self) -> list[dict[str, Any]]:
        """Every row of the ledger, in the order in which it is exported."""
        return [json.loads(line) for line in self.command("ledger", "export", "--format", "jsonl").splitlines() if line]

    def row(self, request_id: str, seconds: float = 10.0) -> dict[str, Any]:
        """The ledger's row of one request, once it is there."""

        def found() -> dict[str, Any] | None:
            rows = [row for row in self.ledger() if row["request_id"] == request_id]
            if len(rows) > 1:
                raise AssertionError(f"{len(rows)} rows for {request_id}")
            return rows[0] if rows else None

        return await_until(found, f"the ledger's row of {request_id}", seconds, every=0.2)

    def _status_with(self, key: str) -> int:
        request = urllib.request.Request(f"{self.url}/v1/models", headers={"authorization": f"Bearer {key}"})
        try:
            with urllib.request.urlopen(request, timeout=5) as response:
                return response.status
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as response:
                return response.status == 200
        except (urllib.error.URLError, ConnectionError):
            return False
