# SPDX-License-Identifier: Apache-2.0
"""Renders odoo.conf. The same input gives the same text; secrets are holes in it, filled where the file is written.

What it decides: which keys stand in the file, who wins, and what is refused. What it never does: hold a secret, choose a
number (`sizing` does) or touch a disk. The file goes into a volume with mode 0600, owned by Odoo's user. Called by whoever
decides workloads and tasks, once for each role.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from mooring.domain.odoo.errors import ConfigRefused, Refusal
from mooring.domain.odoo.facts import OdooFacts, facts_for
from mooring.domain.odoo.options import (
    Environment,
    Judged,
    OptionValue,
    judge_options,
    read_integer,
    writing_fault,
)
from mooring.domain.odoo.sizing import SIZING_KEYS, ProcessSizing, Sizing

Role = Literal["web", "cron", "task", "probe"]
"""web serves people; cron runs scheduled actions and no HTTP; task runs once next to the data; probe answers HTTP on data that
users are not let in to yet: one threaded process that runs nothing by itself."""

DB_PASSWORD: Final = "db_password"  # noqa: S105 - the name of a hole, not a password
ADMIN_PASSWD: Final = "admin_passwd"  # noqa: S105 - as above

NO_MAIL_HOST: Final = "mail-is-off.invalid"
"""A mail server that cannot exist (RFC 6761): mail of a staging instance without a sink fails and stays where it is."""


@dataclass(frozen=True)
class Slot:
    """A hole in the text that a secret fills.

    Attributes:
        name: `db_password` or `admin_passwd`.
    """

    name: str


@dataclass(frozen=True)
class ConfText:
    """odoo.conf without its secrets.

    Attributes:
        parts: text and holes, in order.
        warnings: what the user should know, one sentence each.
    """

    parts: tuple[str | Slot, ...]
    warnings: tuple[str, ...] = ()

    @property
    def slots(self) -> frozenset[str]:
        """Names of the secrets that the text needs."""
        return frozenset(part.name for part in self.parts if isinstance(part, Slot))

    @property
    def outline(self) -> str:
        """The text with `<name>` in each hole: for people, golden files and fingerprints."""
        return "".join(part if isinstance(part, str) else f"<{part.name}>" for part in self.parts)


@dataclass(frozen=True, kw_only=True)
class DatabaseAccess:
    """How Odoo reaches its database; the password is a secret and stands elsewhere.

    Attributes:
        host: name or address.
        port: TCP port.
        name: of the database.
        user: role that owns it.
        ssl_mode: libpq's `sslmode`.
    """

    host: str
    port: int
    name: str
    user: str
    ssl_mode: str = "prefer"


@dataclass(frozen=True, kw_only=True)
class AddonPaths:
    """Folders with add-ons, absolute, in order of precedence: Odoo takes the first module of a name.

    Attributes:
        custom: the user's.
        enterprise: Odoo's enterprise edition.
        core: Odoo's own.
    """

    custom: tuple[str, ...] = ()
    enterprise: tuple[str, ...] = ()
    core: tuple[str, ...] = ()

    @property
    def ordered(self) -> tuple[str, ...]:
        """All of them, each once."""
        every = (*self.custom, *self.enterprise, *self.core)
        return tuple(dict.fromkeys(posixpath.normpath(path) for path in every))


@dataclass(frozen=True, kw_only=True)
class MailSink:
    """Where a staging instance's mail ends.

    Attributes:
        host: name or address.
        port: of its SMTP.
    """

    host: str
    port: int = 1025


@dataclass(frozen=True, kw_only=True)
class ConfInput:
    """What odoo.conf is rendered from.

    Attributes:
        series: of the release.
        role: of the process that reads the file.
        sizing: the decision for the instance.
        database: how it is reached.
        addons: where modules are; with none at all, Odoo finds its own. A git checkout needs `core` beside `custom`.
        data_dir: absolute path of the filestore's volume.
        environment: Production or Staging.
        behind_ingress: whether our proxy stands before it: then X-Forwarded-* is believed.
        demo: whether `-i` loads demonstration data.
        http_interface: address to listen on.
        http_port: of web and probe.
        evented_port: of the evented process.
        mail_sink: of a Staging instance.
        logs_volume: whether there is a volume for log files.
        options: the user's `configOptions`.
    """

    series: str
    role: Role
    sizing: Sizing
    database: DatabaseAccess
    addons: AddonPaths
    data_dir: str = "/var/lib/odoo"
    environment: Environment = "Production"
    behind_ingress: bool = True
    demo: bool = False
    http_interface: str = "0.0.0.0"  # noqa: S104 - inside its own container; a host passes 127.0.0.1
    http_port: int = 8069
    evented_port: int = 8072
    mail_sink: MailSink | None = None
    logs_volume: bool = False
    options: Mapping[str, OptionValue] = field(default_factory=dict)


def render_conf(wanted: ConfInput) -> ConfText:
    """odoo.conf for one role: `[options]` with its keys sorted.

    Raises:
        ConfigRefused: options that break a safety rule or values that cannot be written; all of them at once.
        UnknownSeries: the series is not in the table.
    """
    facts = facts_for(wanted.series)
    size = _size(wanted)
    judged = judge_options(
        wanted.options,
        facts=facts,
        environment=wanted.environment,
        logs_volume=wanted.logs_volume,
        workers=wanted.sizing.web.workers,
    )
    own = _own_lines(wanted, facts, size)
    refusals = [*judged.refusals, *_own_faults(wanted, own), *_sizing_faults(judged, wanted.sizing)]
    if refusals:
        raise ConfigRefused(f"{len(refusals)} setting(s) of odoo.conf are refused.", refusals)
    users, warnings = _users_lines(wanted, facts, judged)
    lines: dict[str, str | Slot] = {**own, **users}
    parts: list[str | Slot] = ["; Written by Mooring, which overwrites changes made here.\n[options]\n"]
    for key in sorted(lines):
        value = lines[key]
        parts.extend((f"{key} = ", value, "\n"))
    return ConfText(_joined(parts), (*judged.warnings, *warnings))


def _size(wanted: ConfInput) -> ProcessSizing:
    sizes: Mapping[Role, ProcessSizing] = {
        "web": wanted.sizing.web,
        "cron": wanted.sizing.cron,
        "task": wanted.sizing.task,
        "probe": wanted.sizing.probe,
    }
    return sizes[wanted.role]


def _own_lines(wanted: ConfInput, facts: OdooFacts, size: ProcessSizing) -> dict[str, str | Slot]:
    """What Mooring writes; a user's option may replace what `judge_options` lets through."""
    lines: dict[str, str | Slot] = {
        "admin_passwd": Slot(ADMIN_PASSWD),
        "data_dir": wanted.data_dir,
        "db_host": wanted.database.host,
        "db_maxconn": str(size.db_maxconn),
        "db_name": wanted.database.name,
        "db_password": Slot(DB_PASSWORD),
        "db_port": str(wanted.database.port),
        "db_sslmode": wanted.database.ssl_mode,
        "db_user": wanted.database.user,
        # Odoo matches from the start (re.match) and replaces %h and %d: the end is anchored, and names have no %.
        "dbfilter": f"^{re.escape(wanted.database.name)}$",
        "http_enable": str(wanted.role in {"web", "probe"}),
        "http_interface": wanted.http_interface,
        "http_port": str(wanted.http_port),
        "limit_memory_hard": str(size.limit_memory_hard),
        "limit_memory_soft": str(size.limit_memory_soft),
        "list_db": "False",
        "max_cron_threads": str(size.max_cron_threads),
        "proxy_mode": str(wanted.behind_ingress),
        "server_wide_modules": ",".join(_server_wide_modules(wanted, facts)),
        "workers": str(size.workers),
        facts.demo_option: facts.demo_option_on if wanted.demo else facts.demo_option_off,
        facts.evented_port_option: str(wanted.evented_port),
    }
    evented = {
        "db_maxconn_gevent": size.db_maxconn_evented,
        "limit_memory_hard_gevent": size.limit_memory_hard_evented,
        "limit_memory_soft_gevent": size.limit_memory_soft_evented,
    }
    if size.has_evented:
        lines |= {key: str(number) for key, number in evented.items() if facts.knows(key)}
    if wanted.addons.ordered:  # without the key, Odoo finds its own
        lines["addons_path"] = ",".join(wanted.addons.ordered)
    if wanted.environment == "Staging":
        sink = wanted.mail_sink or MailSink(host=NO_MAIL_HOST, port=25)
        lines |= {"smtp_server": sink.host, "smtp_port": str(sink.port), "smtp_ssl": "False"}
    return lines


