# SPDX-License-Identifier: Apache-2.0
"""Which templates a server has, as its record says it; which one fits a new instance; dropping what is too old or too many.

What the record says was found by a task on the server. Where it is wrong by now nothing breaks: the init that wanted a template
finds out, and Odoo installs the modules itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from mooring.api.instance import OdooInstanceSpec
from mooring.api.server import DatabaseServerSpec
from mooring.control.errors import UnknownServer
from mooring.control.once import run_once
from mooring.control.servers import describe_access
from mooring.control.services import Services, new_id, update_status
from mooring.domain.instance.subject import Subject
from mooring.domain.model.desired import Desired
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.task import TaskSpec, TaskState
from mooring.domain.templates.recipe import decide_obstacle, read_init_words, recipe_of
from mooring.domain.templates.stock import Aged, decide_dropped
from mooring.domain.templates.tasks import KIND, Bounds, Prune, place_secrets, prune_task, task_names
from mooring.domain.work.template_errors import TemplateRefused, TemplateTaskFailed
from mooring.drivers.documents import VersionConflict
from mooring.drivers.secret_store import MissingSecret

TASK_S = 600.0
TRIES = 5
STOCK = "templates"
MAKING = "templatesInTheMaking"

Entry = Mapping[str, Any]


async def find_template(services: Services, subject: Subject, asked: Mapping[str, Any]) -> str:
    """Id of the template that a new database of this instance may be copied from; empty where there is none.

    Args:
        asked: spec of the operation.
    """
    words = read_init_words(asked, subject.spec.init)
    if decide_obstacle(subject, words) or subject.server.ref is None:
        return ""
    wanted = recipe_of(subject, words).id(services.installation)
    doc = await services.documents.get(subject.server.ref)
    known = doc.status.get(STOCK, ()) if doc is not None else ()
    return wanted if any(one.get("id") == wanted for one in known) else ""


async def server_bounds(services: Services, server: Ref) -> Bounds:
    """How many templates the server keeps, and how long.

    Raises:
        UnknownServer: it has no record.
    """
    doc = await services.documents.get(server)
    if doc is None:
        raise UnknownServer(f"{server} does not exist.")
    templates = DatabaseServerSpec.model_validate(doc.spec).templates
    return Bounds(templates.max, int(templates.max_age.seconds))


async def prune_templates(services: Services, server: Ref, prune: Prune) -> Mapping[str, Any]:
    """Drop what `prune` says, list what stays, and write that down; the task's result.

    Raises:
        UnknownServer: it has no record.
        TemplateRefused: nobody here may make databases on it.
        TemplateTaskFailed: in the task's own words.
    """
    if await services.documents.get(server) is None:
        raise UnknownServer(f"{server} does not exist.")
    access = await describe_access(services, server, OdooInstanceSpec(), server)
    if access.server.admin is None:
        raise TemplateRefused(f"{server} names no administrator: no template can be there.")
    run = new_id()
    task = prune_task(access.server, access.admin_user, installation=services.installation, run=run, prune=prune)
    try:
        result: Mapping[str, Any] = await run_template_task(services, task, server)
    finally:
        if task.place.kind == KIND:
            await remove_place(services, task.place, task.identity)
    await note_stock(services, server, result["templates"])
    return result


async def prune_old(services: Services, server: Ref) -> tuple[str, ...]:
    """Drop what the server's bounds say, as far as its record shows that something is to go; ids of what went."""
    doc = await services.documents.get(server)
    known = [Aged(str(one["id"]), str(one["used"])) for one in (doc.status.get(STOCK, ()) if doc is not None else ())]
    bounds = await server_bounds(services, server)
    going = decide_dropped(known, keep=bounds.keep, max_age_s=bounds.max_age_s, now=services.clock.now())
    if not going:
        return ()
    result = await prune_templates(services, server, Prune(bounds.keep, bounds.max_age_s))
    return tuple(result["dropped"])


async def note_stock(services: Services, server: Ref, templates: Sequence[Entry]) -> None:
    """Let the server's record say which templates it has."""
    for _ in range(TRIES):
        doc = await services.documents.get(server)
        if doc is None:
            return
        with contextlib.suppress(VersionConflict):
            await update_status(services, doc, lambda status: {**status, STOCK: list(templates)})
            return


async def note_making(services: Services, server: Ref, template: str, *, making: bool) -> None:
    """Let the server's record say that a template is being made, before anything of it is there; or no longer.

    Raises:
        VersionConflict: others keep writing to it.
    """

    def change(status: Mapping[str, Any]) -> Mapping[str, Any]:
        others = [one for one in status.get(MAKING, ()) if one != template]
        now = [*others, template] if making else others
        kept = {key: value for key, value in status.items() if key != MAKING}
        return {**kept, MAKING: now} if now else kept

    for number in range(TRIES):
        doc = await services.documents.get(server)
        if doc is None:
            return
        try:
            await update_status(services, doc, change)
        except VersionConflict:
            if number == TRIES - 1:
                raise
        else:
            return


async def run_template_task(services: Services, task: TaskSpec, about: Ref, *, timeout_s: float = TASK_S) -> Any:
    """Run it to its end; its result.

    Raises:
        TemplateTaskFailed: in the task's own words.
        TimeoutExceeded: it took too long; it was ended.
    """
    return _result(task, await run_once(services, task, about=about, timeout_s=timeout_s))


def _result(task: TaskSpec, state: TaskState) -> Any:
    if state.phase == "succeeded":
        return state.result
    fault = state.error or {}
    raise TemplateTaskFailed(
        str(fault.get("brief") or f"{task.name} ended without a result."),
        details="\n".join(text for text in (str(fault.get("details", "")), state.log_tail) if text),
        resolution=str(fault["resolution"]) if fault.get("resolution") else None,
    )


async def remove_place(services: Services, place: Ref, identity: Identity) -> None:
    """Everything of the place of a template goes: tasks, volume, network, secrets. Safe to repeat."""
    target = services.target
    for name in task_names(place):
        while (await target.task(name)).phase in ("pending", "running"):
            await target.cancel(name)
            await services.clock.sleep(0.3)
        await target.forget(name)
    await target.remove_volumes(place, identity.instance)
    seen = await target.observe(place, live=True)
    if not seen.tasks:
        await target.converge(Desired(place, identity, network=False), seen)
    for secret in place_secrets(place):
        with contextlib.suppress(MissingSecret):
            await services.secrets.delete(secret)
