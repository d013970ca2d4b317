# SPDX-License-Identifier: Apache-2.0
"""A password that is changed while an operation runs: the server gets it between two steps, before anything needs it.

Without an operation a Provision does this. While a task works, it goes on with the password that it began with: nothing is
changed under it. What comes after it, processes and tasks alike, begins with the new one.
"""

from __future__ import annotations

from dataclasses import replace

from mooring.control.events import Event
from mooring.control.services import Services
from mooring.control.work import Work, is_rotated, save_ledger
from mooring.domain.instance.tasks import OWNER_PASSWORD_FILE, admin_connection, admin_task
from mooring.domain.model.identity import child
from mooring.domain.operations.conflicts import READS
from mooring.domain.operations.plan import OperationType
from mooring.domain.operations.progress import current_task
from mooring.domain.work.database import RolePassword

LOOK_S = 0.3
PAUSE_S = 10.0


async def follow_rotation(services: Services, work: Work) -> float | None:
    """Let the server know the owner's new password; seconds after which to look again, None where nothing is in the way.

    A read beside the running instance keeps it waiting for nobody: there the Provision after it suffices.
    """
    subject, access = work.subject, work.access
    running = [one for one in work.running if not one.stuck and one.type not in READS]
    if subject is None or access is None or not is_rotated(work) or not running:
        return None
    if any(one.type in (OperationType.PROVISION, OperationType.DELETE) for one in running):
        return None  # the one sets it itself, the other needs it no more
    for one in running:
        name = current_task(one.log)
        if name is not None and (await services.target.task(name)).phase in ("pending", "running"):
            return None
    if not access.ready:
        return LOOK_S
    version = subject.key(subject.owner_secret, "password").version
    document = RolePassword(
        connection=admin_connection(subject, access.admin_user),
        instance=subject.identity.instance,
        database=subject.database,
        owner=subject.owner,
        owner_password_file=OWNER_PASSWORD_FILE,
    )
    stem = child(work.doc.ref, f"password-{version[:12]}", limit=48)
    task = admin_task(subject, stem, document, owner_password=True).attempt(1)
    state = await services.target.task(task.name)
    match state.phase:
        case "absent" | "pending":
            services.emit(Event(work.doc.ref, "step", "the server gets the new password", step="password"))
            await services.target.start(task)
            return LOOK_S
        case "running":
            return LOOK_S
        case "succeeded":
            await services.target.forget(task.name)
            await save_ledger(services, work, replace(work.ledger, owner_version=version))
            return None
        case "failed":
            brief = (state.error or {}).get("brief", "it says no more")
            services.emit(Event(work.doc.ref, "warning", f"The server did not take the new password: {brief}"))
            await services.target.forget(task.name)
            return PAUSE_S
