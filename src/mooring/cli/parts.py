# SPDX-License-Identifier: Apache-2.0
"""Parts of a snapshot, given to a person without any restore: `restore --attachment|--path|--table`, `snapshots show`."""

from __future__ import annotations

import os
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, cast

from mooring.cli.errors import BadRequest
from mooring.cli.options import Options
from mooring.cli.outlet import STANDARD_OUTPUT, check_outlet, open_outlet
from mooring.drivers.files import file_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mooring.cli.context import App
    from mooring.control.once import Sink
    from mooring.domain.work.parts import Kind

OUTPUT = "/tmp/part"  # noqa: S108 - a container's own /tmp
SCRATCH = "/tmp/mooring"  # noqa: S108 - a container's own /tmp


def take_part(
    options: Options, name: str, *, repository: str | None, snapshot: str, kind: Kind, what: str, to: str
) -> int:
    """Write a part of a snapshot of the instance `name` to a file, a folder or standard output.

    Args:
        kind: `attachment`, `path` or `table`.
        what: id, pattern, or table.
        to: with a pattern a folder (or `-`, then a tar); else a file, a folder or `-`.
    """
    from mooring.cli.context import run

    folder = Path(to).is_dir()
    if kind == "path" and to != STANDARD_OUTPUT and not folder:
        raise BadRequest(
            f"{to} is no folder.", resolution="--path may name many files: give --to an existing folder, or -."
        )
    if not folder:
        check_outlet(to, binary=kind != "table")

    async def work(app: App) -> None:
        where = await _repository_of(app, name, repository)
        with tempfile.TemporaryFile() as held:
            # A file gets its name from what came, and a failed task leaves nothing on standard output.
            result = await _ask(app, where, kind=kind, what=what, snapshot=snapshot, instance=name, sink=held.write)
            held.seek(0)
            said = _deliver(kind, what, result, cast("IO[bytes]", held), to)
        app.progress.line(said)
        app.progress.close()

    run(options, work)
    return 0


async def read_list(
    app: App, where: str, *, snapshot: str, instance: str | None
) -> tuple[Mapping[str, Any], list[str]]:
    """A snapshot's row, and the lines `SIZE NAME` of what is in it."""
    pieces: list[bytes] = []
    result = await _ask(app, where, kind="list", what="", snapshot=snapshot, instance=instance, sink=pieces.append)
    return result, b"".join(pieces).decode().splitlines()


async def _ask(
    app: App, where: str, *, kind: Kind, what: str, snapshot: str, instance: str | None, sink: Sink
) -> Mapping[str, Any]:
    from mooring.control.repositories import find_repository
    from mooring.control.repository_tasks import run_repository_task
    from mooring.domain.work.parts import SnapshotPart

    services = await app.services()
    access = await find_repository(services, app.options.place, where)
    document = SnapshotPart(
        access.settings(), kind=kind, output=OUTPUT, scratch=SCRATCH, instance=instance, snapshot=snapshot, what=what
    )
    return await run_repository_task(services, access, document, timeout_s=app.options.timeout_s, read=(OUTPUT, sink))


async def _repository_of(app: App, name: str, repository: str | None) -> str:
    from mooring.cli.names import find_instance, spec_of_document
    from mooring.domain.operations.errors import RepositoryNotNamed

    if repository is not None:
        return repository
    doc = await find_instance(app, name)
    where = spec_of_document(doc).backup.repository
    if where is None:
        raise RepositoryNotNamed(f"{doc.ref} names no backup repository.")
    return where


def _deliver(kind: Kind, what: str, result: Mapping[str, Any], held: IO[bytes], to: str) -> str:
    count, size = result["count"], result["sizeBytes"] / (1 << 20)
    if kind == "path" and to != STANDARD_OUTPUT:
        _unpack(held, Path(to))
        return f"{count} file(s) are in {to}."
    target = to
    if to != STANDARD_OUTPUT and Path(to).is_dir():
        plain = PurePosixPath(str(result["name"] or f"{what}.csv").replace("\\", "/")).name
        safe = "".join(one for one in plain if one.isprintable()).lstrip(".") or what
        target = str(Path(to) / safe[:200])
    with open_outlet(target) as file:
        while piece := held.read(1 << 20):
            file.write(piece)
    words = f"{count} rows" if kind == "table" else f"{size:.1f} MiB"
    return f"{'Standard output' if to == STANDARD_OUTPUT else target}: {words}."


def _unpack(held: IO[bytes], folder: Path) -> None:
    """The files of our own tar, below an existing folder; names lead nowhere else, and what is there is not replaced."""
    with file_errors(folder), tarfile.open(fileobj=held, mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            parts = PurePosixPath(member.name).parts
            if content is None or ".." in parts or member.name.startswith("/"):
                raise BadRequest(f"{member.name!r} is no file of a snapshot.")
            target = folder.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "wb") as file:
                while piece := content.read(1 << 20):
                    file.write(piece)
