# SPDX-License-Identifier: Apache-2.0
"""The task `filestore-restore`: a snapshot's files, beside the instance's own, compared with the snapshot and the database.

They are gathered in our own folder of the volume and get the name of the restored database's filestore when all of them are
there and on disk: what has the name is whole. What the instance has already is linked, not fetched. Each file that has its
SHA-1 as its name is compared with it, wherever it came from.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path

from mooring.domain.repository.manifest import SnapshotFilestore, StreamRef
from mooring.domain.work.backup_errors import RestoreIncomplete, SnapshotUnfit
from mooring.domain.work.names import beside
from mooring.domain.work.restore import FilestoreRestore, FilestoreRestoreResult
from mooring.engine.backup.exported import is_nameable, stream_names
from mooring.engine.backup.lists import read_files, ref_of
from mooring.engine.backup.store import open_restore_store
from mooring.engine.building_folder import BuildingFolder, is_sound, sha1_of_name
from mooring.engine.filestore import is_folder
from mooring.engine.report import Reporter
from mooring.engine.repository.ports import Group, ManyReader, StreamReader
from mooring.engine.server import open_session
from mooring.engine.tree import remove_tree, rename, sync_all, write_file
from mooring.engine.volume import Volume, locked_volume

# Names that are worked on at once: enough that what lies together in packs is found, little in memory.
_WINDOW = 16_384
_LOT = 128
_SAY_EVERY = 500
_SHOWN = 20


def ensure_restored(document: FilestoreRestore, report: Reporter) -> FilestoreRestoreResult:
    """The task. Safe to repeat: a whole one of the same operation is kept, an incomplete one gone on with.

    Raises:
        SnapshotMissing, SnapshotUnfit: the snapshot cannot be restored here; nothing was changed.
        RestoreIncomplete: files are not as the snapshot says, or the database names others; names them.
        MooringError: see `locked_volume`; the repository or PostgreSQL cannot be used.
    """
    begun = time.monotonic()
    volume = Volume(Path(document.data_dir), document.database)
    with locked_volume(volume, report, instance=document.instance, fence=document.fence, task=document.TASK):
        name = beside(document.instance, role="building", operation=document.fence.operation)
        target = volume.current.parent / name
        report.progress("open the repository")
        with open_restore_store(document.repository, document.source) as store:
            filestore = store.manifest.filestore
            if filestore is None:
                raise SnapshotUnfit(f"The snapshot {store.manifest.id} holds no filestore.")
            folder = volume.copy("building", document.fence.operation)
            home = folder.with_name(f"{folder.name}.building")
            building = FilesRestore(store, volume, filestore, home, document.jobs, report)
            kept = is_folder(target)
            if not kept:
                building.fetch(fresh=_take_up(home, store.manifest.id))
                compare(document, store, filestore, name, report)
                sync_all(home)
                volume.current.parent.mkdir(mode=0o755, exist_ok=True)
                rename(home / "filestore", target)
            remove_tree(home)
            return FilestoreRestoreResult(
                folder=str(target.relative_to(volume.data)),
                kept=kept,
                snapshot=store.manifest.id.replace("-", ""),
                files=filestore.count,
                linked=building.linked,
                fetched=building.fetched,
                bytes=filestore.size_bytes,
                missing=filestore.missing,
                duration_ms=int((time.monotonic() - begun) * 1000),
            )


def _take_up(home: Path, snapshot: str) -> bool:
    """Go on with what an earlier run left, if it was of the same snapshot; True where there is nothing to go on with."""
    said = home / "snapshot"
    if said.is_file() and said.read_text(encoding="utf-8") == snapshot:
        return False
    remove_tree(home)
    home.mkdir(mode=0o700)
    write_file(said, snapshot)
    return True


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A file of the snapshot: its name, its content, and whether that is what its name says."""

    name: str
    ref: StreamRef
    whole: bool

    @property
    def sha1(self) -> str | None:
        """What the content has to have, where the name says it."""
        return sha1_of_name(self.name) if self.whole else None


