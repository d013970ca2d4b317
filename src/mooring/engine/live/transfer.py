# SPDX-License-Identifier: Apache-2.0
"""Puts what `pg_dump` writes into the new database: from its folder, side by side, or as it comes, through a pipe.

Used by the task `database-copy` only; it never reads the source itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from mooring.drivers.postgres_programs import Client, observe_clients
from mooring.engine.backup.dump import TOC, read_items
from mooring.engine.backup.toc import TocItem, decide_reader, render_list
from mooring.engine.restore.program import Verdict, choose_reader, restore_argv, run_folder, run_stream

_HEAD_BYTES = 16 << 20
_MAGIC_BYTES = 64


@dataclass(frozen=True)
class Transfer:
    """Where a dump goes.

    Attributes:
        conninfo: the new database, as the role that everything in it will belong to.
        server_major: its server's.
        schemas: those that exist already.
        jobs: sessions side by side, from a folder.
        work: folder for temporary files.
        said: called with the bytes that went in.
    """

    conninfo: str
    server_major: int
    schemas: frozenset[str]
    jobs: int
    work: Path
    said: Callable[[int], None]

    def take(self, pieces: Iterator[bytes]) -> None:
        """Restore an archive as it comes.

        Raises:
            RestoreFailed: pg_restore met an error.
            RestoreIncomplete: it did not take everything.
            DumpFailed, DumpAgain: getting the pieces failed.
        """
        head = bytearray()
        for piece in pieces:
            head += piece
            if len(head) >= _HEAD_BYTES:
                break
        first = bytes(head)
        client = self._client(first)
        verdict, argv = self._command(client, read_items(client, head=first))
        run_stream(argv, verdict, chain((first,), pieces), self.said)

    def restore_folder(self, folder: Path) -> None:
        """Restore a dump's folder.

        Raises:
            RestoreFailed: pg_restore met an error.
        """
        with (folder / TOC).open("rb") as file:
            client = self._client(file.read(_MAGIC_BYTES))
        verdict, argv = self._command(client, read_items(client, folder=str(folder)))
        run_folder((*argv, f"--jobs={self.jobs}", str(folder)), verdict)

    def _client(self, head: bytes) -> Client:
        return choose_reader(observe_clients(), archive=decide_reader(head), server_major=self.server_major)

    def _command(self, client: Client, items: tuple[TocItem, ...]) -> tuple[Verdict, list[str]]:
        chosen = self.work / "restore.list"
        chosen.write_text(render_list(items, schemas=self.schemas), encoding="utf-8")
        verdict = Verdict(tolerant=client.major >= 17 and self.server_major < 17)
        return verdict, restore_argv(client, self.conninfo, chosen=chosen, tolerant=verdict.tolerant)
