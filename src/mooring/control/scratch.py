# SPDX-License-Identifier: Apache-2.0
"""The scratch server of a drill: found an image for, served, and removed with everything that the drill made.

Its documents are in no store: what is made is known by the operation's journal alone, from which it is made, adopted or removed
again after a kill at any point. Called by `begin` and by the runner.
"""

from __future__ import annotations

import contextlib

from mooring.api.server import DatabaseServerSpec
from mooring.control.probes import ask
from mooring.control.services import Services, ensure_passwords
from mooring.domain.instance.subject import Subject
from mooring.domain.model.desired import Desired
from mooring.domain.model.release import Release, ResolvedRelease
from mooring.domain.operations.drill import Scratch
from mooring.domain.operations.plan import ScratchGone
from mooring.domain.postgres.bootstrap import SUPERUSER, server_user
from mooring.domain.server.desired import (
    ROLE,
    USERS_FILE,
    ServerSubject,
    decide_server,
    server_probe_task,
)
from mooring.drivers.secret_store import MissingSecret

NEWEST = 17


async def find_scratch(services: Services, subject: Subject) -> Scratch | None:
    """What a drill's server is made of: what the instance's own is, where Mooring runs it, else the newest; None while asked.

    Raises:
        ImageNotFound, RegistryUnreachable: there is no such image.
    """
    where = subject.server.ref
    doc = await services.documents.get(where) if where is not None else None
    managed = DatabaseServerSpec.model_validate(doc.spec).managed if doc is not None else None
    if doc is not None and managed is not None and "image" in doc.status:
        pin = doc.status["image"]
        image = ResolvedRelease(pin["source"], pin["reference"], pin["digest"])
        return Scratch(image, managed.version, (int(pin["user"][0]), int(pin["user"][1])))
    image = await services.target.resolve(Release(image=f"{services.defaults.postgres_image}:{NEWEST}"))
    place, identity = subject.ref, subject.identity
    content = await services.target.read_image_file(image, USERS_FILE, place=place, identity=identity)
    passwd = (
        content.decode(errors="replace") if content else await ask(services, server_probe_task(place, identity, image))
    )
    return None if passwd is None else Scratch(image, NEWEST, server_user(passwd))


async def serve_scratch(services: Services, server: ServerSubject) -> bool:
    """One pass of keeping it in shape; whether it answers."""
    await ensure_passwords(services, server.password.ref, {"user": SUPERUSER, "password": None})
    desired = decide_server(server)
    seen = await services.target.observe(server.ref)
    if services.target.diff(desired, seen):
        await services.target.converge(desired, seen)
        return False
    return seen.workload(ROLE).ready >= 1


async def remove_scratch(services: Services, gone: ScratchGone) -> bool:
    """One pass of removing everything of a drill; whether nothing is left."""
    server = gone.server
    for ref in (gone.place, server.ref):
        nothing = Desired(ref, server.identity, network=False)
        seen = await services.target.observe(ref, live=True)
        await services.target.converge(nothing, seen)
        if services.target.diff(nothing, await services.target.observe(ref, live=True)):
            return False
        await services.target.remove_volumes(ref, server.identity.instance)
    with contextlib.suppress(MissingSecret):  # an earlier pass, which was cut off, removed it
        await services.secrets.delete(server.password.ref)
    return True
