# SPDX-License-Identifier: Apache-2.0
"""Whole controllers over a simulated machine: many short lives, one world.

world = World(tmp_path)
await world.apply("kind: OdooInstance ...")
await world.drive()
world.machine.crash.at = world.machine.crash.count + 7     # this life ends before its seventh effect from now
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mooring.api.loader import load_documents
from mooring.control.accept import Written, accept_manifests
from mooring.control.drive import drive
from mooring.control.events import Event
from mooring.control.operations import Operation, list_operations, request_retry
from mooring.control.reconcile import Pass, reconcile
from mooring.control.requests import build_request, request_deletion
from mooring.control.services import Defaults, Services
from mooring.domain.instance.ledger import Ledger, load_ledger
from mooring.domain.model.identity import Ref
from mooring.domain.model.secret import SecretKey
from mooring.drivers.documents import Document
from mooring.drivers.locks import FileLocks
from mooring.errors import MooringError
from tests.scenario.data import Database
from tests.scenario.machine import Machine, MachineTarget, instance_of, kind_of, same_code
from tests.scenario.secrets import MemorySecrets
from tests.support.memory_documents import MemoryDocuments
from tests.support.sim_clock import SimClock
from tests.support.sim_target import SimCrash
from tests.support.sim_world import SimWorld

SHOP = Ref("OdooInstance", "default", "shop")
MARK = "* "
JOBS = {
    "Init": "OdooInitJob",
    "Upgrade": "OdooUpgradeJob",
    "Backup": "OdooBackupJob",
    "Restore": "OdooRestoreJob",
    "Refresh": "OdooStagingRefreshJob",
}
DEFAULT_SERVER = Ref("DatabaseServer", "default", "default")


def manifest(kind: str, name: str, *, namespace: str = "default", **spec: Any) -> dict[str, Any]:
    """A manifest as data."""
    from mooring.api.base import API_VERSION

    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def instance(name: str = "shop", *, namespace: str = "default", **spec: Any) -> dict[str, Any]:
    """An instance of `odoo:14.0`, with one web and one cron replica."""
    return manifest("OdooInstance", name, namespace=namespace, **{"image": "odoo:14.0", **spec})


def repository(name: str = "nas", **spec: Any) -> dict[str, Any]:
    """A repository in a folder of the machine."""
    return manifest("BackupRepository", name, **{"url": f"file:///srv/{name}", **spec})


@dataclass(frozen=True)
class Picture:
    """How an instance is at rest: what may differ between the wanted state and the one before."""

    phase: str
    runs: str
    code: str
    web: int
    cron: int
    stopped: bool
    previous: bool
    held: bool = False
    marks: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


class World:
    """A machine, its documents and secrets; `life` gives a new controller."""

    def __init__(self, folder: Path) -> None:
        self.locks = folder / "locks"
        self.locks.mkdir(exist_ok=True)
        self.clock = SimClock()
        self.sim = SimWorld(self.clock, boot_s=0.25, stop_s=0.25)
        self.secrets = MemorySecrets()
        self.documents = MemoryDocuments()
        self.machine = Machine(self.sim, self.password)
        self.events: list[Event] = []
        self.target: MachineTarget | None = None
        self.schedules = False
        self.connect()

    def connect(self) -> None:
        """Have every write counted."""
        self.documents.before_write = self.before_write
        self.secrets.before_write = self.machine.crash.hit

    def before_write(self, ref: Ref) -> None:
        """A write of a document is an effect like any other."""
        self.machine.crash.hit(f"write {ref}")

    def password(self, key: SecretKey) -> str:
        """A secret's value now."""
        return self.secrets.peek(key).reveal()

    def fork(self, folder: Path | None = None) -> World:
        """The same world once more, to ruin; with locks of its own in `folder`."""
        # A secret refuses to be copied, and never changes.
        known: dict[int, Any] = {id(one): one for keys in self.secrets.values.values() for one in keys.values()}
        self.target = None
        other = copy.deepcopy(self, known)
        if folder is not None:
            other.locks = folder / "locks"
            other.locks.mkdir(exist_ok=True)
        return other

    def life(self) -> Services:
        """A new controller that knows nothing but what is written."""
        self.target = MachineTarget(self.sim, secrets=self.secrets, installation="here")
        self.target.machine = self.machine
        return Services(
            documents=self.documents,
            secrets=self.secrets,
            target=self.target,
            clock=self.clock,
            installation="here",
            locks=FileLocks(self.locks),
            defaults=Defaults(image="odoo:14.0"),
            listener=self.events.append,
            schedules=self.schedules,
        )

    # What people do

    async def apply(self, *manifests: dict[str, Any]) -> list[Written]:
        """`mooring apply` without the waiting."""
        import json

        text = "\n---\n".join(json.dumps(one) for one in manifests)
        return await accept_manifests(self.life(), load_documents(text.encode(), source="test"))

    async def ask(self, kind: str, *, ref: Ref = SHOP, **spec: Any) -> Ref:
        """A verb: Stop, Start, Restart, Rollback, ReleaseHold; or one that has a kind of its own."""
        if kind in JOBS:
            request = build_request(ref, JOBS[kind], spec, verb=kind.lower())
        else:
            request = build_request(ref, "OdooOperation", {"type": kind, **spec}, verb=kind.lower())
        written = await accept_manifests(self.life(), [request])
        return written[0].doc.ref

    async def mark(self, text: str, ref: Ref = SHOP) -> None:
        """A user writes this very thing, so that it is known later whose data is current."""
        (await self.current(ref)).rows.append(MARK + text)
        files = self.machine.files(ref)
        files.current = [*(files.current or []), MARK + text]
        self.machine.writes.setdefault(ref, []).append(MARK + text)

    async def mail(self, name: str, ref: Ref = SHOP) -> None:
        """A user writes mail that waits for cron."""
        (await self.current(ref)).waiting[name] = self.clock.now()

    async def delete(self, *, ref: Ref = SHOP, purge: bool = False) -> None:
        """`mooring delete` without the waiting."""
        await request_deletion(self.life(), ref, purge=purge)

    async def drive(self, ref: Ref = SHOP, *, timeout_s: float = 3600.0) -> Pass:
        """Lead it to rest, in a new life."""
        return await drive(self.life(), ref, command="test", timeout_s=timeout_s)

    async def rest(self, ref: Ref = SHOP) -> MooringError | None:
        """As `drive`; what it settled with, if that is an error."""
        try:
            await self.drive(ref)
        except MooringError as error:
            return error
        return None

    async def bring_up(self, *manifests: dict[str, Any]) -> None:
        """Apply (default: one plain instance) and lead every instance to rest."""
        given = manifests or (instance(),)
        await self.apply(*given)
        for one in given:
            if one["kind"] == "OdooInstance":
                await self.drive(Ref("OdooInstance", one["metadata"]["namespace"], one["metadata"]["name"]))

    async def passes(self, count: int, ref: Ref = SHOP, *, step_s: float = 1.0) -> Pass:
        """As an agent does: so many passes, with time between."""
        services = self.life()
        last = await reconcile(services, ref)
        for _ in range(count - 1):
            await self.clock.sleep(step_s)
            last = await reconcile(services, ref)
        return last

    async def agent(self, seconds: float, ref: Ref = SHOP, *, step_s: float = 60.0) -> None:
        """An agent's passes for so long, schedules among them."""
        self.schedules = True
        services, end = self.life(), self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            result = await reconcile(services, ref)
            await self.clock.sleep(min(result.requeue_s or step_s, step_s))
        self.schedules = False

    async def until(self, kind: str, ref: Ref = SHOP) -> None:
        """Pass after pass until a task of this kind runs."""
        services = self.life()
        for _ in range(300):
            await reconcile(services, ref)
            if any(one.argv[0] != "sh" and kind_of(one) == kind for one in self.sim.running_tasks()):
                return
            await self.clock.sleep(0.1)
        raise AssertionError(f"no {kind}")

    async def retry_stuck(self, ref: Ref = SHOP) -> None:
        """`mooring operations retry` of what is stuck."""
        services = self.life()
        for one in await self.operations(ref):
            if one.stuck:
                await request_retry(services, one)

    async def killed(self, action: Any, *, before: int) -> bool:
        """Run `action()` in a life that ends before its `before`-th effect (from 0); whether it came so far."""
        crash = self.machine.crash
        crash.count, crash.at = 0, before
        try:
            await action()
        except SimCrash:
            return True
        except MooringError:
            return False
        finally:
            crash.at = None
        return False

    # What is

    async def doc(self, ref: Ref = SHOP) -> Document:
        """A document that is there."""
        found = await self.documents.get(ref)
        assert found is not None, f"{ref} is gone"
        return found

    async def ledger(self, ref: Ref = SHOP) -> Ledger:
        """What is remembered of an instance."""
        return load_ledger((await self.doc(ref)).status.get("ledger"))

    async def phase(self, ref: Ref = SHOP) -> str:
        """What users read."""
        return str((await self.doc(ref)).status.get("phase", ""))

    async def operations(self, ref: Ref = SHOP) -> Sequence[Operation]:
        """Oldest first."""
        return await list_operations(self.life(), ref)

    async def condition(self, kind: str, ref: Ref = SHOP) -> tuple[str, str]:
        """(status, reason) of a condition."""
        found = next(one for one in (await self.doc(ref)).status["conditions"] if one["type"] == kind)
        return found["status"], found["reason"]

    async def current(self, ref: Ref = SHOP) -> Database:
        """The instance's one current database."""
        doc = await self.doc(ref)
        found = [one for one in self.machine.databases(doc.id).values() if one.mark and one.mark.role == "current"]
        assert len(found) == 1, f"{len(found)} databases are current"
        return found[0]

    def running(self, role: str, ref: Ref = SHOP) -> int:
        """Replicas with a process."""
        return len(self.sim.running(ref, role))

    async def picture(self, ref: Ref = SHOP) -> Picture:
        """How an instance is."""
        ledger = await self.ledger(ref)
        return Picture(
            phase=await self.phase(ref),
            runs=ledger.runs,
            code=(await self.current(ref)).code,
            web=self.running("web", ref),
            cron=self.running("cron", ref),
            stopped=ledger.stopped,
            previous=ledger.previous is not None,
            held=bool(ledger.cron_held),
            marks=tuple(one for one in (await self.current(ref)).rows if one.startswith(MARK)),
            waiting=tuple((await self.current(ref)).waiting),
        )

    async def check_rest(self, ref: Ref = SHOP) -> None:
        """What holds of every instance at rest: nothing is half, nothing is lost, nothing goes on."""
        assert not self.sim.running_tasks(ref)
        busy = [one.doc.ref.name for one in await self.operations(ref) if not one.ended and not one.stuck]
        assert not busy, f"{busy} go on"
        ledger, found, files = await self.ledger(ref), await self.current(ref), self.machine.files(ref)
        assert found.whole
        assert found.open
        assert same_code(found, ledger.runs)
        assert set(found.rows) == set(files.current or []), "database and filestore differ"
        for role in ("web", "cron"):
            for box in self.sim.running(ref, role):
                assert box.workload.image.digest == ledger.runs
        names = self.machine.databases((await self.doc(ref)).id)
        building = [name for name, one in names.items() if one.mark and one.mark.role == "building"]
        assert not building
        half = [key for key in files.copies if key[0] in ("building", "half")]
        assert not half, f"left over: {half}"
        instance_id = (await self.doc(ref)).id
        assert not [one.name for one in self.sim.running_tasks() if instance_of(one) == instance_id]
        if ledger.cron_held:
            assert not self.sim.running(ref, "cron")
        left = [one.ref for one in self.sim.containers.values()]
        left += [one.ref for one in self.sim.networks.values()] + [one.ref for one in self.sim.volumes.values()]
        assert not [one for one in left if one.kind.startswith("Drill")], "a drill left something"
        assert not [one for one in self.secrets.values if one.name.endswith("-drill")], "a drill left its secret"
        if ledger.backups.result == "Complete":
            kept = [one.id for place in self.machine.repositories.values() for one in place.snapshots]
            assert ledger.backups.snapshot in kept

    async def check_nothing_lost(self, ref: Ref = SHOP) -> None:
        """Everything that users wrote is there."""
        lost = set(self.machine.writes.get(ref, [])) - set((await self.current(ref)).rows)
        assert not lost, f"lost {sorted(lost)}"

    async def check_nothing_gone(self, ref: Ref = SHOP) -> None:
        """Everything that users wrote is there, or aside: in a database, and among the files of the same state."""
        files = self.machine.files(ref)
        aside = {operation: set(kept) for (_, operation), kept in files.copies.items()}
        found: set[str] = set()
        for one in self.machine.databases((await self.doc(ref)).id).values():
            assert one.mark is not None
            kept = (
                set(files.current or []) if one.mark.role == "current" else aside.get(one.mark.operation or "", set())
            )
            assert set(one.rows) <= kept, f"{one.mark.role} of {one.mark.operation}: its files are another state's"
            found |= set(one.rows)
        gone = set(self.machine.writes.get(ref, [])) - found
        assert not gone, f"gone {sorted(gone)}"
