# SPDX-License-Identifier: Apache-2.0
"""The machine under a controller: images, servers, filestores, users, and a watch that no safety rule is broken.

It answers every task of a `SimTarget` as the real one does, lets a user write whenever a web replica answers, and fails the
test at the very call at which a rule breaks.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from mooring.control.services import Services
from mooring.domain.instance.tasks import OWNER_PASSWORD_FILE
from mooring.domain.model.desired import File, Workload
from mooring.domain.model.identity import Ref, child
from mooring.domain.model.secret import SecretKey
from mooring.domain.odoo.argv import CONFIG_PATH
from mooring.domain.postgres.bootstrap import SUPERUSER
from mooring.domain.server.desired import PASSWORD_FILE
from mooring.domain.task import DOCUMENT_PATH, TaskSpec
from mooring.domain.templates.tasks import KIND as TEMPLATE_PLACE
from mooring.domain.work.backup import Backup
from mooring.domain.work.common import Connection
from mooring.domain.work.copies import DatabaseDrop, DatabaseReturn, DatabaseSafetyCopy
from mooring.domain.work.database import (
    DatabaseFinishInit,
    DatabaseInspect,
    DatabaseProvision,
    DatabaseVerify,
    RolePassword,
)
from mooring.domain.work.errors import DatabaseMissing, ProbeFailed, ServerUnreachable
from mooring.domain.work.filestore import FilestoreDrop, FilestoreReturn, FilestoreSafetyCopy
from mooring.domain.work.imports import ArchiveReceive, DatabaseCreate, DatabaseLoad, FilestoreLoad
from mooring.domain.work.live_copy import DatabaseCopy, DatabaseCopyResult, FilesCopied, FilestoreCopy
from mooring.domain.work.modules import HashedModules, ModulesHash, ModulesRead, ModulesStore
from mooring.domain.work.neutralize import (
    DatabaseNeutralize,
    DatabaseVerifyNeutral,
    OutgoingCancel,
    OutgoingCount,
    ReleaseCode,
)
from mooring.domain.work.promote import DatabasePromote
from mooring.domain.work.restore import DatabaseRestore, DatabaseSwap, FilestoreRestore, FilestoreSwap
from mooring.domain.work.results import RolePasswordResult
from mooring.domain.work.templates import (
    DatabaseEmpty,
    DatabaseFromTemplate,
    TemplateBegin,
    TemplatePack,
    TemplatePrune,
    TemplatePublish,
)
from mooring.domain.work.verify import SnapshotVerify
from mooring.errors import FailedError, MooringError
from tests.scenario import imports, templates
from tests.scenario.building import begin_database, begin_files
from tests.scenario.copies import copy_database, copy_source_files
from tests.scenario.data import Database, Files, Postgres, Role, copy_files, drop_files, return_files
from tests.scenario.snapshots import (
    Repository,
    back_up,
    restore_database,
    restore_files,
    swap_databases,
    swap_files,
)
from tests.support.sim_target import SimCrash, SimTarget
from tests.support.sim_world import Outcome, SimContainer, SimWorld

Flaw = Literal["", "init", "migrate", "verify", "probe", "start", "not-odoo", "modules"]
TASK_S = 0.25
LONG_TASK_S = 2.5
IMPORTS = ("archive-receive", "database-create", "database-load", "filestore-load")
LONG = frozenset({"backup", "database-restore", "filestore-restore", "database-copy", "filestore-copy", *IMPORTS})
# They read what is current, and work beside users.
READS = frozenset({"backup"})
BUILT = "mooring_building_"
READ_RELEASE = "read-release"
PASSWD = "root:x:0:0::/root:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/bash\n"
_CONF = re.compile(r"^(db_host|db_name|db_user|db_password) = (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Image:
    """What an image is, and what is wrong with it; its modules are those of the image `like`, but for the `other` ones."""

    series: str = "14.0"
    flaw: Flaw = ""
    like: str = ""
    other: tuple[str, ...] = ()


IMAGES: dict[str, Image] = {
    "odoo:14.0": Image(),
    "odoo:14.0-next": Image(),
    "odoo:14.0-third": Image(),
    "odoo:14.0-patch": Image(like="odoo:14.0"),
    "odoo:14.0-patch-bad-probe": Image(flaw="probe", like="odoo:14.0"),
    "odoo:14.0-patch-bad-start": Image(flaw="start", like="odoo:14.0"),
    "odoo:14.0-sale": Image(like="odoo:14.0", other=("sale",)),
    "odoo:15.0": Image("15.0"),
    **{
        f"odoo:14.0-bad-{flaw}": Image(flaw=flaw) for flaw in ("init", "migrate", "verify", "probe", "start", "modules")
    },
    "nothing:1": Image(flaw="not-odoo"),
    "postgres:17": Image("", "not-odoo"),
    "postgres:16": Image("", "not-odoo"),
}


def digest(image: str) -> str:
    """The digest of a name."""
    return "sha256:" + hashlib.sha256(image.encode()).hexdigest()


def checksum(image: str, module: str) -> str:
    """What a module's files are in the image with this digest."""
    name = next(one for one in IMAGES if digest(one) == image)
    found = IMAGES[name]
    return f"{module} of {found.like if found.like and module not in found.other else name}"


