# SPDX-License-Identifier: Apache-2.0
"""Everything that decisions about one instance are made from, resolved: a value that JSON can carry.

Control fills it once a pass; an operation keeps the one it was accepted with, so that its plan is the same after a kill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from mooring.api.enums import Environment
from mooring.api.instance import OdooInstanceSpec
from mooring.domain.model.desired import Folder
from mooring.domain.model.identity import Identity, Ref, child
from mooring.domain.model.release import ReleaseFacts, ResolvedRelease
from mooring.domain.model.secret import SecretKey, SecretRef, version_name
from mooring.domain.odoo.facts import OdooFacts, facts_for
from mooring.domain.work.common import SslMode

DATA_DIR = "/var/lib/odoo"
ADDONS_DIR = "/mnt/mooring-addons"
MAIL = "mail"
MAIL_PORT = 1025


@dataclass(frozen=True)
class PinnedRelease:
    """A release that cannot move, with what its own files say."""

    release: ResolvedRelease
    facts: ReleaseFacts

    @property
    def odoo(self) -> OdooFacts:
        """The row of the series."""
        return facts_for(self.facts.series)


@dataclass(frozen=True)
class ServerAccess:
    """How the instance reaches its PostgreSQL.

    Attributes:
        ref: the DatabaseServer; None for an external database of this instance alone.
        identity: of a managed server, for tasks on its side; None for servers that others run.
        host: DNS name or address.
        admin: secret with the keys `user` and `password` of a role that may create databases; None without one.
        root_certificate: whether the secret of the server has the key `sslrootcert`, and which secret.
        max_connections: the server's; what one instance may use is decided from it.
    """

    ref: Ref | None
    identity: Identity | None
    host: str
    port: int = 5432
    sslmode: SslMode = "prefer"
    admin: SecretRef | None = None
    root_certificate: SecretRef | None = None
    max_connections: int = 200

    @property
    def managed(self) -> bool:
        """Whether Mooring runs it."""
        return self.identity is not None


@dataclass(frozen=True)
class Subject:
    """One instance, resolved.

    Attributes:
        spec: as the user wrote it, with the model's defaults.
        environment: settled: `Production` or `Staging`.
        database: name of the database.
        owner: role that owns it.
        owner_secret: secret with the key `password` of that role.
        odoo_secret: secret with the keys `master-password` and `admin-password`.
        versions: `namespace/name/key` → version of a secret's value.
        folders: custom add-ons, in order of precedence, as found on this machine.
    """

    ref: Ref
    identity: Identity
    spec: OdooInstanceSpec
    environment: str
    release: PinnedRelease
    server: ServerAccess
    database: str
    owner: str
    owner_secret: SecretRef
    master_password: SecretKey
    admin_password: SecretKey
    versions: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[Folder, ...] = ()
    addon_volumes: tuple[str, ...] = ()

    def key(self, ref: SecretRef, key: str) -> SecretKey:
        """The slot for a value, with the version that is in force."""
        return SecretKey(ref, key, self.versions.get(version_name(ref, key), ""))

    @property
    def web_host(self) -> str:
        """Name under which the instance's own network knows its web replicas."""
        return child(self.ref, "web")

    @property
    def staging(self) -> bool:
        """Whether it is Staging, as settled: neutral data, no network out, mail caught."""
        return self.environment == Environment.STAGING

    @property
    def mail_host(self) -> str:
        """Name under which the instance's own network knows the mail sink of a Staging instance."""
        return child(self.ref, MAIL)


@cache
def _subject() -> TypeAdapter[Subject]:
    """Made at first need: it takes a tenth of a command's start, and most commands carry no operation out."""
    return TypeAdapter(Subject)


@cache
def _pinned() -> TypeAdapter[PinnedRelease]:
    return TypeAdapter(PinnedRelease)


def dump_subject(subject: Subject) -> dict[str, Any]:
    """JSON of a subject; holds references to secrets, never values."""
    value: dict[str, Any] = _subject().dump_python(subject, mode="json", by_alias=True, exclude_unset=True)
    return value


def load_subject(value: Mapping[str, Any]) -> Subject:
    """What `dump_subject` wrote.

    Raises:
        pydantic.ValidationError: it is no such JSON.
    """
    return _subject().validate_python(value)


def dump_release(release: PinnedRelease) -> dict[str, Any]:
    """JSON of a pinned release."""
    value: dict[str, Any] = _pinned().dump_python(release, mode="json")
    return value


def load_release(value: Mapping[str, Any]) -> PinnedRelease:
    """What `dump_release` wrote."""
    return _pinned().validate_python(value)
