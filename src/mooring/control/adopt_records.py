# SPDX-License-Identifier: Apache-2.0
"""Writes records again from the notes on what runs, after the state directory was lost.

A record that is there is never overwritten, and none is made of what carries no note: what is wanted of that is in its
manifest alone. Of an instance that runs, its release is asked what it is, so that its data is never taken for another's.
Called by `mooring adopt`, after the secrets were read back: a pass over a record makes secrets that are missing.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from mooring.api.instance import OdooInstanceSpec
from mooring.api.server import DatabaseServerSpec
from mooring.control.adopt import INSTANCE, PROCESSES, SERVER, unfinished
from mooring.control.probes import ask
from mooring.control.releases import check_version
from mooring.control.services import Services
from mooring.domain.instance.environment import environment_of
from mooring.domain.instance.ledger import Ledger, dump_ledger
from mooring.domain.instance.memory import load_memory, revive_ledger
from mooring.domain.instance.subject import PinnedRelease
from mooring.domain.instance.tasks import release_probe_task
from mooring.domain.lifecycle import State
from mooring.domain.model.identity import Ref
from mooring.domain.model.observed import Found
from mooring.domain.odoo.facts import facts_for
from mooring.domain.work.release_probe import parse_release_probe
from mooring.drivers.documents import Document, Documents
from mooring.errors import MooringError

LOOK_S = 0.2
PATIENCE_S = 120.0

Learn = Callable[[Found], Awaitable[PinnedRelease | None]]


async def learn_release(services: Services, one: Found) -> PinnedRelease | None:
    """Ask what an instance runs; None where nothing runs, or it does not say."""
    if one.release is None:
        return None
    task = release_probe_task(one.ref, one.identity, one.release)
    until = services.clock.monotonic() + PATIENCE_S
    try:
        while (answer := await ask(services, task)) is None:
            if services.clock.monotonic() > until:
                return None
            await services.clock.sleep(LOOK_S)
        facts = parse_release_probe(answer)
        facts_for(facts.series)
    except MooringError:
        return None  # its manifest is asked for, and applying it says what is wrong
    return PinnedRelease(one.release, facts)


async def restore_records(
    found: Sequence[Found], documents: Documents, learn: Learn, *, installation: str, now: datetime
) -> list[Ref]:
    """Write the records that are missing and can be told; their references. Safe to repeat.

    Args:
        learn: what an instance runs, None where that cannot be told.
        now: the time of the records.
    """
    ours = [one for one in found if one.identity.installation == installation]
    instances = {one.ref: spec for one in ours if (spec := _instance_spec(one)) is not None}
    written: list[Ref] = []
    # Servers first: an instance without its server's record would have a new one made.
    for one in sorted(ours, key=lambda item: (item.ref.kind != SERVER, item.ref)):
        if await documents.get(one.ref) is not None:
            continue
        doc: Document | None = None
        status: Mapping[str, Any] = {}
        if one.ref.kind == SERVER:
            doc = _server_record(one, instances)
        elif one.ref in instances and not unfinished(one) and await _has_server(documents, one.ref, instances):
            doc = Document(one.ref, one.identity.instance, spec=json.loads(one.notes["spec"]))
            ledger = _remembered(one)
            if ledger is None and PROCESSES & set(one.workloads):
                ledger = await _ledger(one, instances[one.ref], learn)
                doc = doc if ledger is not None else None
            status = {} if ledger is None else {"ledger": dump_ledger(ledger)}
        if doc is None:
            continue
        meta = {"labels": {}, "annotations": {}, **doc.meta, "createdAt": now.isoformat()}
        stored = await documents.put(Document(doc.ref, doc.id, meta=meta, spec=doc.spec), if_version=None)
        if status:
            given = Document(doc.ref, doc.id, status=status)
            await documents.put_status(given, if_version=stored.version)
        written.append(one.ref)
    return written


async def _has_server(documents: Documents, ref: Ref, instances: Mapping[Ref, OdooInstanceSpec]) -> bool:
    """Whether the instance's server has a record; without one an empty server would be made in its place."""
    database = instances[ref].database
    if database.external is not None:
        return True
    servers = [one for one in await documents.list(SERVER) if one.ref.namespace == ref.namespace]
    name = ref.name if database.managed is not None else database.server
    return any(one.spec.get("default") is True if name is None else one.ref.name == name for one in servers)


def _remembered(one: Found) -> Ledger | None:
    """What was written down beside its data, where that is what runs."""
    memory = load_memory(one.memory) if one.memory else None
    if memory is None:
        return None
    runs = bool(PROCESSES & set(one.workloads))
    if runs and (one.release is None or one.release.digest != memory.ledger.runs):
        return None
    return revive_ledger(memory, runs=runs)


async def _ledger(one: Found, spec: OdooInstanceSpec, learn: Learn) -> Ledger | None:
    """What runs has data that Odoo has initialized: nothing else is ever started with web or cron processes."""
    pinned = await learn(one)
    if pinned is None:
        return None
    if spec.image in (None, pinned.release.source):
        try:
            check_version(spec, pinned)
        except MooringError:
            return None
    digest = pinned.release.digest
    return Ledger(
        state=State.STARTING,
        environment=environment_of(spec),
        database=spec.database.name or "",
        initialized=True,
        wanted_source=pinned.release.source,
        wanted=digest,
        runs=digest,
        releases={digest: pinned},
    )


def _instance_spec(one: Found) -> OdooInstanceSpec | None:
    if one.ref.kind != INSTANCE or "spec" not in one.notes:
        return None
    try:
        return OdooInstanceSpec.model_validate_json(one.notes["spec"])
    except ValidationError:
        return None  # of another version of Mooring


def _server_record(one: Found, instances: Mapping[Ref, OdooInstanceSpec]) -> Document | None:
    if "spec" not in one.notes:
        return None
    owner = Ref(INSTANCE, one.ref.namespace, one.ref.name)
    owned = owner in instances and instances[owner].database.managed is not None
    try:
        spec: dict[str, Any] = json.loads(one.notes["spec"])
        DatabaseServerSpec.model_validate(spec)
    except ValueError:  # of another version of Mooring; pydantic's is one, too
        return None
    return Document(one.ref, one.identity.instance, meta={"owner": str(owner)} if owned else {}, spec=spec)
