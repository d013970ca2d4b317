# SPDX-License-Identifier: Apache-2.0
"""Parts of an instance's status that are computed: the resolved spec, what a rollback returns to, the database's size. Pure.

Called by control when it writes the status.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mooring.api.instance import OdooInstanceSpec
from mooring.domain.instance.conf import decide_instance_sizing
from mooring.domain.instance.kept import until
from mooring.domain.instance.ledger import Ledger
from mooring.domain.instance.snapshot import rfc3339
from mooring.domain.instance.subject import Subject
from mooring.domain.odoo.options import looks_secret
from mooring.domain.operations.journal import StepRecord


def without_heartbeat(spec: OdooInstanceSpec) -> OdooInstanceSpec:
    """The spec without `backup.heartbeatUrl`, which is a secret as often as not; only who pings needs it."""
    if spec.backup.heartbeat_url is None:
        return spec
    backup = spec.backup.model_copy(update={"heartbeat_url": None})
    backup.model_fields_set.discard("heartbeat_url")
    return spec.model_copy(update={"backup": backup})


def without_secrets(spec: OdooInstanceSpec) -> OdooInstanceSpec:
    """The spec without entries of `configOptions` that look like secrets; `webhook`, whose URL may be one, is the caller's.

    The same spec where there is none, so that what the user set stays known as set.
    """
    spec = without_heartbeat(spec)
    if not any(looks_secret(key) for key in spec.config_options):
        return spec
    options = {key: value for key, value in spec.config_options.items() if not looks_secret(key)}
    return spec.model_copy(update={"config_options": options})


def render_resolved(subject: Subject, *, image: str, port: int | None) -> dict[str, Any]:
    """The spec with its defaults, and with what was settled where it says nothing: `status.resolved`.

    Without `webhook` and without options that look like secrets: a status holds none.

    Args:
        image: what the spec names, or the installation's default.
        port: where it is published without ingress; None while it is not, or behind ingress.
    """
    spec = without_secrets(subject.spec)
    value: dict[str, Any] = spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"webhook"})
    value |= {
        "image": image,
        "version": subject.release.facts.series,
        "workers": decide_instance_sizing(subject).web.workers,
        "environment": subject.environment,
    }
    resources = value["resources"]
    cron = value["cron"]
    cron["resources"] = {**resources, **cron.get("resources", {})}
    database = {**value.get("database", {}), "name": subject.database}
    if subject.spec.database.external is None and subject.spec.database.managed is None and subject.server.ref:
        database["server"] = subject.server.ref.name
    value["database"] = database
    if port is not None:
        value["service"] = {**value["service"], "port": port}
    return value


def describe_database(subject: Subject) -> dict[str, Any]:
    """{server, name} of the database in use; its name is no secret, also where only a secret tells it."""
    server = subject.server
    return {"server": server.ref.name if server.ref else server.host, "name": subject.database}


def render_previous(ledger: Ledger, keep: timedelta) -> dict[str, Any] | None:
    """What a rollback returns to: {image, digest, version, operation, until}; None where there is nothing.

    Args:
        keep: how long a replaced pair stays; the copies of an upgrade stay until the next one.
    """
    if ledger.previous is None:
        return None
    value = {"digest": ledger.previous.digest, "operation": ledger.previous.operation}
    pair = next((one for one in ledger.kept if one.operation == ledger.previous.operation), None)
    if pair is not None:
        value["until"] = rfc3339(until(pair, keep))
    known = ledger.release(ledger.previous.digest)
    if known is not None:
        value |= {"image": known.release.source, "version": known.facts.series}
    return value


@dataclass(frozen=True)
class Measured:
    """What an operation's look into the database told: its size in bytes, the server's version and `max_connections`."""

    size_bytes: int
    server_version: str
    max_connections: int = 0

    def describe(self) -> dict[str, Any]:
        """What of it stands in status beside the database's name."""
        return {"sizeBytes": self.size_bytes} | (
            {"maxConnections": self.max_connections} if self.max_connections else {}
        )


def read_measured(log: Sequence[StepRecord]) -> Measured | None:
    """What the last inspection or verification in a journal found; None where there was none.

    Several steps give a size: only what `DatabaseFacts` has beside it tells the instance's own from its copies'.
    """
    for record in reversed(log):
        found = record.result
        if record.state == "done" and isinstance(found, Mapping) and found.get("exists") is True:
            return Measured(
                int(found.get("sizeBytes", 0)),
                str(found.get("serverVersion", "")),
                int(found.get("maxConnections", 0)),
            )
    return None