def same_code(data: Database, image: str) -> bool:
    """Whether a database's modules were last updated with the files that they have in the image with this digest."""
    return all(checksum(image, name) == checksum(data.code, name) for name in data.modules)


@dataclass
class Crash:
    """Counts everything that a controller does to the world, and ends its life at one of them."""

    at: int | None = None
    count: int = 0
    seen: list[str] = field(default_factory=list)

    def hit(self, what: str) -> None:
        """Before an effect.

        Raises:
            SimCrash: it is the one.
        """
        if self.at is not None and self.count >= self.at:
            raise SimCrash(what)
        self.count += 1
        self.seen.append(what)


@dataclass
class Machine:
    """Everything that outlives a controller besides its documents and secrets."""

    sim: SimWorld
    password: Callable[[SecretKey], str]
    crash: Crash = field(default_factory=Crash)
    external: dict[str, Postgres] = field(default_factory=dict)
    repositories: dict[str, Repository] = field(default_factory=dict)
    writes: dict[Ref, list[str]] = field(default_factory=dict)
    started: Counter[str] = field(default_factory=Counter)
    given: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    odoo_runs: list[tuple[str, ...]] = field(default_factory=list)
    last_write: float = -10.0
    fail_next: list[tuple[str, MooringError]] = field(default_factory=list)
    writing: bool = True
    moved: bool = False
    written_beside: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.sim.images.update({name: digest(name) for name in IMAGES})
        self.sim.rules.append((_any_task, self.begin))
        self.sim.broken.append(self.cannot_serve)

    def image(self, reference: str) -> Image:
        """The image of a digest."""
        return next(one for name, one in IMAGES.items() if digest(name) == reference)

    # Data

    def server(self, host: str) -> Postgres:
        """The server at an address.

        Raises:
            ServerUnreachable: nobody answers there.
        """
        if host in self.external:
            return self.external[host]
        volume, box = self.sim.volumes.get(host), self.sim.containers.get(f"{host}-0")
        if volume is None or box is None or not self.sim.ready(box):
            raise ServerUnreachable(f"Nobody answers at {host}.")
        server: Postgres = volume.data.setdefault("pg", Postgres())
        if SUPERUSER not in server.roles:
            given = next(one for one in box.workload.files if one.path == PASSWORD_FILE)
            server.roles[SUPERUSER] = Role(None, self.password(next(given.secrets())), admin=True)
        return server

    def servers(self) -> list[Postgres]:
        """Every server with data, whether it answers or not."""
        kept = [volume.data["pg"] for volume in self.sim.volumes.values() if "pg" in volume.data]
        return [*kept, *self.external.values()]

    def files(self, ref: Ref) -> Files:
        """The filestore of an instance."""
        found: Files = self.sim.volume(ref, "filestore").data.setdefault("files", Files())
        return found

    def databases(self, instance: str) -> dict[str, Database]:
        """All databases that carry an instance's id."""
        found = [item for server in self.servers() for item in server.databases.items()]
        return {name: one for name, one in found if one.mark is not None and one.mark.instance == instance}

    # Tasks

    def begin(self, task: TaskSpec) -> Outcome:
        """What starts with a task, and how it will end."""
        if task.argv[0] == "cat":
            return Outcome(seconds=TASK_S, log=PASSWD)
        if kind_of(task) == READ_RELEASE:
            return Outcome(seconds=TASK_S, effect=self.end)
        if task.argv[:2] == ("sh", "-c") and kind_of(task) != ModulesHash.TASK:
            return Outcome(seconds=TASK_S, log=self._describe(task))
        # It has its files from its start: a secret that changes since is not in them.
        self.given |= {(task.name, one.path): tuple(map(self.password, one.secrets())) for one in task.files}
        self.started[task.name] += 1
        if task.place.kind != TEMPLATE_PLACE and not kind_of(task).startswith("template-"):  # their names come again
            assert self.started[task.name] == 1, f"{task.name} was started twice"
        if writes(task) or reads(task):
            beside = [
                one.name
                for one in self.sim.running_tasks()
                if (writes(one) or reads(one)) and instance_of(one) == instance_of(task)
            ]
            assert not beside, f"{task.name} beside {beside}"
            self.watch(task)
        if is_odoo(task):
            self._break(task)
        with contextlib.suppress(
            MooringError, KeyError
        ):  # its end says that nobody answers; a first task makes the volume
            self._half_build(task)
        return Outcome(seconds=LONG_TASK_S if kind_of(task) in LONG else TASK_S, effect=self.end)

    def _check_identity(self, where: str, found: Database) -> None:
        """Nothing of Odoo's may work on data that says it is another instance's, unless a person moved it."""
        if self.moved or found.mark is None or not found.uuid:
            return
        theirs = [
            one.mark.instance
            for server in self.servers()
            for one in server.databases.values()
            if one.mark is not None and one.mark.role == "current" and one.uuid == found.uuid
            if one.mark.instance != found.mark.instance
        ]
        assert not theirs, f"{where} works on data that says it is {theirs[0]}'s"

    def _half_build(self, task: TaskSpec) -> None:
        """What is there of a restore from its first moment, and stays when it is killed."""
        if kind_of(task) == "database-restore":
            document = DatabaseRestore.from_json(document_of(task))
            begin_database(self.server(document.connection.host), document)
        elif kind_of(task) == "filestore-restore":
            begin_files(self.files(task.place), FilestoreRestore.from_json(document_of(task)))
        elif kind_of(task) in ("archive-receive", "database-load"):
            value = document_of(task)
            given = value.get("connection")
            where = self.server(given["host"]) if given is not None else None
            imports.begin(where, self.files(task.place), kind_of(task), value)
        elif kind_of(task) == "database-copy":
            copying = DatabaseCopy.from_json(document_of(task))
            begin_database(self.server(copying.connection.host), copying)
        elif kind_of(task) == "filestore-copy":
            begin_files(self.files(task.place), FilestoreCopy.from_json(document_of(task)))

    def end(self, sim: SimWorld, task: TaskSpec) -> None:
        """Carry out what a task does, at its end."""
        try:
            wanted = next((pair for pair in self.fail_next if pair[0] in kind_of(task)), None)
            if wanted is not None:
                self.fail_next.remove(wanted)
                raise wanted[1]
            result = self._run(task)
        except MooringError as fault:
            error = {key: str(value) for key, value in fault.to_json().items()}
            sim.tasks[task.name].outcome = Outcome(1, error=error, log=f"the log's end of {kind_of(task)}")
        else:
            sim.tasks[task.name].outcome = Outcome(0, result=result)

    def _run(self, task: TaskSpec) -> Any:
        if kind_of(task) == ModulesHash.TASK:
            return self._hash(task)
        if kind_of(task) == READ_RELEASE:
            return ReleaseCode(self._image(task).series, False, 1, "").to_json()
        return self._odoo(task) if task.image is not None else self._engine(task)

    def _hash(self, task: TaskSpec) -> Any:
        """What the script of `modules_script` finds in an image."""
        assert task.image is not None
        asked = document_of(task)
        sums = {name: checksum(task.image.digest, name) for name in [*asked["modules"], *asked["install"]]}
        changed = [name for name in asked["modules"] if sums[name] != asked["known"].get(name)]
        chosen = {"all": ["all"], "named": asked["also"], "changed": sorted({*changed, *asked["also"]})}
        update = chosen[asked["select"]]
        if asked["select"] == "changed" and "base" in update:
            update = ["all"]
        return HashedModules(sums, (), tuple(changed), tuple(update), (*update, *asked["install"])).to_json()

    def _describe(self, task: TaskSpec) -> str:
        assert task.image is not None
        image = self.image(task.image.reference)
        if image.flaw == "not-odoo":
            return "MOORING_PROGRAM=\nMOORING_UID=\n"
        return (
            "MOORING_PROGRAM=/usr/bin/odoo\nMOORING_UID=101\nMOORING_GID=101\nMOORING_PYTHON=3.9\n"
            f"MOORING_ADDONS=/usr/lib/odoo/addons\nMOORING_SERIES={image.series}\n"
        )

    def repository(self, task: TaskSpec) -> Repository:
        """The repository that a task was given."""
        url = document_of(task)["repository"]["url"]
        place = next((one.volume for one in task.mounts if one.machine), url)
        return self.repositories.setdefault(place, Repository())

    def _engine(self, task: TaskSpec) -> Any:
        value = document_of(task)
        kind = kind_of(task)
        if kind == "repository-init":
            return self.repository(task).init().to_json()
        if kind == "repository-prune":
            return self.repository(task).prune().to_json()
        if kind == "snapshot-verify":
            return self.repository(task).verify(SnapshotVerify.from_json(value)).to_json()
        if kind == "archive-receive":
            return imports.receive(self.files(task.place), task, ArchiveReceive.from_json(value)).to_json()
        if kind.startswith("filestore") and kind not in ("filestore-restore", "filestore-copy", "filestore-load"):
            files = self.files(task.place)
            match kind:
                case "filestore-swap":
                    return swap_files(files, FilestoreSwap.from_json(value)).to_json()
                case "filestore-safety-copy":
                    return copy_files(files, FilestoreSafetyCopy.from_json(value)).to_json()
                case "filestore-return":
                    return return_files(files, FilestoreReturn.from_json(value)).to_json()
                case _:
                    return drop_files(files, FilestoreDrop.from_json(value)).to_json()
        connection = Connection.from_json(value["connection"])
        server = self.server(connection.host)
        role = server.login(connection.user, self._secret(task, connection.password_file or ""))
        match kind:
            case "database-provision":
                document = DatabaseProvision.from_json(value)
                assert role.admin or document.mode == "existing"
                password = self._secret(task, OWNER_PASSWORD_FILE) if document.owner_password_file else ""
                return server.provision(document, password).to_json()
            case "database-inspect":
                return server.inspect(DatabaseInspect.from_json(value)).to_json()
            case "backup":
                backup = Backup.from_json(value)
                files, now = self.files(task.place), self.sim.clock.now().isoformat()
                return back_up(self.repository(task), server, files, backup, now=now).to_json()
            case "filestore-restore":
                restore = FilestoreRestore.from_json(value)
                return restore_files(server, self.files(task.place), self.repository(task), restore).to_json()
            case "database-restore":
                assert role.admin
                database = DatabaseRestore.from_json(value)
                server.login(database.owner, self._secret(task, database.owner_password_file or ""))
                return restore_database(server, self.repository(task), database).to_json()
            case "database-create":
                assert role.admin
                return imports.create(server, DatabaseCreate.from_json(value)).to_json()
            case "database-load":
                assert not role.admin
                return imports.load(server, self.files(task.place), DatabaseLoad.from_json(value)).to_json()
            case "filestore-load":
                return imports.load_files(server, self.files(task.place), FilestoreLoad.from_json(value)).to_json()
            case "role-password":
                assert role.admin
                wanted = RolePassword.from_json(value)
                assert server.roles[wanted.owner].instance == wanted.instance
                server.roles[wanted.owner].password = self._secret(task, OWNER_PASSWORD_FILE)
                return RolePasswordResult(wanted.owner, password_set=True).to_json()
            case "outgoing-count":
                return server.count_outgoing(OutgoingCount.from_json(value)).to_json()
            case "filestore-copy":
                return self._copy_files(server, task).to_json()
            case "database-copy":
                assert role.admin
                return self._copy_database(server, task).to_json()
            case "database-neutralize":
                return server.neutralize(DatabaseNeutralize.from_json(value)).to_json()
            case "database-verify-neutral":
                return server.verify_neutral(DatabaseVerifyNeutral.from_json(value)).to_json()
            case "database-promote":
                return server.promote(DatabasePromote.from_json(value)).to_json()
            case "outgoing-cancel":
                return server.cancel_outgoing(OutgoingCancel.from_json(value)).to_json()
            case "database-verify":
                return server.verify(DatabaseVerify.from_json(value)).to_json()
            case "modules-read":
                return server.read_modules(ModulesRead.from_json(value)).to_json()
            case "modules-store":
                return server.store_checksums(ModulesStore.from_json(value)).to_json()
            case "database-finish-init":
                assert self._secret(task, "/run/mooring/secrets/user-password")
                finish = DatabaseFinishInit.from_json(value)
                if finish.unpack_into is not None:
                    templates.unpack(server.databases[finish.database], self.files(task.place))
                return server.finish_init(finish).to_json()
            case "template-pack":
                return templates.pack_template(server, self.files(task.place), TemplatePack.from_json(value)).to_json()
            case _:
                if kind == "template-begin":
                    assert role.admin
                    password, moment = self._secret(task, OWNER_PASSWORD_FILE), self.sim.clock.now()
                    return templates.begin_template(server, TemplateBegin.from_json(value), password, moment).to_json()
                return self._administer(server, role, kind, value)

    def _administer(self, server: Postgres, role: Role, kind: str, value: Any) -> Any:
        assert role.admin, f"{kind} needs an administrator"
        match kind:
            case "template-publish":
                publish = TemplatePublish.from_json(value)
                return templates.publish_template(server, publish, self.sim.clock.now()).to_json()
            case "template-prune":
                return templates.prune_task(server, TemplatePrune.from_json(value), self.sim.clock.now()).to_json()
            case "database-from-template":
                wanted = DatabaseFromTemplate.from_json(value)
                return templates.copy_template(server, wanted, self.sim.clock.now()).to_json()
            case "database-empty":
                return templates.empty_database(server, DatabaseEmpty.from_json(value)).to_json()
            case "database-safety-copy":
                return server.safety_copy(DatabaseSafetyCopy.from_json(value)).to_json()
            case "database-swap":
                return swap_databases(server, DatabaseSwap.from_json(value)).to_json()
            case "database-return":
                return server.give_back(DatabaseReturn.from_json(value)).to_json()
            case "database-drop":
                return server.drop(DatabaseDrop.from_json(value)).to_json()
            case _:
                raise AssertionError(f"unknown task {kind}")

    def _secret(self, task: TaskSpec, path: str) -> str:
        return self.given[task.name, path][0]

    def _reach(self, files: tuple[File, ...], task: str = "") -> tuple[Postgres, Database, str]:
        """The server and database that an odoo.conf leads to."""
        conf = self.conf(files, task)
        server = self.server(conf["db_host"])
        server.login(conf["db_user"], conf["db_password"])
        found = server.databases.get(conf["db_name"])
        if found is None or not found.open:
            raise DatabaseMissing(f"There is no database {conf['db_name']}.")
        return server, found, conf["db_name"]

    def conf(self, files: tuple[File, ...], task: str = "") -> dict[str, str]:
        """How an odoo.conf leads to a database."""
        given = next(one for one in files if one.path == CONFIG_PATH)
        values = iter(self.given.get((task, given.path)) or tuple(map(self.password, given.secrets())))
        parts = [part if isinstance(part, str) else next(values) for part in given.parts]
        return dict(_CONF.findall("".join(parts)))

    def _break(self, task: TaskSpec) -> None:
        """From its first moment Odoo changes what it works on; only a run to its end leaves it whole."""
        try:
            _, found, _ = self._reach(task.files, task.name)
        except MooringError:
            return
        self._check_identity(task.name, found)
        for name in _modules(task, "--update=") & ({*found.modules, "all"}):
            doomed = list(found.modules) if name == "all" else [name]
            found.modules |= dict.fromkeys(doomed, "to upgrade")
            self._files_beside(task).append(f"half of {task.name}")
            found.rows.append(f"half of {task.name}")
        for name in _modules(task, "--init="):
            found.modules.setdefault(name, "to install")
            found.series = found.series or self._image(task).series

    def _copy_database(self, server: Postgres, task: TaskSpec) -> DatabaseCopyResult:
        document = DatabaseCopy.from_json(document_of(task))
        server.login(document.owner, self._secret(task, document.owner_password_file or ""))
        there = document.source.connection
        theirs = self.server(there.host)
        theirs.login(there.user, self._secret(task, there.password_file or ""))
        return copy_database(server, theirs, document)

    def _copy_files(self, server: Postgres, task: TaskSpec) -> FilesCopied:
        theirs = [one for one in task.mounts if one.foreign]
        assert all(one.read_only for one in theirs), "the source's volume could be written to"
        source: Files | None = self.sim.volumes[theirs[0].volume].data["files"] if theirs else None
        return copy_source_files(server, self.files(task.place), source, FilestoreCopy.from_json(document_of(task)))

    def _files_beside(self, task: TaskSpec) -> list[str]:
        """The filestore that an Odoo works on: the current one, or that of the database that is being built."""
        files = self.files(task.place)
        if self.conf(task.files)["db_name"].startswith(BUILT):
            return next(kept for (role, _), kept in files.copies.items() if role == "building")
        files.current = files.current if files.current is not None else []
        return files.current

    def _image(self, task: TaskSpec) -> Image:
        assert task.image is not None
        return self.image(task.image.reference)

    def _odoo(self, task: TaskSpec) -> Any:
        assert task.image is not None
        image = self._image(task)
        _, found, _ = self._reach(task.files, task.name)
        self.odoo_runs.append(task.argv)
        if "--load=base,web" in task.argv:
            if image.flaw == "probe" or not found.whole:
                raise ProbeFailed("Odoo gave no login page.")
            return {"serves": True, "seconds": 0.1}
        flaws = {"--init=": "init", "--update=": "migrate"}
        for option, flaw in flaws.items():
            if _modules(task, option) and image.flaw == flaw:
                raise FailedError("Odoo ended with 255.")
        for name in _modules(task, "--init="):
            found.series = image.series
            found.alive, found.uuid = True, found.uuid or f"made by {task.name}"
            found.modules |= {"base": "installed", name: "installed"}
            if name == "nowhere":
                del found.modules[name]  # Odoo ends with 0 all the same
            files = self.files(task.place)
            files.current = files.current or []
        if _modules(task, "--update=") and image.flaw != "verify":
            found.modules = dict.fromkeys(found.modules, "installed")
            found.alive = True  # an update writes its modules' own data again
            for kept in (found.rows, self._files_beside(task)):
                kept[:] = [one for one in kept if not one.startswith("half of ")]
        if image.flaw != "verify":
            found.code = task.image.digest
        return {}

    # Replicas and users

    def cannot_serve(self, workload: Workload) -> bool:
        """Whether a replica's probe fails."""
        if workload.role == "database":
            return False
        try:
            _, found, _ = self._reach(workload.files)
        except MooringError:
            return True
        return not found.whole or self.image(workload.image.reference).flaw == "start"

    def watch(self, beginning: TaskSpec | None = None) -> None:
        """Fail when a rule is broken now: hold in the world, one release for code and data."""
        self.sim.settle()
        busy = [one for one in self.sim.running_tasks() if writes(one)]
        for task in [*busy, *([beginning] if beginning else [])]:
            if self.is_beside(task):
                continue
            near = [
                box.name
                for box in self.sim.containers.values()
                if box.identity is not None
                and box.role in ("web", "cron")
                and box.identity.instance == instance_of(task)
                and box.exit_code is None
            ]
            assert not near, f"{task.name} works on data while {near} run"
        for box in self.sim.containers.values():
            if box.role in ("web", "cron") and box.gone_at is None and box.exit_code is None:
                found = self._data_of(box)
                if found is not None:
                    self._check_identity(box.name, found)
                if found is not None and found.modules:
                    shut = any(net.ref == box.ref and net.policy.egress == "none" for net in self.sim.networks.values())
                    quiet = found.neutral and not found.alive
                    assert quiet or not shut, f"{box.name} runs on data of a copy that is not neutral"
                if found is not None and found.code:
                    runs = box.workload.image.digest
                    assert same_code(found, runs), f"{box.name} runs another release than its data's"

    def is_beside(self, task: TaskSpec) -> bool:
        """Whether users may go on: it reads, builds, tries what is built, or takes copies away."""
        kind = kind_of(task)
        if is_odoo(task):
            return self.conf(task.files)["db_name"].startswith(BUILT)
        if kind in ("database-drop", "filestore-drop"):
            return "current" not in document_of(task)["roles"]
        if kind in ("database-verify", "database-neutralize", "database-verify-neutral"):
            return str(document_of(task)["database"]).startswith(BUILT)
        if kind == "outgoing-cancel":
            # Users may go on; what sends may not.
            assert not self.sim.running(task.place, "cron"), f"{task.name} beside cron"
            return True
        return kind in LONG

    def _data_of(self, box: SimContainer) -> Database | None:
        try:
            return self._reach(box.workload.files)[1]
        except MooringError:
            return None

    def live(self) -> None:
        """Users write wherever somebody answers."""
        now = self.sim.clock.monotonic()
        if not self.writing or now - self.last_write < 1.0:
            return
        for box in self.sim.containers.values():
            if box.role != "web" or not self.sim.ready(box):
                continue
            found = self._data_of(box)
            if found is None:
                continue
            self.last_write = now
            done = self.writes.setdefault(box.ref, [])
            text = f"{box.ref.name}-{len(done)}"
            done.append(text)
            found.rows.append(text)
            files = self.files(box.ref)
            files.current = [*(files.current or []), text]
            identity = box.identity.instance if box.identity is not None else ""
            self.written_beside.update(kind_of(one) for one in self.sim.running_tasks() if instance_of(one) == identity)


