# SPDX-License-Identifier: Apache-2.0
"""The task `backup`: one snapshot of a running instance, whole or not at all.

It holds the instance's lock, so that no restore or copy works on the same data meanwhile. Nothing of the instance is changed
but our own folder on its volume. What a killed run left in the repository is reused by the next.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from mooring import __version__
from mooring.domain.repository.manifest import (
    FORMAT,
    NamedStream,
    SnapshotManifest,
    SnapshotSizes,
)
from mooring.domain.work.backup import Backup, BackupArchive, BackupResult
from mooring.domain.work.common import Fence
from mooring.domain.work.names import lock_key
from mooring.engine.backup.folders import pack_folder, read_conf
from mooring.engine.backup.source import Read, Source
from mooring.engine.backup.store import BackupStore, open_backup_store
from mooring.engine.backup.work import work_folder
from mooring.engine.marks import check_ours, observe_one
from mooring.engine.report import Reporter
from mooring.engine.repository.ports import Cut
from mooring.engine.server import NOT_INTO_THIS_DATABASE, open_session
from mooring.engine.tree import remove_tree
from mooring.engine.volume import Volume, locked_volume

_TIME = "%Y-%m-%dT%H:%M:%SZ"


def ensure_backup(document: Backup, report: Reporter) -> BackupResult:
    """The task. Safe to repeat: each whole run makes one snapshot.

    Raises:
        LockHeld: another task works on the instance's data.
        DatabaseForeign, FilestoreForeign: the data is another instance's.
        DumpFailed, DumpBlocked, ScratchTooSmall, FilesChanging: there is no snapshot; says why.
        MooringError: PostgreSQL, the volume or the repository cannot be used.
    """
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        stack.enter_context(locked_instance(document, document.instance.id, report))
        volume = _volume(document)
        if volume is not None:
            stack.enter_context(
                locked_volume(volume, report, instance=document.instance.id, fence=document.fence, task=document.TASK)
            )
        work = stack.enter_context(work_folder(Path(document.scratch)))
        report.progress("open the repository")
        store = stack.enter_context(open_backup_store(document.repository, document.instance))
        latest = store.latest()
        moment = _moment(after=latest.time if latest else "")
        aside = make_aside(volume, document.fence) if volume else None
        try:
            read = Source(
                document=document,
                store=store,
                before=latest.filestore if latest else None,
                root=volume.current if volume else None,
                aside=aside,
                work=work,
                report=report,
            ).read()
            report.progress("add-ons")
            addons, files = _addons(document, store), _files(document, store)
        finally:
            if aside is not None:
                remove_tree(aside)
        report.progress("write the manifest")
        identity = str(uuid.uuid4())
        done: list[SnapshotManifest] = []

        def render(sizes: SnapshotSizes) -> SnapshotManifest:
            duration_ms = int((time.monotonic() - begun) * 1000)
            manifest = SnapshotManifest(
                format=FORMAT,
                id=identity,
                time=moment,
                tool=__version__,
                instance=document.instance,
                release=document.release,
                series=document.series,
                state="Incomplete" if read.filestore and read.filestore.missing else "Complete",
                tags=document.tags,
                modules=read.facts.modules,
                addons=addons,
                files=files,
                sizes=sizes,
                duration_ms=duration_ms,
                database=read.database,
                filestore=read.filestore,
            )
            done.append(manifest)
            return manifest

        snapshot = store.commit(render)
        return _result(snapshot, done[-1], read)


def _result(snapshot: str, manifest: SnapshotManifest, read: Read) -> BackupResult:
    filestore = manifest.filestore
    missing = filestore.missing if filestore else ()
    return BackupResult(
        snapshot=snapshot,
        time=manifest.time,
        state=manifest.state,
        sizes=manifest.sizes,
        duration_ms=manifest.duration_ms,
        layout=manifest.database.layout if manifest.database else None,
        attempts=read.attempts,
        files=filestore.count if filestore else 0,
        missing=len(missing),
        lost=sum(one.reason == "lost" for one in missing),
        external=sum(one.count for one in filestore.external) if filestore else 0,
    )


def _moment(*, after: str) -> str:
    """Now, in whole seconds; two snapshots of one second would have no order."""
    moment = datetime.now(UTC).strftime(_TIME)
    if moment == after:
        time.sleep(1)
        moment = datetime.now(UTC).strftime(_TIME)
    return moment


def _volume(document: Backup) -> Volume | None:
    if not document.with_filestore or document.data_dir is None:
        return None
    return Volume(Path(document.data_dir), document.database)


@contextmanager
def locked_instance(document: Backup | BackupArchive, instance: str, report: Reporter) -> Iterator[None]:
    """The instance's lock, in the maintenance database as every task's, else in the database itself.

    Raises:
        LockHeld: another task works on the instance's data.
        DatabaseForeign: the database is another instance's, or not its current one.
    """
    report.progress("connect")
    try:
        keeper = open_session(document.connection, task=document.TASK)
    except NOT_INTO_THIS_DATABASE:
        keeper = open_session(document.connection, task=document.TASK, database=document.database)
    with keeper:
        report.progress("lock")
        keeper.lock(lock_key(instance), wait_s=document.fence.wait_s)
        found = observe_one(keeper, document.database)
        if found is not None and found.mark is not None:
            check_ours(found, instance, role="current")
        yield


def make_aside(volume: Volume, fence: Fence) -> Path:
    """Our folder on the volume for files that are linked aside; what killed backups left there is removed.

    Args:
        volume: with its lock.
        fence: of this operation.
    """
    for left in volume.home.glob("backup-*"):
        remove_tree(left)
    return volume.home / f"backup-{fence.operation}"


def _addons(document: Backup, store: BackupStore) -> tuple[NamedStream, ...]:
    return tuple(
        NamedStream(folder.name, store.write(pack_folder(Path(folder.path)), cut=Cut.CONTENT))
        for folder in document.addons
    )


def _files(document: Backup, store: BackupStore) -> tuple[NamedStream, ...]:
    found: list[NamedStream] = []
    if document.odoo_conf_file is not None:
        text = read_conf(Path(document.odoo_conf_file))
        found.append(NamedStream("odoo.conf", store.write((text,), cut=Cut.FIXED)))
    if document.instance_manifest is not None:
        text = document.instance_manifest.encode()
        found.append(NamedStream("instance.json", store.write((text,), cut=Cut.FIXED)))
    return tuple(found)
