# SPDX-License-Identifier: Apache-2.0
"""Documents and results of the tasks that keep a copy from acting on the world, and of those that count what waits.

A copy is neutralized while it is built and again after each upgrade. What the release knows itself comes from
`neutralize_script`, run in the release without a connection; it is a part of the document.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from mooring.domain.work.codec import Document, Shape
from mooring.domain.work.common import Connection, Fence, check_database_name
from mooring.domain.work.neutralize_errors import ReleaseUnread

SINK_HOST = "invalid"
"""A name that no resolver knows (RFC 6761), as Odoo's own neutralization uses it."""

SINK_PORT = 1025
OutgoingKind = Literal["mail", "scheduled-message", "sms", "letter", "mailing", "whatsapp", "queue-job"]
_DIGEST = re.compile(r"[0-9a-f]{64}")
_UNPACKED_LIMIT = 16 << 20


@dataclass(frozen=True)
class ReleaseCode(Shape):
    """What a release holds: the result of `neutralize_script`.

    Attributes:
        series: that its own code says, such as `18.0`.
        native: it has Odoo's own neutralization; the SQL below is what `odoo neutralize --stdout` prints.
        modules: number of add-ons found.
        packed: base64 of zlib of `{"modules": [NAME, …], "sql": {NAME: TEXT}}`.
    """

    series: str
    native: bool
    modules: int
    packed: str


@dataclass(frozen=True)
class DatabaseNeutralize(Document):
    """Keep a copy from acting on the world. The owner's connection; safe to repeat; gives `NeutralizeResult`.

    Attributes:
        instance: id of the instance that the copy is for.
        database: the copy; nobody else is connected to it.
        role: `building` is what an operation made aside; `current` is the instance's present data.
        first: with `current`: also where it was never neutralized. The caller knows that it is no production.
        release: what the instance's release says of itself.
        statements: `neutralize.sql` of the manifest, in its order.
        base_url: where the copy answers; `web.base.url`, frozen.
        sink_host: where mail goes that somebody sends nevertheless.
        sink_port: its port.
        again: the second time in one operation, after an update: its attempts are counted apart.
    """

    TASK: ClassVar[str] = "database-neutralize"

    connection: Connection
    fence: Fence
    instance: str
    database: str
    release: ReleaseCode
    base_url: str
    statements: tuple[str, ...] = ()
    role: Literal["building", "current"] = "building"
    first: bool = False
    sink_host: str = SINK_HOST
    sink_port: int = SINK_PORT
    again: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: says which.
        """
        _check(self.database, self.base_url, self.sink_host)
        if not self.instance:
            raise ValueError("instance must not be empty")
        if self.first and self.role != "current":
            raise ValueError("first belongs to role current")
        if not 0 < self.sink_port < 65536:
            raise ValueError(f"sinkPort {self.sink_port} is not between 1 and 65535")


@dataclass(frozen=True)
class DatabaseVerifyNeutral(Document):
    """Prove that a copy cannot act on the world. Changes nothing; gives `NeutralResult` or fails with what is alive.

    Attributes:
        base_url: where the copy answers.
        sink_host: the only address that mail may go to.
        origin: SHA-256, in hex, of the source's `database.uuid`; None takes what the copy itself remembers of it.
    """

    TASK: ClassVar[str] = "database-verify-neutral"

    connection: Connection
    database: str
    base_url: str
    sink_host: str = SINK_HOST
    origin: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: says which.
        """
        _check(self.database, self.base_url, self.sink_host)
        if self.origin is not None and not _DIGEST.fullmatch(self.origin):
            raise ValueError("origin must be 64 hex digits")


@dataclass(frozen=True)
class OutgoingCount(Document):
    """Count what waits to be sent or done. Changes nothing; gives `OutgoingResult`.

    Attributes:
        older_than: time in ISO 8601 with its offset, such as that of a return; counts what was there before it apart.
    """

    TASK: ClassVar[str] = "outgoing-count"

    connection: Connection
    database: str
    older_than: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: says which.
        """
        check_database_name(self.database)
        if self.older_than is not None:
            check_time(self.older_than)


@dataclass(frozen=True)
class OutgoingCancel(Document):
    """Cancel what waits to be sent since before a time. The owner's connection; safe to repeat; gives `CancelResult`.

    Attributes:
        older_than: time in ISO 8601 with its offset; what was made at that time or later stays.
        kinds: what is cancelled; empty is every kind that can be.
    """

    TASK: ClassVar[str] = "outgoing-cancel"

    connection: Connection
    fence: Fence
    instance: str
    database: str
    older_than: str
    kinds: tuple[OutgoingKind, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: says which.
        """
        check_database_name(self.database)
        check_time(self.older_than)
        if not self.instance:
            raise ValueError("instance must not be empty")


