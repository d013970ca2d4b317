# SPDX-License-Identifier: Apache-2.0
"""What a snapshot consists of: every stream that its manifest names, those of its files included, and every blob of them.

Called by sessions (what a prune must not take from them), prunes (what is in use) and checks (what is hurt). What a base list
names counts as in use as long as the base is, also where the difference takes it away again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mooring.domain.repository.manifest import SnapshotManifest, StreamRef
from mooring.engine.repository.errors import ObjectDamaged
from mooring.engine.repository.reader import PackReader


def named_streams(manifest: SnapshotManifest) -> Iterator[tuple[str, StreamRef]]:
    """The streams that the manifest itself names, with words for people."""
    if manifest.database is not None:
        yield f"database {manifest.database.name}, toc", manifest.database.toc
        for entry in manifest.database.entries:
            yield f"database {manifest.database.name}, {entry.file}", entry.stream
    for addon in manifest.addons:
        yield f"add-ons {addon.name}", addon.stream
    for file in manifest.files:
        yield file.name, file.stream
    if manifest.filestore is not None:
        yield "list of files", manifest.filestore.list
        if manifest.filestore.base is not None:
            yield "base list of files", manifest.filestore.base
        for missing in manifest.filestore.missing:
            if missing.stream is not None:
                yield f"file {missing.name} ({missing.reason})", missing.stream


def listed_files(reader: PackReader, ref: StreamRef) -> Iterator[tuple[str, StreamRef]]:
    """The files that a list, or a difference, names as being there.

    Raises:
        ObjectDamaged: it is no list.
    """
    rest = b""
    for piece in reader.read(ref):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"-"):
                continue
            try:
                name, size, depth, blob = line.removeprefix(b"+").split(b" ")
                yield name.decode(), StreamRef(int(size), int(depth), blob.decode("ascii"))
            except ValueError:
                raise ObjectDamaged(f"List {ref.id} has a line that is none.") from None
    if rest:
        raise ObjectDamaged(f"List {ref.id} ends within a line.")


def all_streams(reader: PackReader, manifest: SnapshotManifest) -> Iterator[tuple[str, StreamRef]]:
    """The streams that the manifest names, and those of its files."""
    yield from named_streams(manifest)
    filestore = manifest.filestore
    if filestore is not None:
        for ref in (filestore.base, filestore.list):
            if ref is not None:
                yield from listed_files(reader, ref)


def walk_snapshot(
    reader: PackReader,
    manifest: SnapshotManifest,
    visit: Callable[[bytes, int], bool],
    *,
    done: set[StreamRef] | None = None,
) -> None:
    """Call `visit(blob id, depth)` for every blob of a snapshot; see `PackReader.walk`.

    Args:
        reader: of the snapshot's scope.
        manifest: the snapshot's.
        visit: False leaves out what a list names.
        done: streams, and lists of files, that were walked for an earlier snapshot are left out, and those of this one added.

    Raises:
        ObjectDamaged: a list is not what was written.
        BlobMissing: the repository does not have a list.
        ObjectMissing: the repository does not have its pack.
    """
    seen = set() if done is None else done
    for _, ref in named_streams(manifest):
        if ref not in seen:
            reader.walk(ref, visit)
            seen.add(ref)
    filestore = manifest.filestore
    if filestore is None:
        return
    for listing in (filestore.base, filestore.list):
        # A stream is told from the files that it lists by its depth.
        if listing is None or (files := StreamRef(listing.size, -1, listing.id)) in seen:
            continue
        for _, ref in listed_files(reader, listing):
            if ref.depth:
                reader.walk(ref, visit)
            else:
                visit(bytes.fromhex(ref.id), 0)
        seen.add(files)
