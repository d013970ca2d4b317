# SPDX-License-Identifier: Apache-2.0
"""`python -m bench`: measures, prints, and writes docs/benchmarks.md. It ends with 0 whatever the figures are."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench import fifty, fresh, idle, settled, starting, tasks, templates, upgrades
from bench.backups import box as boxes
from bench.backups import measure as backups
from bench.backups import refreshing
from bench.commands import ROOT, RunFailed
from bench.figures import Figure, Part
from bench.machine import describe, load
from bench.page import render_page, render_table
from bench.place import Place, engine_client, new_place
from mooring.cli.engine_image import OWN_IMAGE

DATA_PARTS = ("backup", "refresh", "changes", "blobs", "latency")
PAGE = ROOT / "docs" / "benchmarks.md"
PARTS = ("start", "fresh", "settled", "many", "idle", "task", "template", "upgrade", *DATA_PARTS)


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, of {','.join(PARTS)}; nothing is written then")
    parser.add_argument("--pairs", type=int, default=3, help="of apply and bare work (3)")
    parser.add_argument("--repeats", type=int, default=9, help="of what is short (9)")
    parser.add_argument("--instances", type=int, default=50, help="how many are many (50)")
    parser.add_argument("--window", type=float, default=300.0, help="seconds for which the idle agent is watched (300)")
    parser.add_argument("--write", action="store_true", help="write the page also after some parts only")
    given = parser.parse_args()
    wanted = given.only.split(",")
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    engine = engine_client()
    machine = describe(engine)
    with new_place(engine) as place:
        parts = _measure(place, wanted, given)
    if set(wanted) == set(PARTS) or given.write:
        PAGE.write_text(render_page(machine, parts), encoding="utf-8")
        print(f"wrote {PAGE.relative_to(ROOT)}")


def _measure(place: Place, wanted: list[str], given: argparse.Namespace) -> list[Part]:
    parts: list[Part] = []

    def take(name: str, work: Callable[[], Part]) -> None:
        if name in wanted:
            print(f"{name} …", flush=True)
            parts.append(_taken(name, work))
            print(render_table(parts[-1].figures), flush=True)

    take("start", lambda: starting.measure(given.repeats * 3))
    take("fresh", lambda: fresh.measure(place, given.pairs))
    if {"settled", "many", "idle"} & set(wanted):
        manifest = place.manifest("shop")
        place.mooring("apply", "-f", manifest)
        take("settled", lambda: settled.measure(place, manifest, repeats=given.repeats, instances=1))
        if {"many", "idle"} & set(wanted):
            image_id = fifty.build_image(place.engine)
            place.images.append(fifty.IMAGE)
            fifty.add_instances(place, "shop", count=given.instances, image_id=image_id)
        take("many", lambda: settled.measure(place, manifest, repeats=given.repeats, instances=given.instances))
        take("idle", lambda: idle.measure(place, instances=given.instances, window_s=given.window))
    take("task", lambda: tasks.measure(place, repeats=given.repeats))
    take("template", lambda: templates.measure(place, given.pairs))
    take("upgrade", lambda: upgrades.measure(place, pairs=given.pairs, repeats=given.repeats))
    if set(DATA_PARTS) & set(wanted):
        with (
            tempfile.TemporaryDirectory(prefix="mooring-bench-") as folder,
            boxes.new_box(place.engine, Path(folder), image=OWN_IMAGE) as box,
        ):
            laid = backups.prepare(box)
            take("backup", lambda: backups.beside(box, repeats=given.pairs))
            take("refresh", lambda: refreshing.refresh(box, repeats=given.pairs))
            take("latency", lambda: backups.latency(box, window_s=60.0))
            take("changes", lambda: backups.changes(box, laid))
            take("blobs", lambda: backups.many(box))
    return parts


def _taken(name: str, work: Callable[[], Part]) -> Part:
    before, begin = load(), time.monotonic()
    try:
        part = work()
    except (RunFailed, TimeoutError) as fault:
        # The page says so; the other parts are measured all the same.
        part = Part(name, "This part could not be measured.", (Figure(name, "", (), failed=(str(fault),)),))
    return replace(part, load=(before, load()), seconds=time.monotonic() - begin)


if __name__ == "__main__":
    main()
