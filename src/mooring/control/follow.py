# SPDX-License-Identifier: Apache-2.0
"""Tells from the records what another process does, in the events that this process would tell if it did it itself.

Changes nothing. Called by `drive` while an agent, or another command, works on the instance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mooring.control.events import Event
from mooring.control.operations import Operation, list_operations, read_accepted
from mooring.control.runner import step_event
from mooring.control.services import Services
from mooring.domain.model.identity import Ref
from mooring.domain.operations.build import build_plan
from mooring.domain.operations.plan import PHASES


@dataclass(frozen=True)
class Told:
    """What was told of one operation.

    Attributes:
        records: how many of its journal.
        over: its end.
    """

    records: int = 0
    over: bool = False


Followed = Mapping[Ref, Told]


async def begin_following(services: Services, ref: Ref) -> Followed:
    """What counts as told at the beginning: what is over, and of what is in progress all but the step it is at."""
    followed: dict[Ref, Told] = {}
    for one in await list_operations(services, ref):
        if one.phase == "Pending":
            continue
        moving = bool(one.log) and one.log[-1].state in ("intended", "undoing")
        followed[one.doc.ref] = Told(len(one.log) - (moving and not one.ended), over=one.ended)
    return followed


async def follow_events(services: Services, ref: Ref, followed: Followed) -> Followed:
    """Tell what was recorded since; what is told now."""
    told = dict(followed)
    for one in await list_operations(services, ref):
        if one.phase == "Pending" or (one.doc.ref in told and told[one.doc.ref].over):
            continue
        told[one.doc.ref] = _tell(services, ref, one, told.get(one.doc.ref))
    return told


def _tell(services: Services, ref: Ref, operation: Operation, before: Told | None) -> Told:
    log = operation.log
    if before is None and "accepted" in operation.doc.status:
        services.emit(Event(ref, "phase", f"{PHASES[operation.type]} {operation.doc.ref.name}"))
    known = before.records if before is not None else 0
    if len(log) > known:
        plan = build_plan(read_accepted(operation))
        for record in log[known:]:
            services.emit(step_event(ref, plan, record))
    if operation.ended:
        good = operation.phase == "Succeeded"
        text = f"{operation.type} {operation.phase.lower()}"
        services.emit(Event(ref, "phase" if good else "warning", text))
    return Told(len(log), over=operation.ended)
