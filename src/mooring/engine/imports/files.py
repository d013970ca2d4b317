# SPDX-License-Identifier: Apache-2.0
"""The task `filestore-load`: received attachments get the place of the loaded database's filestore, beside the instance's own.

They are compared with what the database names. What an archive lacks it lacked before: it is listed, and Odoo shows it as it
did there. A database that names attachments while no filestore came at all is a mistake, and refused.
"""

from __future__ import annotations

import os
from pathlib import Path

from mooring.domain.work.import_errors import AttachmentsLacking, LoadInterrupted
from mooring.domain.work.imports import ArchiveReceived, FilestoreLoad, FilestoreLoaded
from mooring.domain.work.names import beside
from mooring.engine.backup.exported import stream_names
from mooring.engine.filestore import is_folder
from mooring.engine.imports.receive import load_received, received_folder
from mooring.engine.report import Reporter
from mooring.engine.server import open_session
from mooring.engine.tree import remove_tree, rename, sync_all
from mooring.engine.volume import Volume, locked_volume

_SHOWN = 20


def ensure_loaded(document: FilestoreLoad, report: Reporter) -> FilestoreLoaded:
    """The task. Safe to repeat: what has its place already is kept.

    Raises:
        AttachmentsLacking: no filestore came with the archive, and the database names files.
        LoadInterrupted: the archive was not received to its end.
        MooringError: see `locked_volume`; PostgreSQL cannot be used.
    """
    volume = Volume(Path(document.data_dir), document.database)
    with locked_volume(volume, report, instance=document.instance, fence=document.fence, task=document.TASK):
        name = beside(document.instance, role="building", operation=document.fence.operation)
        home, target = received_folder(volume, document.fence.operation), volume.current.parent / name
        kept = is_folder(target)
        received = load_received(home)
        if received is None and not kept:
            raise LoadInterrupted("The archive was not received to its end.")
        store = target if kept else home / "filestore"
        report.progress("compare with the database")
        files, missing, named = _compare(document, name, store)
        if not kept and received is not None:
            _check_came(received, missing)
            _give(store, volume)
            sync_all(home)
            volume.current.parent.mkdir(mode=0o755, exist_ok=True)
            rename(store, target)
        remove_tree(home)
        return FilestoreLoaded(str(target.relative_to(volume.data)), kept, files, missing, named)


def _check_came(received: ArchiveReceived, missing: int) -> None:
    if missing and not received.filestore:
        raise AttachmentsLacking(f"The database names {missing} attachments, and the archive is of a database alone.")


def _compare(document: FilestoreLoad, name: str, store: Path) -> tuple[int, int, tuple[str, ...]]:
    """Files that the database names, how many of them are not there, and the first of these."""
    files = missing = 0
    shown: list[str] = []
    with open_session(document.connection, task=document.TASK, database=name) as session, session.transaction():
        for wanted, _ in stream_names(session):
            files += 1
            # A name that leads elsewhere is not looked for: nothing is there under it.
            if not (store / wanted).is_file() or ".." in wanted.split("/") or wanted.startswith("/"):
                missing += 1
                if len(shown) < _SHOWN:
                    shown.append(wanted)
    return files, missing, tuple(shown)


def _give(store: Path, volume: Volume) -> None:
    """All of it belongs to whom Odoo's folder belongs to, where this is not that user."""
    info = volume.data.stat()
    if os.geteuid() != 0 or info.st_uid == 0:
        return
    for folder, _, names in os.walk(store):
        os.chown(folder, info.st_uid, info.st_gid)
        for one in names:
            os.chown(Path(folder) / one, info.st_uid, info.st_gid, follow_symlinks=False)