class MachineTarget(SimTarget):
    """A `SimTarget` over a machine: watched at every call, and killed by its counter."""

    machine: Machine

    def _answer(self) -> None:
        super()._answer()
        self.machine.watch()
        self.machine.live()

    def _effect(self, what: str, apply: Callable[[], None]) -> None:
        self.machine.crash.hit(what)
        super()._effect(what, apply)
        self.machine.watch()


def is_odoo(task: TaskSpec) -> bool:
    """Whether it is a run of Odoo's own program."""
    return task.image is not None and any(one.path == CONFIG_PATH for one in task.files)


def kind_of(task: TaskSpec) -> str:
    """The engine's word, or `probe`, `init`, `update` for Odoo."""
    if task.image is None:
        return task.argv[2]
    if "mooring-neutralize" in task.argv:
        return READ_RELEASE
    if "mooring-modules" in task.argv:
        return ModulesHash.TASK
    if "--load=base,web" in task.argv:
        return "probe"
    return "init" if _modules(task, "--init=") else "update"


def writes(task: TaskSpec) -> bool:
    """Whether nothing else may touch the instance's data while it runs."""
    harmless = (
        "modules-read",
        "modules-store",
        "outgoing-count",
        "role-password",
        "database-provision",
        "database-inspect",
        "repository-init",
        "repository-prune",
        "snapshot-verify",
        *READS,
    )
    return is_odoo(task) or (task.argv[:2] == ("mooring", "task") and kind_of(task) not in harmless)


def reads(task: TaskSpec) -> bool:
    """Whether nothing may replace the instance's data while it runs; users go on."""
    return task.argv[:2] == ("mooring", "task") and kind_of(task) in READS


def instance_of(task: TaskSpec) -> str:
    """Id of the instance that a task works for."""
    if task.image is None:
        value = document_of(task)
        given = value.get("instance")
        if given is not None:
            return str(given["id"] if isinstance(given, dict) else given)
    return task.identity.instance


def document_of(task: TaskSpec) -> Any:
    """What an engine's task is told."""
    return json.loads("".join(str(part) for part in _file(task, DOCUMENT_PATH).parts))


def server_volume(ref: Ref) -> str:
    """Name of a managed server's volume, which is its address too."""
    return child(ref, "database")


def _any_task(task: TaskSpec) -> bool:
    return bool(task.name)


def _file(task: TaskSpec, path: str) -> File:
    return next(one for one in task.files if one.path == path)


def _modules(task: TaskSpec, option: str) -> set[str]:
    given = next((one.removeprefix(option) for one in task.argv if one.startswith(option)), "")
    return set(given.split(",")) - {""}


__all__ = ["IMAGES", "Crash", "Machine", "MachineTarget", "Services", "digest"]
