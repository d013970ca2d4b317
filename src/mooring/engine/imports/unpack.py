# SPDX-License-Identifier: Apache-2.0
"""Unpacks an archive into a folder of our own: the dump as `dump`, attachments below `filestore/`. Zip, tar, folder, dump.

Nothing of an archive decides where something is written: names are checked, files are made anew below folders that were
made here, links and devices are never made. Called by `receive`, under the volume's lock.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol, cast

from mooring.domain.work.import_errors import ArchiveRefused, ArchiveUnfit, ArchiveUnreadable
from mooring.engine.imports.budget import Budget
from mooring.engine.imports.members import Names, Part, addon_of, decide_stack_part, decide_stored, decide_zip_part
from mooring.engine.report import Reporter
from mooring.engine.tree import remove_tree, rename

_PIECE_BYTES = 1 << 20
_SMALL_BYTES = 16 << 20
_MOST_STORES = 64
_SAY_EVERY = 500
_KNOWN_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, NotImplementedError)


class Readable(Protocol):
    """Something to read from its beginning to its end."""

    def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes."""
        ...


@dataclass
class Unpacker:
    """Takes one archive in.

    Attributes:
        home: an empty folder of ours.
        budget: what may come out of it.
    """

    home: Path
    budget: Budget
    report: Reporter
    files: int = 0
    file_bytes: int = 0
    altered: int = 0
    skipped: int = 0
    dumps: int = 0
    manifest: dict[str, Any] = field(default_factory=dict)
    info: dict[str, str] = field(default_factory=dict)
    addons: set[str] = field(default_factory=set)
    stores: set[str] = field(default_factory=set)

    @property
    def dump(self) -> Path:
        """Where the dump is put."""
        return self.home / "dump"

    def take_zip(self, path: Path) -> None:
        """Odoo's own zip.

        Raises:
            ArchiveRefused, ArchiveUnreadable, NotEnoughSpace: see their texts.
        """
        with readable_or_refused(path.name), zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if sum(entry.compress_size for entry in entries) > self.budget.packed:
                raise ArchiveRefused("Entries of the archive lie over one another.")
            Budget(self.budget.packed, self.budget.room).take(sum(entry.file_size for entry in entries))
            names = Names()
            for entry in entries:
                self.budget.enter()
                name = names.check(entry.orig_filename)
                kind = stat.S_IFMT(entry.external_attr >> 16)
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise ArchiveRefused("The archive holds a link or a device.", details=repr(name))
                if entry.flag_bits & 1:
                    raise ArchiveUnreadable("The archive is encrypted.")
                if entry.compress_type not in _KNOWN_METHODS:
                    raise ArchiveUnreadable(f"The archive is packed by method {entry.compress_type}; Odoo's are not.")
                if entry.is_dir():
                    continue
                part, inner = decide_zip_part(name)
                with archive.open(entry) as stream:
                    self._take(part, inner, stream)

    def take_tar(self, path: Path, *, packed: bool) -> None:
        """A compose stack's archive: a dump, `filestore.tar.gz`, `addons.tar.gz`, `backup.info`.

        Raises:
            ArchiveRefused, ArchiveUnreadable, NotEnoughSpace: see their texts.
        """
        with readable_or_refused(path.name), path.open("rb") as file:
            self._take_members(cast("Readable", gzip.GzipFile(fileobj=file)) if packed else file, "outer")

    def take_dump(self, path: Path, *, packed: bool) -> None:
        """A dump alone, perhaps packed by gzip."""
        with readable_or_refused(path.name), path.open("rb") as file:
            self._take(Part.DUMP, path.name, cast("Readable", gzip.GzipFile(fileobj=file)) if packed else file)

    def take_folder(self, path: Path) -> None:
        """A folder as click-odoo makes it; it is only read.

        Raises:
            ArchiveRefused: it holds a link or a device.
        """
        for name, inner in _walk(path):
            self.budget.enter()
            part, known = decide_zip_part(name)
            with _open(inner) as stream:
                self._take(part, known, stream)

    def take_filestore(self, path: Path) -> None:
        """A folder of attachments: a database's own, or one that has it below `filestore/DATABASE`."""
        self.stores.add("")
        for name, inner in _walk(path):
            self.budget.enter()
            part, known = decide_stored(name)
            with _open(inner) as stream:
                self._take(part, known, stream)

    def settle_stores(self) -> None:
        """Let the one filestore be `filestore`, where the archive had them by database.

        Raises:
            ArchiveUnfit: there are several, and nothing says which it is.
        """
        folder = self.home / "stores"
        found = sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []
        if not found:
            return
        wanted = self.info.get("database", "")
        chosen = wanted if wanted in found else found[0] if len(found) == 1 else None
        if chosen is None or (self.home / "filestore").exists():
            raise ArchiveUnfit(f"The archive has the filestores of several databases: {', '.join(found[:5])}.")
        rename(folder / chosen, self.home / "filestore")
        remove_tree(folder)

    def _take_members(self, stream: Readable, which: str) -> None:
        """The members of a tar; `which` is `outer`, `filestore` or `addons`."""
        names = Names()
        counted = _Counted(stream, self.budget)
        with tarfile.open(fileobj=cast("IO[bytes]", counted), mode="r|") as archive:
            for member in archive:
                self.budget.enter()
                archive.members = []  # type: ignore[attr-defined]  # kept for links, which are never followed
                name = names.check(member.name)
                plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
                if not plain and not member.isdir() and which != "addons":
                    raise ArchiveRefused("The archive holds a link, a device or a file with holes.", details=repr(name))
                if not plain:
                    self.skipped += not member.isdir()
                    continue
                if which == "addons":
                    self.addons.update(filter(None, (addon_of(name),)))
                    self.skipped += 1
                    continue
                part, inner = decide_stack_part(name) if which == "outer" else decide_stored(name)
                content = archive.extractfile(member)
                if content is None:
                    continue
                if part is Part.INNER:
                    packed = name.endswith(".gz")
                    self._take_members(cast("Readable", gzip.GzipFile(fileobj=content)) if packed else content, inner)
                else:
                    self._take(part, inner, content)
        # What follows the last member: the checksum of the whole comes at its end.
        while counted.read(_PIECE_BYTES):
            continue
        if which == "filestore":
            self.stores.add("")

    def _take(self, part: Part, name: str, stream: Readable) -> None:
        match part:
            case Part.DUMP:
                self.dumps += 1
                if self.dumps > 1:
                    raise ArchiveRefused("The archive holds more than one dump.")
                packed = name.endswith(".gz") and not isinstance(stream, gzip.GzipFile)
                self._write(
                    self.dump, cast("Readable", gzip.GzipFile(fileobj=cast("Any", stream))) if packed else stream
                )
            case Part.MANIFEST:
                self.manifest = _json(self._small(stream))
            case Part.INFO:
                self.info = _info(self._small(stream))
            case Part.FILE:
                self.stores.add("")
                self._take_file(self.home / "filestore" / name, stream)
            case Part.STORED:
                self.stores.add(name.partition("/")[0])
                if len(self.stores) > _MOST_STORES:
                    raise ArchiveRefused("The archive has the filestores of very many databases.")
                self._take_file(self.home / "stores" / name, stream)
            case _:
                self.skipped += 1

    def _take_file(self, target: Path, stream: Readable) -> None:
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        digest = hashlib.sha1(usedforsecurity=False)
        size = self._write(target, stream, digest=digest, mode=0o644)
        self.altered += digest.hexdigest() != target.name
        self.files += 1
        self.file_bytes += size
        if self.files % _SAY_EVERY == 0:
            self.report.progress("unpack", self.files)

    def _write(self, target: Path, stream: Readable, *, digest: Any = None, mode: int = 0o600) -> int:
        size = 0
        try:
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        except FileExistsError:
            raise ArchiveRefused("The archive has the same file twice, by two paths.", details=target.name) from None
        with os.fdopen(handle, "wb") as file:
            while piece := stream.read(_PIECE_BYTES):
                self.budget.take(len(piece))
                size += file.write(piece)
                if digest is not None:
                    digest.update(piece)
        return size

    def _small(self, stream: Readable) -> bytes:
        data = stream.read(_SMALL_BYTES + 1)
        self.budget.take(len(data))
        if len(data) > _SMALL_BYTES:
            raise ArchiveRefused("A description in the archive is larger than any can be.")
        return data


