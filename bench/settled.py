# SPDX-License-Identifier: Apache-2.0
"""`mooring apply` with nothing to do: how long, how much memory, and that nothing in the engine was touched."""

from __future__ import annotations

from bench.commands import Run, RunFailed
from bench.figures import Figure, Part
from bench.place import Place
from bench.relay import changing, relay_to

ALONE_S, MANY_S, MANY_MIB = 1.0, 3.0, 120.0


def measure(place: Place, manifest: str, *, repeats: int, instances: int) -> Part:
    """Apply the same manifest again and again.

    Args:
        instances: how many records of instances there are; the limits differ from two on.
    """
    before = place.containers()
    runs: list[Run] = []
    failed: list[str] = []
    for _ in range(repeats):
        try:
            runs.append(place.mooring("apply", "-f", manifest))
        except RunFailed as fault:
            failed.append(str(fault))
    after = place.containers()
    touched = sum(before.get(name) != after.get(name) for name in {*before, *after})
    with relay_to(place.host, place.folder) as relay:
        # Beside the measured runs: a relay takes its time.
        place.mooring("apply", "-f", manifest, host=relay.host)
        seen = relay.take()
    many = instances > 1
    name = f"`mooring apply`, nothing to do, {instances} instances" if many else "`mooring apply`, nothing to do"
    memory = tuple(one.rss_bytes / 2**20 for one in runs)
    return Part(
        f"Nothing to do, {instances} instances in the state" if many else "Nothing to do",
        _MANY if many else _ALONE,
        (
            Figure(name, "s", tuple(one.wall_s for one in runs), MANY_S if many else ALONE_S, tuple(failed)),
            Figure(f"{name}: memory", "MiB", memory, MANY_MIB if many else None),
            Figure(f"{name}: processor time", "s", tuple(one.cpu_s for one in runs)),
            Figure("containers that were touched (id, start or restarts differ)", "", (float(touched),), 0.0),
            Figure("requests to the engine that may change an object", "", (float(changing(seen).total()),), 0.0),
            Figure("requests to the engine in all", "", (float(seen.total()),)),
        ),
        lists={"The requests of one run": tuple(f"{count:4}  {what}" for what, count in sorted(seen.items()))},
    )


_ALONE = (
    "A real Odoo that runs, and its unchanged manifest applied again. Containers are compared before the first run and after "
    "the last; the requests of one more run are counted on the engine's socket."
)
_MANY = (
    "The same with records of further instances in the state directory: copies of the real one's, with its operations, "
    "under names of their own. Of them there are only records and empty volumes."
)
