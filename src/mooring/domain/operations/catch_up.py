# SPDX-License-Identifier: Apache-2.0
"""Data of another release, built beside an instance's own, is brought to the release that will run on it. Pure.

Odoo updates what was built, never what is current, and only the modules whose files are not what they were; where nothing is
stored of them all count as changed. What was neutral is neutralized once more, since an update brings new things to life. That
no module went back is seen when what was built is verified. Called by the plans of restores and refreshes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mooring.domain.instance.module_tasks import HASH, TOUCHED, find_changed, store_step
from mooring.domain.instance.tasks import odoo_task, task_stem
from mooring.domain.model.identity import Ref
from mooring.domain.odoo.argv import argv_update
from mooring.domain.operations.aside import BUILD, Aside
from mooring.domain.operations.neutral import NEUTRALIZE, READ_RELEASE
from mooring.domain.operations.plan import NO_HOLD, Option, Plan, RunTask, Step, Take, When
from mooring.domain.work.neutralize import DatabaseNeutralize

AGAIN = "-again"
NOT_BELOW = Take(("notBelow",), BUILD, "modules")
"""For the trial of what was built: no module may be at an older version than where it comes from."""
UPDATE_DEADLINE = timedelta(hours=6)
_WHEN = When(HASH, TOUCHED)


def update_steps(
    aside: Aside, neutral: tuple[Step, ...], *, name: str, reason: str, takes: tuple[Take, ...] = ()
) -> tuple[Step, ...]:
    """Find out what differs, have Odoo update it, and neutralize once more; nothing of this where nothing differs.

    Args:
        aside: what is built, and for whom.
        neutral: the steps that neutralized it; empty where it is not.
        name: of the step that runs Odoo.
        reason: of that step.
        takes: what else of the document that asks for the differences earlier steps decide.
    """
    built, release = aside.built, aside.subject.release
    read, look = find_changed(aside.operation, aside.subject, release=release, hold=NO_HOLD, database=built.database)
    if not isinstance(look.action, RunTask):
        raise TypeError(f"{look.name} is no task")
    look = replace(look, action=replace(look.action, takes=(*look.action.takes, *takes)))
    argv = argv_update(release.odoo, database=built.database, modules=None, install=(), program=release.facts.program)
    odoo = odoo_task(built, aside.stem(name), argv, deadline=UPDATE_DEADLINE)
    update = Step(name, reason, replace(odoo, options=(Option("--update", HASH, "update"),)), when=_WHEN)
    again = [replace(_once_more(aside.operation, step), when=_WHEN) for step in neutral if step.name != READ_RELEASE]
    return (read, look, update, *again)


def store_after(plan: Plan, aside: Aside) -> Plan:
    """The plan, which after success writes down what its update worked on."""
    stored = replace(store_step(aside.operation, aside.subject, aside.fence), when=_WHEN)
    return replace(plan, cleanup=(*plan.cleanup, stored))


def _once_more(operation: Ref, step: Step) -> Step:
    """The same step once more in one operation, as a task of its own."""
    name = f"{step.name}{AGAIN}"
    if not isinstance(step.action, RunTask):
        raise TypeError(f"{step.name} is no task")
    action = replace(step.action, task=replace(step.action.task, name=task_stem(operation, name)))
    if step.name == NEUTRALIZE and isinstance(action.document, DatabaseNeutralize):
        action = replace(action, document=replace(action.document, again=True))
    return replace(step, name=name, action=action)
