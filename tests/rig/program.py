"""Processes: where the program under test is, and how one is started, awaited and ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

#: Seconds a process may take to be ready or to end. A bound for a broken run, never a measure of speed.
PATIENCE = 60.0


def program() -> Path:
    """The `pointsman` binary: `POINTSMAN_BIN`, else the release build of this tree."""
    named = os.environ.get("POINTSMAN_BIN")
    built = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "release" / "pointsman"
    path = Path(named) if named else built
    if not path.is_file():
        raise FileNotFoundError(
            f"no program at {path}; build it with `cargo build --release --package pointsman`, or name one in POINTSMAN_BIN"
        )
    return path.resolve()


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def await_until(holds: Callable[[], object], what: str, seconds: float = PATIENCE, every: float = 0.05) -> object:
    """The first truthy answer of `holds`; raises `TimeoutError` naming `what` when there was none in time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = holds()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds:g} s still waiting for {what}")
        time.sleep(every)


class Process:
    """One child process whose output goes to a file that outlives it."""

    def __init__(self, command: list[str | Path], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.log = log
        self._begun_at = log.stat().st_size if log.exists() else 0
        with log.open("ab") as out:
            # A session of its own, so that a Ctrl-C in the terminal reaches pytest first and it can tear down.
            self.child = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    def said(self) -> str:
        """What this process has printed so far."""
        with self.log.open("rb") as file:
            file.seek(self._begun_at)
            return file.read().decode("utf-8", "replace")

    def wait_until(self, ready: Callable[[], object], what: str) -> None:
        """Waits for `ready`; a process that ends first is reported with the end of its output."""

        def ready_or_dead() -> object:
            if self.child.poll() is not None:
                raise RuntimeError(
                    f"{what}: the process ended with code {self.child.returncode}; it said:\n{self.said()[-4000:]}"
                )
            return ready()

        try:
            await_until(ready_or_dead, what)
        except TimeoutError as late:
            self.kill()
            raise TimeoutError(f"{late}; it said:\n{self.said()[-4000:]}") from None

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up. Returns once the process is gone."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGKILL)
        self.child.wait(PATIENCE)

    def stop(self) -> int:
        """SIGTERM, and SIGKILL for one that does not heed it. Returns the exit code."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.child.returncode
