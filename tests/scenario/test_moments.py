# SPDX-License-Identifier: Apache-2.0
"""The records of undisturbed operations, which the promises of killed controllers are cut at."""

from __future__ import annotations

from pathlib import Path

from mooring.control.operations import ALL_KINDS, read_operation
from mooring.domain.model.identity import Ref
from mooring.drivers.documents import Document
from tests.conformance.moments import COPYING, MIGRATING, RECORDS
from tests.scenario.world import World, instance, repository


class Journals:
    """Counts the writes that lengthen a journal, as the process that ends itself does (tests/conformance/controller)."""

    def __init__(self, world: World) -> None:
        self.counts: dict[str, int] = {}
        self.last: dict[tuple[str, int], tuple[str, str]] = {}
        self._lengths: dict[Ref, int] = {}
        self._write = world.documents.put_status
        world.documents.put_status = self.put_status  # type: ignore[method-assign]  # the seam of the kills

    async def put_status(self, doc: Document, *, if_version: str) -> Document:
        stored = await self._write(doc, if_version=if_version)
        steps = len(doc.status.get("steps", ()))
        if doc.ref.kind in ALL_KINDS and steps > self._lengths.get(doc.ref, 0):
            kind = read_operation(doc).type.value
            self.counts[kind] = self.counts.get(kind, 0) + 1
            self._lengths[doc.ref] = steps
            newest = doc.status["steps"][-1]
            self.last[kind, self.counts[kind]] = (newest["step"], newest["state"])
        return stored


async def test_every_operation_writes_as_many_records_as_its_kills_are_spread_over(tmp_path: Path) -> None:
    world = World(tmp_path)
    journals = Journals(world)
    await world.apply(instance())
    await world.drive()
    for kind in ("Stop", "Start", "Restart"):
        await world.ask(kind)
        await world.drive()
    await world.apply(instance(image="odoo:14.0-next"))
    await world.drive()
    await world.ask("Rollback")
    await world.drive()
    await world.apply(repository(), instance(backup={"repository": "nas"}))
    await world.ask("Backup", repository="nas")
    await world.drive()
    await world.ask("Verify", restore=True, readData=100)
    await world.drive()
    await world.ask("Restore", source={"snapshot": "latest", "repository": "nas"})
    await world.drive()
    await world.delete(purge=True)
    await world.drive()
    assert {kind: journals.counts[kind] for kind in RECORDS} == RECORDS
    assert journals.last["Upgrade", COPYING // 2] == ("copy-filestore", "intended")
    assert journals.last["Upgrade", MIGRATING // 2] == ("migrate", "intended")