def _server_wide_modules(wanted: ConfInput, facts: OdooFacts) -> tuple[str, ...]:
    # A probe runs on production's data behind a hold: nothing that starts by itself.
    return ("base", "web") if wanted.role == "probe" else facts.server_wide_modules


def _own_faults(wanted: ConfInput, own: Mapping[str, str | Slot]) -> list[Refusal]:
    """What cannot be written of the values that other fields of the manifest gave."""
    faults = [
        Refusal(key, fault)
        for key, value in sorted(own.items())
        if isinstance(value, str) and (fault := writing_fault(value))
    ]
    faults += [
        Refusal(key, "is empty or has blanks at its ends.")
        for key, value in sorted(own.items())
        if isinstance(value, str) and (not value or value != value.strip())
    ]
    paths = (*wanted.addons.custom, *wanted.addons.enterprise, *wanted.addons.core, wanted.data_dir)
    faults += [
        Refusal("addons" if path != wanted.data_dir else "data_dir", f"{path!r} is no absolute path without commas.")
        for path in paths
        if not path.startswith("/") or "," in path or "$" in path  # Odoo splits at commas and expands variables
    ]
    return faults


def _sizing_faults(judged: Judged, sizing: Sizing) -> list[Refusal]:
    """Options that `decide_sizing` was not told of: the file would contradict what was checked."""
    web, cron = sizing.web, sizing.cron
    decided = {
        "db_maxconn": web.db_maxconn,
        "db_maxconn_gevent": web.db_maxconn_evented,
        "limit_memory_hard": web.limit_memory_hard,
        "limit_memory_hard_gevent": web.limit_memory_hard_evented,
        "limit_memory_soft": web.limit_memory_soft,
        "limit_memory_soft_gevent": web.limit_memory_soft_evented,
        "max_cron_threads": cron.max_cron_threads,
    }
    threaded = {key for key in decided if key.endswith("_gevent")} if not web.workers else set()
    return [
        Refusal(key, f"differs from what was decided for the instance ({decided[key]}).")
        for key in sorted(SIZING_KEYS - threaded)
        if key in judged.accepted and read_integer(judged.accepted[key]) != decided[key]
    ]


def _users_lines(wanted: ConfInput, facts: OdooFacts, judged: Judged) -> tuple[dict[str, str], list[str]]:
    """The accepted options as they apply to this role, and warnings about them."""
    lines = {key: text for key, text in judged.accepted.items() if key not in SIZING_KEYS | {"workers"}}
    warnings: list[str] = []
    asked = lines.pop("server_wide_modules", None)
    if asked is not None:
        names = [name.strip() for name in asked.split(",") if name.strip()]
        missing = [name for name in facts.server_wide_modules if name not in names]
        if missing:
            warnings.append(
                f"configOptions.server_wide_modules leaves out {', '.join(missing)}, which Odoo needs; added."
            )
        if wanted.role in {"web", "cron"}:
            lines["server_wide_modules"] = ",".join((*missing, *names))
    return lines, warnings


def _joined(parts: list[str | Slot]) -> tuple[str | Slot, ...]:
    """The parts with neighbouring texts put together."""
    joined: list[str | Slot] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return tuple(joined)
