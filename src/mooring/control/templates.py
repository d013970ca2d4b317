# SPDX-License-Identifier: Apache-2.0
"""Makes a template: Odoo's own `-i`, in a database, with a role, a volume and secrets that belong to no instance.

It has no journal. What it makes counts only when the last task said so; killed anywhere, it leaves what the next attempt, or a
prune, removes: names derive from the template's id.
"""

from __future__ import annotations

import asyncio
from typing import Any

from mooring.api.instance import OdooInstanceSpec
from mooring.api.server import DatabaseServerSpec
from mooring.control.errors import UnknownInstance
from mooring.control.events import Event
from mooring.control.releases import choose_release, learn_release
from mooring.control.servers import access
from mooring.control.services import Services, ensure_passwords, new_id
from mooring.control.subjects import build_subject
from mooring.control.template_stock import (
    MAKING,
    STOCK,
    note_making,
    note_stock,
    prune_old,
    prune_templates,
    remove_place,
    run_template_task,
    server_bounds,
)
from mooring.domain.instance.ledger import load_ledger
from mooring.domain.instance.subject import Subject
from mooring.domain.instance.tasks import generated_secret
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.templates.recipe import decide_obstacle, decide_recipe, read_init_words, recipe_of
from mooring.domain.templates.tasks import KIND, MASTER, Building, Prune, place_of, plan_building
from mooring.domain.work.template_errors import TemplateBusy, TemplateRefused
from mooring.errors import TimeoutExceeded

POLL_S = 0.5
COMMAND = "mooring template build"


async def build_template(services: Services, instance: Ref, *, timeout_s: float) -> tuple[str, bool]:
    """Make the template that instances like this one start from; its id, and whether it was made now.

    Raises:
        UnknownInstance: there is no such record.
        TemplateRefused: such an instance cannot start from a template.
        TemplateBusy: somebody else makes it.
        TemplateTaskFailed: a step failed; nothing half made is used.
        TimeoutExceeded: release and server were not known in time, or a step took longer.
    """
    until = services.clock.monotonic() + timeout_s
    subject, admin_user = await _find_subject(services, instance, until=until)
    words = read_init_words({}, subject.spec.init)
    obstacle = decide_obstacle(subject, words)
    server = subject.server.ref
    if obstacle or server is None:
        raise TemplateRefused(f"No template is made for {instance}. {obstacle}".rstrip())
    bounds = await server_bounds(services, server)
    if not bounds.keep:
        raise TemplateRefused(f"{server} keeps no templates: its spec.templates.max is 0.")
    recipe = recipe_of(subject, words)
    building = plan_building(
        subject,
        recipe,
        installation=services.installation,
        admin_user=admin_user,
        run=new_id(),
        bounds=bounds,
    )
    with services.locks.execution(building.place) as lock:
        holder = lock.try_acquire(command=COMMAND, now=services.clock.now())
        if holder is not None:
            raise TemplateBusy(f"The template {building.id} is being made by {holder}.")
        made = await _build(services, building, server, until=until)
    return building.id, made


async def _build(services: Services, building: Building, server: Ref, *, until: float) -> bool:
    """Whether it was made now; a whole one is kept."""
    identity = building.subject.identity

    async def run(step: str, task: Any) -> Any:
        left = max(1.0, until - services.clock.monotonic())
        services.emit(Event(server, "step", f"{step} of the template {building.id}", step=step))
        return await run_template_task(services, task, server, timeout_s=left)

    await note_making(services, server, building.id, making=True)
    await remove_place(services, building.place, identity)
    await ensure_passwords(services, generated_secret(building.place, "database"), {"password": None})
    await ensure_passwords(services, generated_secret(building.place, "odoo"), {MASTER: None})
    try:
        begun = await run("begin", building.begin())
        if begun["whole"]:
            await prune_templates(services, server, Prune())
            return False
        await run("install", building.install())
        await run("pack", building.pack())
        stock = await run("publish", building.publish())
    finally:
        await asyncio.shield(_clear(services, server, building.place, identity))
    await note_stock(services, server, stock["templates"])
    return True


async def _find_subject(services: Services, instance: Ref, *, until: float) -> tuple[Subject, str]:
    """The instance as it would be initialized now, and its server's administrator; waits until both are known."""
    while True:
        doc = await services.documents.get(instance)
        if doc is None:
            raise UnknownInstance(f"{instance} does not exist.")
        spec = OdooInstanceSpec.model_validate(doc.spec)
        ledger = load_ledger(doc.status.get("ledger"))
        identity = Identity(services.installation, doc.id)
        choice = await choose_release(services, instance, spec, ledger)
        pinning = await learn_release(services, instance, identity, spec, ledger, choice)
        reached = await access(services, instance, spec)
        if pinning.pinned is not None and reached.ready:
            subject = await build_subject(services, instance, identity, spec, ledger, pinning.pinned, reached)
            return subject, reached.admin_user
        if services.clock.monotonic() > until:
            raise TimeoutExceeded(f"The release or the database server of {instance} was not known in time.")
        await services.clock.sleep(POLL_S)


async def keep_templates(services: Services, server: Ref, *, timeout_s: float) -> None:
    """The agent's part: what is too old goes; where the server's spec asks for it, what its instances are made from is made.

    One template a call at most.

    Raises:
        MooringError: as `build_template`; the next call tries again.
    """
    await prune_old(services, server)
    doc = await services.documents.get(server)
    if doc is None:
        return
    templates = DatabaseServerSpec.model_validate(doc.spec).templates
    if not templates.build or not templates.max:
        return
    known = {str(one["id"]) for one in doc.status.get(STOCK, ())}
    for wanted, instance in await _wanted(services, server):
        if wanted not in known and len(known) < templates.max:
            await build_template(services, instance, timeout_s=timeout_s)
            return


async def _wanted(services: Services, server: Ref) -> list[tuple[str, Ref]]:
    """Ids of the templates of what the server's instances were made from, with one instance each."""
    found: dict[str, Ref] = {}
    for doc in await services.documents.list("OdooInstance"):
        ledger = load_ledger(doc.status.get("ledger"))
        pinned = ledger.release(ledger.wanted)
        if pinned is None or not ledger.initialized or not ledger.provisioned.startswith(f"{server}/"):
            continue
        spec = OdooInstanceSpec.model_validate(doc.spec)
        words = read_init_words({}, spec.init)
        if words.template == "never" or spec.addons or ledger.environment != "Production":
            continue
        recipe = decide_recipe(pinned.release.digest, words, spec.config_options)
        found.setdefault(recipe.id(services.installation), doc.ref)
    return list(found.items())


async def sweep_places(services: Services, server: Ref) -> int:
    """Remove what builders that are no more left, on the target and among the secrets; how many places there were."""
    doc = await services.documents.get(server)
    noted = doc.status.get(MAKING, ()) if doc is not None else ()
    places = {place_of(server, str(one)): Identity(services.installation, str(one)) for one in noted}
    for one in await services.target.inventory():
        if one.ref.kind == KIND and one.identity.installation == services.installation:
            places[one.ref] = one.identity
    count = 0
    for place, identity in places.items():
        with services.locks.execution(place) as lock:
            if lock.try_acquire(command="mooring template prune", now=services.clock.now()) is None:
                await _clear(services, server, place, identity)
                count += 1
    return count


async def _clear(services: Services, server: Ref, place: Ref, identity: Identity) -> None:
    await remove_place(services, place, identity)
    await note_making(services, server, identity.instance, making=False)
