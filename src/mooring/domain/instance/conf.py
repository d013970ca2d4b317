# SPDX-License-Identifier: Apache-2.0
"""odoo.conf of one instance: joins what the spec says with the decisions of `domain.odoo`."""

from __future__ import annotations

from mooring.api.instance import OdooInstanceSpec
from mooring.domain.instance.environment import mail_sink
from mooring.domain.instance.subject import ADDONS_DIR, DATA_DIR, Subject
from mooring.domain.model.desired import File
from mooring.domain.model.secret import SecretKey
from mooring.domain.odoo.argv import CONFIG_PATH
from mooring.domain.odoo.conf import (
    ADMIN_PASSWD,
    DB_PASSWORD,
    AddonPaths,
    ConfInput,
    ConfText,
    DatabaseAccess,
    Role,
    Slot,
    render_conf,
)
from mooring.domain.odoo.sizing import Sizing, SizingInput, decide_sizing

WEB_PORT = 8069
EVENTED_PORT = 8072


def decide_instance_sizing(subject: Subject) -> Sizing:
    """Processes, memory and connections of the instance.

    Raises:
        ResourcesRefused, ConnectionsRefused: they do not fit together.
    """
    return decide_spec_sizing(
        subject.spec, series=subject.release.facts.series, max_connections=subject.server.max_connections
    )


def decide_spec_sizing(spec: OdooInstanceSpec, *, series: str, max_connections: int = 200) -> Sizing:
    """The same from the spec alone, for a series.

    Raises:
        ResourcesRefused, ConnectionsRefused: they do not fit together.
    """
    web = spec.resources
    cron = spec.cron.resources
    cron_memory = cron.memory.bytes if cron is not None and cron.memory is not None else web.memory.bytes
    return decide_sizing(
        SizingInput(
            series=series,
            cpu_millicores=web.cpu.millicores,
            memory_bytes=web.memory.bytes,
            workers=None if spec.workers == "auto" else spec.workers,
            replicas=spec.replicas,
            cron_memory_bytes=cron_memory,
            cron_replicas=spec.cron.replicas,
            task_memory_bytes=max(web.memory.bytes, 2 << 30),
            max_connections=max_connections,
            options=spec.config_options,
        )
    )


def addon_paths(subject: Subject) -> AddonPaths:
    """Custom add-ons before Odoo's own."""
    custom = (
        *(folder.path for folder in subject.folders),
        *(f"{ADDONS_DIR}/volume-{name}" for name in subject.addon_volumes),
    )
    return AddonPaths(custom=custom, core=(subject.release.facts.core_addons,))


def render_odoo_conf(subject: Subject, role: Role) -> ConfText:
    """The text with holes for secrets, and what the user should know about it.

    Raises:
        ConfigRefused: options that break a safety rule; all at once.
    """
    spec = subject.spec
    return render_conf(
        ConfInput(
            series=subject.release.facts.series,
            role=role,
            sizing=decide_instance_sizing(subject),
            database=DatabaseAccess(
                host=subject.server.host,
                port=subject.server.port,
                name=subject.database,
                user=subject.owner,
                ssl_mode=subject.server.sslmode,
            ),
            addons=addon_paths(subject),
            data_dir=DATA_DIR,
            environment="Staging" if subject.staging else "Production",
            mail_sink=mail_sink(subject),
            demo=spec.init.demo,
            options=spec.config_options,
        )
    )


def odoo_conf_file(subject: Subject, role: Role) -> File:
    """odoo.conf as a file with slots, owned by Odoo's user, mode 0600."""
    slots: dict[str, SecretKey] = {
        DB_PASSWORD: subject.key(subject.owner_secret, "password"),
        ADMIN_PASSWD: subject.master_password,
    }
    parts = tuple(
        slots[part.name] if isinstance(part, Slot) else part for part in render_odoo_conf(subject, role).parts
    )
    facts = subject.release.facts
    return File(CONFIG_PATH, parts, uid=facts.uid, gid=facts.gid)
