# SPDX-License-Identifier: Apache-2.0
"""The task `archive-receive`: gets an archive, checks it, and unpacks it into our own folder on the instance's volume.

Nothing is built before all of it was read, and what does not fit this instance by its own words is refused here. Then
`dump` and `filestore/` lie in `.mooring/building-OP.building`, with `received.json` written last.
"""

from __future__ import annotations

import gzip
import json
import re
import tarfile
from pathlib import Path

from mooring.domain.work.import_errors import ArchiveRefused, ArchiveUnfit, ArchiveUnreadable
from mooring.domain.work.imports import ArchiveReceive, ArchiveReceived, Kind, Layout
from mooring.engine.filestore import is_folder
from mooring.engine.imports.budget import Budget, free_room
from mooring.engine.imports.fetch import fetch
from mooring.engine.imports.unpack import Unpacker, readable_or_refused
from mooring.engine.report import Reporter
from mooring.engine.tree import remove_tree, sync_all, write_file
from mooring.engine.volume import Volume, locked_volume

RECEIVED = "received.json"
DUMP = "dump"
_HEAD_BYTES = 64 << 10
_TAR_MAGIC = slice(257, 262)
_GZIP = b"\x1f\x8b"
_CUSTOM = b"PGDMP"
_VERSION = re.compile(rb"Dumped from database version:? (\d+)")
_SERIES = re.compile(r"(?:saas[~-])?\d+\.\d+")


def received_folder(volume: Volume, operation: str) -> Path:
    """Where an operation's archive is unpacked."""
    copy = volume.copy("building", operation)
    return copy.with_name(f"{copy.name}.building")


def load_received(folder: Path) -> ArchiveReceived | None:
    """What was received there; None where that did not come to its end."""
    path = folder / RECEIVED
    return ArchiveReceived.from_json(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def ensure_received(document: ArchiveReceive, report: Reporter) -> ArchiveReceived:
    """The task. Safe to repeat: what was received to its end is kept, else it is got anew.

    Raises:
        ArchiveUnreadable, ArchiveRefused, ArchiveUnfit, ArchiveUnreachable, ManagerRefused: see their texts.
        NotEnoughSpace: it needs more than there is.
        MooringError: see `locked_volume`.
    """
    volume = Volume(Path(document.data_dir), document.database)
    with locked_volume(volume, report, instance=document.instance, fence=document.fence, task=document.TASK):
        home = received_folder(volume, document.fence.operation)
        if (found := load_received(home)) is not None:
            return found
        remove_tree(home)
        home.mkdir(mode=0o700)
        source = document.source
        given = home / "archive" if source.path is None else Path(source.path)
        if source.path is None:
            fetch(source, given, room=free_room(home), report=report)
        filestore = Path(source.filestore) if source.filestore is not None else None
        report.progress("unpack")
        found = _unpack(given, filestore, home, report)
        if found.series and found.series != document.series:
            raise ArchiveUnfit(
                f"The archive is of Odoo {found.series}, and the instance's release is Odoo {document.series}.",
                resolution="Use a release of the archive's series; `-u` cannot move it to another one.",
            )
        if source.path is None:
            given.unlink()
        (home / "filestore").mkdir(mode=0o755, exist_ok=True)
        sync_all(home)
        write_file(home / RECEIVED, json.dumps(found.to_json()))
        return found


def _unpack(given: Path, filestore: Path | None, home: Path, report: Reporter) -> ArchiveReceived:
    size = given.stat().st_size if given.is_file() else sum(one.lstat().st_size for one in given.rglob("*"))
    size += sum(one.lstat().st_size for one in filestore.rglob("*")) if filestore is not None else 0
    unpacker = Unpacker(home, Budget(size, free_room(home)), report)
    kind = _take(unpacker, given)
    unpacker.settle_stores()
    if filestore is not None:
        if unpacker.stores:
            raise ArchiveUnfit("The archive has attachments of its own, and a folder of others was given with it.")
        unpacker.take_filestore(filestore)
        unpacker.settle_stores()
    if not unpacker.dumps:
        raise ArchiveUnfit("There is no dump of a database in the archive.")
    layout, server_major = _look(unpacker.dump)
    return ArchiveReceived(
        kind=kind,
        layout=layout,
        series=_series(unpacker),
        server_major=server_major,
        dump_bytes=unpacker.dump.stat().st_size,
        files=unpacker.files,
        bytes=unpacker.file_bytes,
        altered=unpacker.altered,
        filestore=bool(unpacker.stores) or kind in ("odoo-zip", "stack"),
        skipped=unpacker.skipped,
        addons=tuple(sorted(unpacker.addons)[:200]),
    )


def _take(unpacker: Unpacker, given: Path) -> Kind:
    if is_folder(given):
        unpacker.take_folder(given)
        if is_folder(given / "filestore"):
            unpacker.stores.add("")
        return "click-odoo"
    if not given.is_file() or given.is_symlink():
        raise ArchiveRefused("What was given is neither a file nor a folder.")
    with given.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        packed = head.startswith(_GZIP)
        if packed:
            file.seek(0)
            with readable_or_refused(given.name):
                head = gzip.GzipFile(fileobj=file).read(_HEAD_BYTES)
    if head.startswith(b"PK\x03\x04") and not packed:
        unpacker.take_zip(given)
        return "odoo-zip"
    if head[_TAR_MAGIC] == b"ustar" and not _is_dump(head):
        unpacker.take_tar(given, packed=packed)
        return "stack"
    if not _is_dump(head):
        raise ArchiveUnreadable(
            f"{given.name} is none of Odoo's zips, no dump of pg_dump's, and no archive of a compose stack."
        )
    unpacker.take_dump(given, packed=packed)
    return "dump"


def _is_dump(head: bytes) -> bool:
    """Whether a file that begins so is one of pg_dump's: custom, tar or plain."""
    if head.startswith(_CUSTOM) or (head[_TAR_MAGIC] == b"ustar" and head.startswith(b"toc.dat\0")):
        return True
    text = head.lstrip()
    return b"\0" not in head and (text.startswith((b"--", b"SET ", b"\\restrict ", b"BEGIN", b"CREATE ")))


def _look(dump: Path) -> tuple[Layout, int]:
    """How a dump was made, and by which major."""
    with dump.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not _is_dump(head):
        raise ArchiveUnreadable("The dump in the archive is none of pg_dump's.")
    found = _VERSION.search(head)
    major = int(found[1]) if found else 0
    if head.startswith(_CUSTOM):
        return "custom", _custom_major(head)
    return ("tar" if tarfile.is_tarfile(dump) else "plain"), major


def _custom_major(head: bytes) -> int:
    """The server's version is a text in the head of a custom dump: `15.6 (Debian 15.6-1)`, before pg_dump's own."""
    found = re.search(rb"\0\0\0(\d{1,2})\.\d+[^\0]{0,60}\0", head[:4096])
    return int(found[1]) if found else 0


def _series(unpacker: Unpacker) -> str:
    for key in ("major_version", "version"):
        said = unpacker.manifest.get(key)
        if isinstance(said, str) and (found := _SERIES.match(said)) is not None:
            return found[0]
    return ""


__all__ = ["DUMP", "ensure_received", "load_received", "received_folder"]
