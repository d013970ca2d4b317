# SPDX-License-Identifier: Apache-2.0
"""Control as a command runs it: the wiring of its services, and a process of its own that a test may kill.

    python -m tests.conformance.controller FILE

FILE is JSON: {place, address, home, action: apply | drive, manifests: text, ref: [kind, namespace, name], kill}. `kill` is
{type, at} or null: the process ends by SIGKILL at the `at`-th record of an operation of that type, before it is written
when `at` is odd, after it when it is even.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mooring.api.loader import load_documents
from mooring.control.accept import accept_manifests
from mooring.control.drive import drive
from mooring.control.events import Event
from mooring.control.operations import ALL_KINDS, read_operation
from mooring.control.services import Defaults, Services
from mooring.domain.model.identity import Ref
from mooring.drivers.clock import SystemClock
from mooring.drivers.documents import Document
from mooring.drivers.locks import FileLocks
from mooring.drivers.secret_files import SecretFiles
from mooring.drivers.sqlite_documents import SqliteDocuments
from mooring.drivers.state import StateDir
from mooring.errors import MooringError
from tests.conformance.places import make_target

DRIVE_S = 420.0


class Killer:
    """Ends this process at one record of one operation's journal."""

    def __init__(self, documents: SqliteDocuments, *, kind: str, at: int) -> None:
        self._write = documents.put_status
        self._kind = kind
        self._at = at
        self._seen: dict[Ref, int] = {}
        self._records = 0

    async def put_status(self, doc: Document, *, if_version: str) -> Document:
        """Write, or end."""
        steps = len(doc.status.get("steps", ()))
        counts = doc.ref.kind in ALL_KINDS and read_operation(doc).type.value == self._kind
        grown = counts and steps > self._seen.get(doc.ref, 0)
        if grown:
            self._seen[doc.ref] = steps
            self._records += 1
            if self._at == 2 * self._records - 1:
                os.kill(os.getpid(), signal.SIGKILL)
        stored = await self._write(doc, if_version=if_version)
        if grown and self._at == 2 * self._records:
            os.kill(os.getpid(), signal.SIGKILL)
        return stored


@asynccontextmanager
async def open_services(
    place: str,
    address: str,
    home: Path,
    listener: Callable[[Event], None],
    *,
    kill: dict[str, Any] | None = None,
) -> AsyncIterator[Services]:
    """Everything that control needs, as `main` of the command line makes it; closed in the end."""
    state = StateDir.open(home)
    clock = SystemClock()
    secrets = SecretFiles(state.secrets)
    target = make_target(place, address, secrets=secrets, clock=clock, installation=state.installation)
    documents = await SqliteDocuments.open(state.documents, clock=clock)
    if kill is not None:
        killer = Killer(documents, kind=str(kill["type"]), at=int(kill["at"]))
        documents.put_status = killer.put_status  # type: ignore[method-assign]  # the seam where a kill hurts most
    defaults = Defaults(image="odoo:14.0-base")
    try:
        yield Services(
            documents, secrets, target, clock, state.installation, FileLocks(state.locks), defaults, listener
        )
    finally:
        await target.close()
        await documents.close()


async def _main(job: dict[str, Any]) -> None:
    def tell(event: Event) -> None:
        sys.stdout.write(f"{event.ref.name} {event.kind} {event.text}\n")
        sys.stdout.flush()

    ref = Ref(*job["ref"])
    home = Path(job["home"])
    manifests = load_documents(str(job["manifests"]).encode(), source="test") if job["action"] == "apply" else []
    async with open_services(job["place"], job["address"], home, tell, kill=job.get("kill")) as services:
        if manifests:
            await accept_manifests(services, manifests)
        result = await drive(services, ref, command="conformance", timeout_s=DRIVE_S)
        sys.stdout.write(f"settled {result.phase}\n")


def main() -> int:
    """0 settled as wanted; else the error's own exit code, with its code and words."""
    job = json.loads(Path(sys.argv[1]).read_text())
    try:
        asyncio.run(_main(job))
    except MooringError as error:
        sys.stdout.write(f"{error.code} {error.brief}\n{error.details}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