@dataclass
class FilesRestore:
    """Gathers the files of a snapshot.

    Attributes:
        reader: the repository.
        volume: with its lock.
        filestore: the manifest's part.
        home: our folder: `filestore/` is what will be whole. A kill may leave a part of a file in it: what is there is read
            again before it counts.
        jobs: files that are worked on side by side.
        linked: files that the instance had.
        fetched: files that came from the repository.
    """

    reader: ManyReader
    volume: Volume
    filestore: SnapshotFilestore
    home: Path
    jobs: int
    report: Reporter
    linked: int = 0
    fetched: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._folder = BuildingFolder(self.volume, self.home)
        self._fresh = False

    def fetch(self, *, fresh: bool) -> None:
        """Have every file of the list, and those whose true content the snapshot holds.

        Args:
            fresh: no earlier run left anything in the folder.

        Raises:
            RestoreIncomplete: a file is not what its name says.
            SnapshotUnfit: the list holds a name that leads elsewhere.
            OSError: the volume refuses something.
        """
        self._fresh = fresh
        self._folder.begin()
        total = self.filestore.count
        done = 0
        for more in self._all():
            if (done + more) // _SAY_EVERY > done // _SAY_EVERY:
                self.report.progress("files", done + more, total)
            done += more
        self.report.progress("files", done, total)
        listed = done - sum(one.stream is not None for one in self.filestore.missing)
        if listed != total:
            raise RestoreIncomplete(f"The snapshot's list has {listed} files, its manifest says {total}.")

    def _all(self) -> Iterator[int]:
        """Have the files, some thousands at a time: how many more are there now, again and again."""
        sound = ((name.decode(), ref_of(rest), True) for name, rest in read_files(self.reader, self.filestore))
        broken = ((one.name, one.stream, False) for one in self.filestore.missing if one.stream is not None)
        listed = (_Wanted(*one) for one in chain(sound, broken))
        with ThreadPoolExecutor(self.jobs, "files") as pool:
            try:
                while window := list(islice(listed, _WINDOW)):
                    for one in window:
                        if not is_nameable(one.name):
                            raise SnapshotUnfit(f"The snapshot names a file {one.name!r}, which leads elsewhere.")
                    yield from self._window(pool, window)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _window(self, pool: ThreadPoolExecutor, window: list[_Wanted]) -> Iterator[int]:
        lots = [window[begin : begin + _LOT] for begin in range(0, len(window), _LOT)]
        fresh: list[_Wanted] = []
        for lot, lacking in zip(lots, pool.map(self._look, lots), strict=True):
            fresh += lacking
            yield len(lot) - len(lacking)
        groups, alone = self.reader.group([one.ref for one in fresh], hashed=all(one.sha1 for one in fresh))
        work: list[Callable[[], int]] = [partial(self._fetch_group, group, fresh) for group in groups]
        work += [partial(self._fetch_alone, fresh[position]) for position in alone]
        waiting = [pool.submit(one) for one in work]
        for future in waiting:
            yield future.result()

    def _look(self, lot: list[_Wanted]) -> list[_Wanted]:
        """Link what the instance has; the files that it has not."""
        return [one for one in lot if not self._has(one)]

    def _has(self, one: _Wanted) -> bool:
        folder, wanted = self._folder, one.sha1
        if not self._fresh:
            if wanted and is_sound(folder.whole / one.name, one.ref.size, wanted):
                return True
            folder.clear(one.name)
        if not wanted or not is_sound(folder.current / one.name, one.ref.size, wanted):
            return False
        folder.link(one.name)
        with self._lock:
            self.linked += 1
        return True

    def _fetch_group(self, group: Group, fresh: list[_Wanted]) -> int:
        done = 0
        for position, content in group():
            self._write(fresh[position], (content,))
            done += 1
        return done

    def _fetch_alone(self, one: _Wanted) -> int:
        self._write(one, self.reader.read(one.ref))
        return 1

    def _write(self, one: _Wanted, pieces: Iterable[bytes]) -> None:
        place = self._folder.place(one.name)
        digest = hashlib.sha1(usedforsecurity=False)
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        try:
            for piece in pieces:
                digest.update(piece)
                view = memoryview(piece)
                while view:
                    view = view[os.write(handle, view) :]
            if self._folder.owner:
                os.fchown(handle, *self._folder.owner)
        finally:
            os.close(handle)
        if one.sha1 and digest.hexdigest() != one.sha1:
            raise RestoreIncomplete(f"The snapshot's content of {one.name} is not what its name says.")
        with self._lock:
            self.fetched += 1


def compare(
    document: FilestoreRestore, reader: StreamReader, filestore: SnapshotFilestore, name: str, report: Reporter
) -> None:
    """Every file that the restored database names is in the snapshot, or is known to have been missing."""
    if document.connection is None:
        return
    report.progress("compare with the database")
    missing = {one.name for one in filestore.missing}
    lacking: list[str] = []
    with open_session(document.connection, task=document.TASK, database=name) as session, session.transaction():
        listed = (entry.decode() for entry, _ in read_files(reader, filestore))
        lacking = _not_in((wanted for wanted, _ in stream_names(session)), listed, missing)
    if lacking:
        raise RestoreIncomplete(
            f"The database names {len(lacking)} files that the snapshot does not have.",
            details="\n".join(lacking[:_SHOWN]),
        )


def _not_in(wanted: Iterable[str], listed: Iterator[str], missing: set[str]) -> list[str]:
    """Names that are neither listed nor missing; both come in byte order."""
    lacking: list[str] = []
    have = next(listed, None)
    for name in wanted:
        while have is not None and have.encode() < name.encode():
            have = next(listed, None)
        if have != name and name not in missing:
            lacking.append(name)
    return lacking
