# SPDX-License-Identifier: Apache-2.0
"""The task `snapshot-verify`: one snapshot, where it lies. It changes nothing; what is wrong is its failure, all of it at once.

Unlike `repository-check`, whose result is a list for people, it answers one question: can this be restored?
"""

from __future__ import annotations

import time

from mooring.domain.work.verify import SnapshotVerify, SnapshotVerifyResult
from mooring.domain.work.verify_errors import SnapshotDamaged
from mooring.engine.report import Reporter
from mooring.engine.repository.check import CheckReport, check_own_objects, check_scope
from mooring.engine.repository.opened import open_settings

_SHOWN = 50


def verify_snapshot(document: SnapshotVerify, report: Reporter) -> SnapshotVerifyResult:
    """The task.

    Raises:
        SnapshotMissing, SnapshotAmbiguous: there is no such one, or more.
        SnapshotDamaged: something that it needs is missing or not what was written; the details name each object.
        MooringError: the repository cannot be opened.
    """
    begun = time.monotonic()
    report.progress("open the repository")
    repository = open_settings(document.repository)
    snapshot = repository.find(document.source.snapshot, instance=document.source.instance)
    report.progress("look at what is there" if not document.read_percent else "read")
    own = check_own_objects(repository)
    found = check_scope(repository, snapshot.name.scope, read_share=document.read_percent / 100, only=snapshot.id)
    faults = [*_faults(own), *_faults(found)]
    if faults:
        more = f"\nand {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise SnapshotDamaged(
            f"The snapshot {snapshot.id[:12]} of {snapshot.manifest.time} is not sound: {faults[0]}",
            details="\n".join(faults[:_SHOWN]) + more,
        )
    manifest = snapshot.manifest
    return SnapshotVerifyResult(
        snapshot=snapshot.id,
        time=manifest.time,
        state=manifest.state,
        files=manifest.filestore.count if manifest.filestore else 0,
        database_bytes=manifest.database.size_bytes if manifest.database else 0,
        server_major=manifest.database.server_major if manifest.database else None,
        packs=found.packs_read,
        read_bytes=found.bytes_read,
        duration_ms=int((time.monotonic() - begun) * 1000),
    )


def _faults(report: CheckReport) -> list[str]:
    """One sentence for each damaged object, blob and part of the snapshot."""
    lines = [f"{one.key}: {one.reason}" for one in report.damaged]
    lines += [f"pack {pack}: its blob {blob} is not what was written" for pack, blob in report.damaged_blobs]
    lines += [f"not whole: {part}" for hurt in report.hurt for part in hurt.parts]
    return lines