class _Counted:
    """A stream that is counted while it is read; in a tar a header may ask for any size."""

    def __init__(self, stream: Readable, budget: Budget) -> None:
        self._stream, self._budget = stream, Budget(budget.packed, None)

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        self._budget.take(len(data))
        return data


@contextmanager
def readable_or_refused(name: str) -> Iterator[None]:
    """Whatever the readers of archives raise for a broken one, as our own error.

    Raises:
        ArchiveUnreadable: the archive is broken or ends too early.
    """
    try:
        yield
    except _BROKEN as fault:
        raise ArchiveUnreadable(
            f"{name} cannot be read to its end: it is broken, or not whole.", details=str(fault)
        ) from None
    except (RecursionError, UnicodeError, ValueError, OverflowError) as fault:
        raise ArchiveUnreadable(
            f"{name} is no archive of a kind that is known.", details=type(fault).__name__
        ) from None


def _walk(root: Path) -> Iterator[tuple[str, Path]]:
    """Every regular file below a folder, by its name there, sorted.

    Raises:
        ArchiveRefused: there is something else than files and folders.
    """
    names = Names()
    folders = [root]
    while folders:
        folder = folders.pop()
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                name = names.check(str(Path(entry.path).relative_to(root)))
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    yield name, Path(entry.path)
                else:
                    raise ArchiveRefused("The folder holds a link or a device.", details=repr(name))


@contextmanager
def _open(path: Path) -> Iterator[Readable]:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        yield file


def _json(data: bytes) -> dict[str, Any]:
    value = json.loads(data)
    if not isinstance(value, dict):
        raise ArchiveUnreadable("The archive's manifest.json is none of Odoo's.")
    return value


def _info(data: bytes) -> dict[str, str]:
    """`key: value` or `key=value` lines; anything else is for people."""
    found: dict[str, str] = {}
    for line in data.decode(errors="replace").splitlines()[:1000]:
        for mark in (":", "="):
            key, gap, value = line.partition(mark)
            if gap and value.strip():
                found.setdefault(key.strip().lower().replace(" ", "_"), value.strip())
                break
    if "database" not in found:
        found["database"] = found.get("db", found.get("database_name", found.get("postgres_db", "")))
    return found
