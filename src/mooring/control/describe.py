# SPDX-License-Identifier: Apache-2.0
"""What is wanted of an instance and of its server, as far as the records know it, for whoever shows or writes it.

Changes nothing. Called by `mooring render`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from mooring.api.instance import OdooInstanceSpec
from mooring.control.dry import Unasked, dry_services
from mooring.control.releases import check_version
from mooring.control.servers import find_existing_server, server_desired
from mooring.control.services import Services
from mooring.control.subjects import describe_subject
from mooring.domain.instance.desired import decide_desired
from mooring.domain.instance.ledger import load_ledger
from mooring.domain.lifecycle import State, output
from mooring.domain.model.desired import Desired
from mooring.domain.model.identity import Identity
from mooring.domain.operations.plan import NO_HOLD
from mooring.drivers.documents import Document
from mooring.errors import ConflictError, Retry


class NotApplied(ConflictError):
    """What the instance runs is not known yet: its image, or its server's, was never asked what it is."""

    code = "MOOR-347"
    reason = "NotApplied"
    retry = Retry.NEVER
    default_resolution = "Run `mooring apply -f FILE` first: it gets the images and learns what they are."


@dataclass(frozen=True)
class Described:
    """An instance as it is wanted.

    Attributes:
        instance: what is wanted of it when it runs.
        server: what is wanted of its server; None for one that others run.
        ports: endpoint → port that it publishes.
        notes: what the user should know, one sentence each.
    """

    instance: Desired
    server: Desired | None
    ports: Mapping[str, int]
    notes: tuple[str, ...] = ()


async def describe_instance(services: Services, doc: Document) -> Described:
    """What is wanted of the instance of a record, which may differ from the stored one in its spec. Has no effects.

    Raises:
        NotApplied: its release, its server or its server's image is not known.
        MissingSecret: a secret that it needs is not there.
    """
    services = dry_services(services, listener=lambda _: None)
    ref, spec = doc.ref, OdooInstanceSpec.model_validate(doc.spec)
    existing = await services.documents.get(ref)
    ledger = load_ledger(existing.status.get("ledger") if existing else None)
    release = ledger.release(ledger.runs) or ledger.release(ledger.wanted)
    if release is None:
        raise NotApplied(f"Nobody has asked yet what the image of {ref} is.")
    check_version(spec, release)
    where = await find_existing_server(services, ref, spec)
    if where is None and spec.database.external is None:
        raise NotApplied(f"The database server of {ref} does not exist yet.")
    identity = Identity(services.installation, doc.id)
    subject, notes = await describe_subject(services, ref, identity, spec, ledger, release, where)
    server: Desired | None = None
    if where is not None and subject.server.managed:
        with contextlib.suppress(Unasked):
            server = await server_desired(services, where)
    if server is None and subject.server.managed:
        raise NotApplied(f"Nobody has asked yet what the image of {where} is.")
    wanted = spec.image or services.defaults.image
    if wanted != release.release.source:
        notes += (f"The manifest names {wanted}; written is {release.release.source}, which the data belongs to.",)
    if not ledger.initialized:
        notes += (f"The database of {ref} is not initialized yet: finish `mooring apply` before you start this.",)
    instance = decide_desired(subject, output(State.RUNNING), NO_HOLD)
    return Described(instance, server, await _ports(services, doc), notes)


async def _ports(services: Services, doc: Document) -> Mapping[str, int]:
    """What the endpoints publish: as it is now, else as it is on record."""
    seen = await services.target.observe(doc.ref)
    found = {name: one.port for name, one in seen.endpoints.items() if one.port}
    existing = await services.documents.get(doc.ref)
    known = urlsplit(str((existing.status.get("url") if existing else None) or ""))
    if known.hostname == "127.0.0.1" and known.port:
        found.setdefault("http", known.port)
    return found