@dataclass(frozen=True)
class Change(Shape):
    """What one rule or script did: `rows` of `table` (empty for a script, whose rows are not counted)."""

    what: str
    table: str
    rows: int


@dataclass(frozen=True)
class NeutralizeResult(Shape):
    """Result of `database-neutralize`.

    Attributes:
        changes: by rule, where a row was changed, and each script that ran.
        scripts: modules whose own SQL was applied, in order.
        statements: number of the manifest's that were applied.
        blanked: columns that hold credentials by their name, as `table.column`, and held some.
        kept: such columns that could not be emptied, with the server's reason.
        fresh: this run gave the copy a new identity; False where an earlier one did.
        origin: SHA-256, in hex, of the `database.uuid` that it had before; None where it had none.
        banner: where people see what it is: `odoo` is Odoo's own, `mooring` a view of ours, `none` has no web.
    """

    database: str
    changes: tuple[Change, ...]
    scripts: tuple[str, ...]
    statements: int
    blanked: tuple[str, ...]
    kept: tuple[str, ...]
    fresh: bool
    origin: str | None
    banner: Literal["odoo", "mooring", "none"]
    duration_ms: int


@dataclass(frozen=True)
class NeutralResult(Shape):
    """Result of `database-verify-neutral`: what was looked at, and what of it this database does not have."""

    database: str
    checked: tuple[str, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True)
class Waiting(Shape):
    """What waits of one kind.

    Attributes:
        kind: such as `mail`; see `OutgoingKind` for those that can be cancelled, and `subscription`, `cron`.
        total: how many.
        older: how many of them are older than the document's time; equal to `total` without one.
        oldest: time of the oldest, ISO 8601 in UTC; None where there is none.
        cancellable: `outgoing-cancel` takes it.
    """

    kind: str
    total: int
    older: int
    oldest: str | None
    cancellable: bool


@dataclass(frozen=True)
class OutgoingResult(Shape):
    """Result of `outgoing-count`; kinds that this database does not have are left out."""

    database: str
    waiting: tuple[Waiting, ...]


@dataclass(frozen=True)
class Cancelled(Shape):
    """How many of one kind were cancelled."""

    kind: str
    rows: int


@dataclass(frozen=True)
class CancelResult(Shape):
    """Result of `outgoing-cancel`; kinds of which nothing was cancelled are left out."""

    database: str
    cancelled: tuple[Cancelled, ...]


def unpack_code(code: ReleaseCode) -> tuple[frozenset[str], Mapping[str, str]]:
    """Names of all add-ons of the release, and the neutralizing SQL of those that have some.

    Raises:
        ReleaseUnread: this is not what the script writes.
    """
    try:
        return _unpack(code)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, zlib.error) as fault:
        raise ReleaseUnread(f"What the release says of its add-ons cannot be read: {type(fault).__name__}.") from None


def _unpack(code: ReleaseCode) -> tuple[frozenset[str], Mapping[str, str]]:
    engine = zlib.decompressobj()
    raw = engine.decompress(base64.b64decode(code.packed, validate=True), _UNPACKED_LIMIT)
    if not engine.eof:
        raise ValueError("cut off, or too large")
    value = json.loads(raw)
    names, sql = value["modules"], value["sql"]
    if not all(isinstance(item, str) for item in (*names, *sql, *sql.values())) or len(names) != code.modules:
        raise ValueError("of another shape")
    return frozenset(names), sql


def check_time(text: str) -> None:
    """Refuse what is no time that can be compared.

    Raises:
        ValueError: it is not ISO 8601, or has no offset from UTC.
    """
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(f"{text} has no offset from UTC")


def _check(database: str, base_url: str, sink_host: str) -> None:
    check_database_name(database)
    if not base_url.startswith(("http://", "https://")) or not base_url.isprintable() or " " in base_url:
        raise ValueError("baseUrl must begin with http:// or https://")
    if not sink_host or not sink_host.isprintable():
        raise ValueError("sinkHost must not be empty")
