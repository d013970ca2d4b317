# SPDX-License-Identifier: Apache-2.0
"""What control works with: handed in once, by the command line, the agent or a test."""

from __future__ import annotations

import secrets as randomness
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mooring.control.events import Event, Listener, log_event
from mooring.domain.model.identity import Ref
from mooring.domain.model.secret import SecretRef, SecretValue
from mooring.drivers.clock import Clock
from mooring.drivers.documents import Document, Documents
from mooring.drivers.journal import Journal
from mooring.drivers.lock_store import Locks
from mooring.drivers.secret_store import Secrets
from mooring.targets.base import Target

PASSWORD_BYTES = 32


@dataclass(frozen=True)
class Defaults:
    """What the installation puts where a manifest says nothing.

    Attributes:
        image: release of an instance that names none.
        postgres_image: name of PostgreSQL's image; the major is its tag.
    """

    image: str = "odoo:19.0"
    postgres_image: str = "postgres"


@dataclass(frozen=True)
class Services:
    """Everything outside that control needs.

    Attributes:
        installation: id of this Mooring, on all that it makes.
        locks: the right to execute, one at a time on an instance.
        listener: told every event.
        schedules: begin what schedules ask for: the agent's work, not a command's.
        machine: name of the machine that this runs on, as people know it; empty where it has none that lasts.
    """

    documents: Documents
    secrets: Secrets
    target: Target
    clock: Clock
    installation: str
    locks: Locks
    defaults: Defaults = field(default_factory=Defaults)
    listener: Listener = log_event
    schedules: bool = False
    machine: str = ""

    @property
    def journal(self) -> Journal:
        """The operations' journals."""
        return Journal(self.documents)

    def emit(self, event: Event) -> None:
        """Tell the listener."""
        self.listener(event)


def new_id() -> str:
    """A fresh id: 20 hexadecimal digits, unique without asking anybody."""
    return randomness.token_hex(10)


def new_password() -> SecretValue:
    """A password of 32 random bytes, in characters that every configuration file takes."""
    return SecretValue(randomness.token_urlsafe(PASSWORD_BYTES))


async def ensure_passwords(services: Services, ref: SecretRef, given: Mapping[str, str | None]) -> None:
    """Make a secret where it is missing: fixed values as given, None becomes a generated password."""

    def make() -> Mapping[str, SecretValue]:
        return {key: new_password() if value is None else SecretValue(value) for key, value in given.items()}

    await services.secrets.ensure(ref, make)


async def update_status(
    services: Services, doc: Document, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> Document:
    """Write what `change` makes of the status, when it makes anything new.

    Raises:
        VersionConflict: somebody else wrote since `doc` was read.
    """
    status = dict(change(doc.status))
    if status == dict(doc.status):
        return doc
    return await services.documents.put_status(
        Document(doc.ref, doc.id, doc.generation, doc.version, doc.meta, doc.spec, status, doc.deleted_at),
        if_version=doc.version,
    )


def instance_ref(namespace: str, name: str) -> Ref:
    """The reference of an instance."""
    return Ref("OdooInstance", namespace, name)


def server_ref(namespace: str, name: str) -> Ref:
    """The reference of a database server."""
    return Ref("DatabaseServer", namespace, name)
