# SPDX-License-Identifier: Apache-2.0
"""From nothing to a healthy Odoo: `mooring apply` and the bare work, in turn."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field

from bench.commands import PYTHON, RunFailed, run
from bench.figures import Figure, Part, ratios
from bench.place import Place, check_login, new_place, pause

LIMIT = 1.3
REST_S = 2.0


@dataclass
class _Pairs:
    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    steps: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


def measure(place: Place, pairs: int) -> Part:
    """As many pairs as asked for; the bare one first, then ours."""
    found = _Pairs()
    for number in range(pairs):
        print(f"  pair {number + 1} of {pairs}", flush=True)
        try:
            bare_s = _by_hand(found)
            ours_s = _by_mooring(place, found)
        except (RunFailed, OSError) as fault:
            found.failed.append(str(fault))
            continue
        print(f"    by hand {bare_s:.1f} s, mooring {ours_s:.1f} s, {ours_s / bare_s:.2f} times", flush=True)
        found.bare.append(bare_s)
        found.ours.append(ours_s)
    ours, bare = tuple(found.ours), tuple(found.bare)
    return Part(
        "From nothing to a healthy Odoo",
        "`mooring apply` with an empty state directory, and the same work by hand (`bench/bare.py`): PostgreSQL 17 with a new "
        "cluster, role and database, `odoo -i base`, web, cron and gateway, until the login page comes. The images are there. "
        "In turn, each from an empty place; the time of the whole program counts, its start too.",
        (
            Figure("`mooring apply` by the bare work", "ratio", ratios(ours, bare), LIMIT, tuple(found.failed)),
            Figure("the bare work", "s", bare),
            Figure("`mooring apply`", "s", ours),
            Figure("processor time of `mooring apply`", "s", tuple(found.cpu)),
        ),
        lists={
            "The last bare run, seconds since its start": found.steps,
            "The last `mooring apply`, as it told it": found.words,
        },
    )


def _by_hand(found: _Pairs) -> float:
    name = f"bench-{secrets.token_hex(3)}"
    try:
        done = run([PYTHON, "-m", "bench.bare", "up", name])
        answer = json.loads(done.out)
        check_login(answer["url"])
        found.steps = tuple(f"{seconds:6.1f}  {step}" for step, seconds in answer["steps"].items())
        return done.wall_s
    finally:
        run([PYTHON, "-m", "bench.bare", "down", name])
        pause(REST_S)


def _by_mooring(outer: Place, found: _Pairs) -> float:
    with new_place(outer.engine, host=outer.host) as place:
        done = place.mooring("apply", "-f", place.manifest("shop"), "-o", "json")
        lines = [json.loads(line) for line in done.out.splitlines()]
        item = lines[-1]["items"][0]
        check_login(item["url"])
        found.cpu.append(done.cpu_s)
        found.words = tuple(_words(place, one) for one in lines[:-1])
    pause(REST_S)
    return done.wall_s


def _words(place: Place, line: dict[str, object]) -> str:
    return " ".join(str(value) for value in line.values()).replace(place.namespace, "bench")
