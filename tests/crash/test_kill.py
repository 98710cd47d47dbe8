"""`kill -9` under load, many times over, on one data directory: the ledger forgets no answer that a client holds,
counts none twice, and claims no answer that was not given.

`POINTSMAN_CRASH_ROUNDS` (10) says how often; `POINTSMAN_CRASH_SEED` repeats the instants of an earlier run.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections import Counter
from pathlib import Path

import pytest

from load import Load
from rig import Gateway, Sim
from rig.program import await_until

ROUNDS = int(os.environ.get("POINTSMAN_CRASH_ROUNDS", "10"))
SEED = int(os.environ.get("POINTSMAN_CRASH_SEED", random.randrange(1_000_000)))
CLIENTS = 16


def configuration(sim: Sim) -> dict:
    return {
        "providers": {
            "openai": {"base_url": f"{sim.url}/v1", "api_key": {"env": "SIM_OPENAI_KEY"}},
            "anthropic": {"base_url": sim.url, "api_key": {"env": "SIM_ANTHROPIC_KEY"}},
        }
    }


def attempts_by_mark(sim: Sim) -> Counter[str]:
    """How often each request reached the provider, once the provider is done with all of them."""
    entries = await_until(
        lambda: (log := sim.log()) and all(entry["ended"] != "open" for entry in log) and log,
        "the provider to end what it was asked",
    )
    return Counter(re.search(r"mark-[\w-]+", entry["body"])[0] for entry in entries)


def completed_marks(sim: Sim) -> set[str]:
    return {re.search(r"mark-[\w-]+", e["body"])[0] for e in sim.log() if e["ended"] == "complete"}


def test_no_kill_loses_or_doubles_what_was_acknowledged(tmp_path: Path, sim: Sim, capsys: pytest.CaptureFixture[str]):
    sim.forget()
    sim.script({"first_token_ms": 5, "chunk_ms": 1})
    dice = random.Random(SEED)
    gateway = Gateway(tmp_path, configuration(sim))
    sent = []
    restarts = []
    try:
        for number in range(ROUNDS):
            begun = time.monotonic()
            gateway.start()
            restarts.append(time.monotonic() - begun)
            load = Load(gateway, CLIENTS, name=str(number))
            time.sleep(dice.uniform(0.05, 1.5))
            gateway.kill()
            sent += load.stop()

        gateway.start()
        attempts = attempts_by_mark(sim)
        completed = completed_marks(sim)
        rows = await_until(lambda: settled(gateway), "the journal to be read back into the ledger", 30, every=0.3)
        assert gateway.stop() == 0
        gateway.start()
        again = await_until(lambda: settled(gateway), "the ledger after a quiet restart", 30, every=0.3)
    finally:
        gateway.kill()

    by_id = {row["request_id"]: row for row in rows}
    acknowledged = [one for one in sent if one.whole]
    in_flight = [one for one in sent if not one.whole]
    ends = Counter(row["end"] for row in rows)
    with capsys.disabled():
        print(
            f"\n  kill -9 x {ROUNDS} (seed {SEED}): {len(sent)} requests sent, {len(acknowledged)} acknowledged, "
            f"{len(in_flight)} in flight; provider saw {sum(attempts.values())} attempts of {len(attempts)} requests; "
            f"ledger has {len(rows)} rows ({', '.join(f'{n} {end}' for end, n in sorted(ends.items(), key=str))}); "
            f"slowest restart {max(restarts):.2f} s"
        )

    assert len(acknowledged) > ROUNDS, "there was load"
    assert all(one.request_id for one in acknowledged)
    assert len(by_id) == len(rows), "no request stands in the ledger twice"

    missing = [one for one in acknowledged if one.request_id not in by_id]
    assert not missing, f"{len(missing)} acknowledged requests are not in the ledger"
    wrong = [one for one in acknowledged if by_id[one.request_id]["end"] != "served"]
    assert not wrong, f"{len(wrong)} acknowledged requests did not end as served: {by_id[wrong[0].request_id]}"

    known = [one for one in in_flight if one.request_id]
    lost = [one for one in known if one.request_id not in by_id]
    assert not lost, f"{len(lost)} requests whose answer had begun are not in the ledger"
    claimed = [one for one in known if by_id[one.request_id]["end"] == "served" and one.mark not in completed]
    assert not claimed, f"{len(claimed)} requests count as served though the provider never finished them"

    assert ends.keys() <= {"served", "unknown"}, f"a killed request is unknown and nothing else: {ends}"
    assert ends["served"] <= len(completed), "no more were served than the provider finished"
    assert len(attempts) <= len(rows) <= len(sent), "one row for every request that reached the provider"
    in_ledger = sum(len(row["attempts"]) for row in rows)
    assert in_ledger >= sum(attempts.values()), "the provider saw no attempt that the ledger does not know"

    assert again == rows, "a further restart changes nothing"


def settled(gateway: Gateway) -> list[dict] | None:
    """The ledger once nothing in it is still open and it has stopped growing."""
    first = gateway.ledger()
    if any(row["end"] is None for row in first):
        return None
    time.sleep(0.3)
    second = gateway.ledger()
    return second if first == second else None
