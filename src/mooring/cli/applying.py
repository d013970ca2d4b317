# SPDX-License-Identifier: Apache-2.0
"""What `apply`, `setup` and the verbs do with manifests: accept, lead, say what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mooring.api.kinds import Manifest
from mooring.cli.context import App
from mooring.cli.driving import lead, view
from mooring.cli.names import operations_of
from mooring.cli.output import mark_phase, print_result, print_text, render_table, style_for
from mooring.control.accept import Written, accept_manifests
from mooring.control.events import Event
from mooring.control.operations import ALL_KINDS
from mooring.control.repositories import KIND as REPOSITORY
from mooring.control.repositories import find_repository
from mooring.control.repository_tasks import run_repository_task
from mooring.control.services import Services
from mooring.control.subjects import ADMIN
from mooring.domain.instance.tasks import generated_secret
from mooring.domain.model.identity import Ref
from mooring.domain.operations.plan import OperationType
from mooring.domain.work.repository_work import RepositoryInit
from mooring.drivers.documents import Document


async def apply_manifests(app: App, manifests: Sequence[Manifest], *, wait: bool) -> None:
    """Accept all or nothing, then lead what they are about, then print each with its phase.

    Raises:
        EngineImageUnavailable: nothing was accepted: no task could run.
        MooringError: nothing was accepted, or something did not come to where it is wanted.
    """
    services = await app.services()
    await app.prepare()
    written = await accept_manifests(services, manifests)
    subjects = [ref for one in written if (ref := _subject(one)).kind != REPOSITORY]
    operations = [one.doc.ref for one in written if one.doc.ref.kind in ALL_KINDS]
    if wait:
        agent = services.locks.agent().holder() is not None
        try:
            for one in written:
                if one.doc.ref.kind == REPOSITORY and one.change != "unchanged":
                    await _look_at_repository(app, one.doc.ref)
            await lead(app, subjects, operations=operations)
            for one in written:
                await _warn(app, services, one.doc, agent=agent)
        finally:
            app.progress.close()
    elif services.locks.agent().holder() is None:
        app.progress.line(
            "Recorded. No agent runs here: `mooring apply` without --no-wait, or an agent, does the work."
        )
    await _print(app, written)


async def _look_at_repository(app: App, ref: Ref) -> None:
    """Make it where its place is empty: a wrong address, key or passphrase is told now, not by the first backup at night."""
    services = await app.services()
    access = await find_repository(services, ref.namespace, ref.name)
    facts = await run_repository_task(
        services, access, RepositoryInit(access.settings()), timeout_s=app.options.timeout_s
    )
    app.progress.line(f"{ref.name} {'was made' if facts['created'] else 'is there'}: repository {facts['id']}.")


async def _warn(app: App, services: Services, before: Document, *, agent: bool) -> None:
    """Say what was warned of before this command, too, and all of it where an agent did the work: status alone is not read."""
    doc = await app.documents.get(before.ref)
    old = {text.split(" ")[0] for text in before.status.get("warnings") or ()}
    for text in (doc.status.get("warnings") or ()) if doc is not None else ():
        if agent or text.split(" ")[0] in old:
            services.emit(Event(before.ref, "warning", text))


def _subject(written: Written) -> Ref:
    """What has to be led for a document: itself, or the instance that an operation is for."""
    ref = written.doc.ref
    if ref.kind in ALL_KINDS:
        return Ref("OdooInstance", ref.namespace, written.doc.spec["instanceRef"]["name"])
    return ref


async def _print(app: App, written: Sequence[Written]) -> None:
    rows: list[dict[str, Any]] = []
    for one in written:
        doc = await app.documents.get(one.doc.ref) or one.doc
        rows.append({**view(doc), "change": one.change})
    if app.options.output != "table":
        print_result(app.options, {"items": rows})
        return
    style = style_for(app.options)
    table = [
        (f"{row['kind']} {row['name']}", row["change"], mark_phase(style, row["phase"]), row["url"] or "-")
        for row in rows
    ]
    print_text(render_table(("NAME", "RECORD", "PHASE", "URL"), table))
    for one in written:
        # Data that was taken back keeps the password it had, which may be another one.
        if one.change == "created" and one.doc.ref.kind == "OdooInstance" and await _was_made(app, one.doc.ref):
            app.progress.line(_login(one.doc.ref, one.doc.spec))


async def _was_made(app: App, ref: Ref) -> bool:
    operations = await operations_of(app, ref)
    return any(one.type is OperationType.INIT and one.phase == "Succeeded" for one in operations)


def _login(ref: Ref, spec: Any) -> str:
    if (spec.get("init") or {}).get("adminPasswordSecretRef") is not None:
        return f"Log in to {ref.name} as `admin`, with the password that the manifest names."
    namespace = "" if ref.namespace == "default" else f" -n {ref.namespace}"
    secret = generated_secret(ref, "odoo").name
    return f"Log in to {ref.name} as `admin`; `mooring secret show{namespace} {secret} {ADMIN}` shows the password."
