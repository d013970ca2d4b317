# SPDX-License-Identifier: Apache-2.0
"""From documents and one observation to the snapshot that the lifecycle reads, and to the warnings that people read."""

from __future__ import annotations

from datetime import datetime

from mooring.api.enums import Environment
from mooring.api.instance import OdooInstanceSpec
from mooring.domain.instance.environment import environment_of
from mooring.domain.instance.ledger import Ledger
from mooring.domain.lifecycle import Snapshot
from mooring.domain.model.observed import Observed

FILESTORE = "filestore"
GIB = 1 << 30


def wanted_replicas(spec: OdooInstanceSpec, ledger: Ledger) -> tuple[tuple[str, int], ...]:
    """((role, count), …) of what runs when nothing holds it back."""
    if ledger.stopped or spec.replicas == 0:
        return (("web", 0), ("cron", 0))
    return (("web", spec.replicas), ("cron", 0 if ledger.cron_held else spec.cron.replicas))


def take_snapshot(
    spec: OdooInstanceSpec,
    ledger: Ledger,
    seen: Observed,
    *,
    generation: int,
    deleting: bool,
    server_ready: bool,
    provisioned: bool,
    pending: bool,
) -> Snapshot:
    """What the guards read.

    Args:
        generation: of the spec; a latch holds for the one at which it was set.
        pending: whether the target still has something to change.
    """
    ready = all(seen.workload(role).ready >= count for role, count in wanted_replicas(spec, ledger))
    return Snapshot(
        deleting=deleting,
        provisioned=provisioned and server_ready,
        initialized=ledger.initialized,
        init_wanted=spec.init.enabled,
        init_latched=ledger.latched.get("Init") == generation,
        upgrade_latched=ledger.latched.get("Upgrade") == generation,
        stop_wanted=ledger.stopped or spec.replicas == 0,
        ready=ready and not pending,
        server_ready=server_ready,
        data_present=not ledger.initialized or FILESTORE in seen.volumes,
    )


DISK_LOW_BYTES = 2 << 30
"""Free space below which a person is warned: an upgrade's safety copies and a day's attachments still fit."""


def decide_warnings(spec: OdooInstanceSpec, ledger: Ledger, seen: Observed) -> list[str]:
    """What is going to hurt if nobody looks, one sentence each."""
    sentences: list[str] = []
    if ledger.cron_held:
        sentences.append(f"Cron is held back, since {ledger.cron_held}: `mooring release-hold` lets it run again.")
    if ledger.environment == Environment.PRODUCTION and environment_of(spec) == Environment.STAGING:
        sentences.append("Promoted, while its manifest still says Staging: write `environment: Production` there.")
    if ledger.backups.external:
        sentences.append(
            f"Attachments that are kept outside the filestore are not in the last backup ({ledger.backups.external}): back "
            "their store up by its own means."
        )
    return [*sentences, *decide_disk_warnings(spec, ledger, seen)]


def decide_disk_warnings(spec: OdooInstanceSpec, ledger: Ledger, seen: Observed) -> list[str]:
    """What is going to hurt for want of space; nothing where the target cannot tell how much is free."""
    free = seen.free_bytes
    if free is None:
        return []
    sentences: list[str] = []
    if free < DISK_LOW_BYTES:
        # The first words stay the same while it shrinks: a warning with others would be told anew at each pass.
        below = (free * 10 // GIB + 1) / 10
        sentences.append(
            f"Less than {below:.1f} GiB are free where the data is; Odoo loses attachments on a full disk."
        )
    asked = spec.filestore.storage_size.bytes
    if not ledger.initialized and asked > free:
        sentences.append(
            f"filestore.storageSize asks for {asked / GIB:.1f} GiB, and about {free / GIB:.1f} GiB are free."
        )
    return sentences


def rfc3339(at: datetime) -> str:
    """`2026-01-31T22:00:00Z`, whole seconds."""
    return at.replace(microsecond=0).isoformat().replace("+00:00", "Z")
