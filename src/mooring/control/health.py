# SPDX-License-Identifier: Apache-2.0
"""Watches a release that users were let into, as long as its window is open: an alert, and what `choose` may make of it.

One look every 20 seconds: at the processes as this pass saw them, and at the end of the web's log. Called by each pass.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from mooring.control.events import Event
from mooring.control.services import Services
from mooring.control.work import Work, save_ledger
from mooring.domain.instance.health import judge_log, judge_processes
from mooring.domain.instance.snapshot import rfc3339, wanted_replicas
from mooring.domain.model.observed import Observed
from mooring.errors import MooringError

LOG_LINES = 1000


async def look_after(services: Services, work: Work, seen: Observed) -> None:
    """Judge the new release if it is time; what proved bad stays said until the window closes, or a person acts.

    Raises:
        VersionConflict: somebody wrote since the pass began.
    """
    watch, now = work.ledger.watch, services.clock.now()
    if watch is None or work.deleting or any(not one.stuck for one in work.running):
        return
    if not watch.open(now):
        await save_ledger(services, work, replace(work.ledger, watch=None))
        return
    if watch.sick or now < watch.next_look():
        return
    wanted = wanted_replicas(work.spec, work.ledger)
    sick = judge_processes(seen, wanted, now=now) or judge_log(
        await _log(services, work), since=datetime.fromisoformat(watch.since)
    )
    await save_ledger(services, work, replace(work.ledger, watch=replace(watch, looked=rfc3339(now), sick=sick)))
    if sick:
        after = (
            "; the release of before comes back, with all data"
            if watch.returns
            else "; `mooring rollback` would go back"
        )
        services.emit(Event(work.doc.ref, "warning", f"The new release proves bad: {sick}{after}."))


async def _log(services: Services, work: Work) -> list[str]:
    """The end of the web's log; nothing where there is no process, which `judge_processes` tells better."""
    try:
        return [line async for line in services.target.logs(work.doc.ref, role="web", follow=False, lines=LOG_LINES)]
    except MooringError:
        return []
