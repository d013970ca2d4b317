# SPDX-License-Identifier: Apache-2.0
"""The agent with many instances and nothing to do: its share of a core, its memory, what it asks the engine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench import fifty
from bench.commands import MOORING, ROOT, environment
from bench.figures import Figure, Part
from bench.place import Place
from bench.relay import Relay, relay_to

LIMIT_PERCENT = 1.0
SETTLE_S = 900.0
QUIET_S = 15.0


def measure(place: Place, *, instances: int, window_s: float) -> Part:
    """Let an agent settle, then watch it for `window_s` seconds.

    Raises:
        TimeoutError: it did not settle.
    """
    with relay_to(place.host, place.folder) as relay, _agent(place, relay) as agent:
        begin = time.monotonic()
        _settle(place, agent, relay)
        settled_s = time.monotonic() - begin
        before = place.containers()
        relay.take()
        at, cpu = time.monotonic(), _cpu_s(agent.pid)
        samples: list[float] = []
        step_s = window_s / 5
        for _ in range(5):
            started, used = time.monotonic(), _cpu_s(agent.pid)
            time.sleep(step_s)
            samples.append(100 * (_cpu_s(agent.pid) - used) / (time.monotonic() - started))
        whole = 100 * (_cpu_s(agent.pid) - cpu) / (time.monotonic() - at)
        seen = relay.take()
        memory, most = _memory_mib(agent.pid, "VmRSS"), _memory_mib(agent.pid, "VmHWM")
        after = place.containers()
    touched = sum(before.get(name) != after.get(name) for name in {*before, *after})
    per_minute = seen.total() / window_s * 60
    return Part(
        f"The agent, idle, with {instances} instances",
        "`mooring agent run` after it has settled. One instance is a real Odoo; the others are real containers, networks and "
        "files of a pretended one (`bench/fifty.py`), whose `odoo` answers the probes and does nothing else. The window is as "
        f"long as the agent's slow round over everything ({window_s:.0f} s), so it holds about one such round; the fifths "
        "show how unevenly that work falls.",
        (
            Figure("share of one core, whole window", "%", (whole,), LIMIT_PERCENT),
            Figure("share of one core, each fifth of it", "%", tuple(samples)),
            Figure("memory in the end", "MiB", (memory,)),
            Figure("most memory since its start", "MiB", (most,)),
            Figure("requests to the engine a minute", "", (per_minute,)),
            Figure("containers that were touched", "", (float(touched),), 0.0),
            Figure("containers in all", "", (float(len(after)),)),
            Figure("time until it had settled, most of it the engine's", "s", (settled_s,)),
        ),
        lists={"The requests of the window": tuple(f"{count:5}  {what}" for what, count in sorted(seen.items()))},
    )


@contextlib.contextmanager
def _agent(place: Place, relay: Relay) -> Iterator[subprocess.Popen[bytes]]:
    log = (place.folder / "agent.log").open("wb")
    with log:
        env = environment(place.environment(relay.host))
        agent = subprocess.Popen([MOORING, "agent", "run"], env=env, cwd=ROOT, stdout=log, stderr=log)
        try:
            yield agent
        finally:
            agent.send_signal(signal.SIGTERM)
            try:
                agent.wait(30)
            except subprocess.TimeoutExpired:
                agent.kill()
                agent.wait()


def _settle(place: Place, agent: subprocess.Popen[bytes], relay: Relay) -> None:
    """Wait until every instance runs and the agent has asked the engine for nothing in a while."""
    until = time.monotonic() + SETTLE_S
    quiet_since = time.monotonic()
    told = ""
    while True:
        if agent.poll() is not None:
            words = (place.folder / "agent.log").read_text(encoding="utf-8", errors="replace")
            raise TimeoutError(f"the agent ended: {words[-500:]}")
        found = fifty.phases(place)
        left = sum(phase != "Running" for phase in found.values())
        if left or relay.take().total() > 2:
            quiet_since = time.monotonic()
        if (text := f"  {len(found) - left} of {len(found)} run, {_containers(place)} containers") != told:
            print(text, flush=True)
            told = text
        if time.monotonic() - quiet_since > QUIET_S:
            return
        if time.monotonic() > until:
            words = (place.folder / "agent.log").read_text(encoding="utf-8", errors="replace")
            raise TimeoutError(f"{left} instances do not run after {SETTLE_S:.0f} s: {words[-800:]}")
        time.sleep(3)


def _containers(place: Place) -> int:
    label = f"dev.mooring.installation={place.installation}"
    return len(place.engine.containers(filters={"label": [label]}))


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_mib(pid: int, what: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) / 1024
    return 0.0
