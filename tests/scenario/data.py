# SPDX-License-Identifier: Apache-2.0
"""What tasks do to data, as the engine and Odoo really do it: a little PostgreSQL and a little filestore.

The rules are the engine's: comments say whose a database is, copies carry the operation's id, a lower attempt is refused,
a copy is whole or not there. What a task finds out it finds out when it ends; what it breaks (a migration) is broken from
its start, so that a kill in its middle leaves the worst.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from datetime import datetime

from mooring.domain.work.backup_errors import SnapshotNewer
from mooring.domain.work.common import Connection, Fence
from mooring.domain.work.copies import DatabaseDrop, DatabaseReturn, DatabaseSafetyCopy
from mooring.domain.work.database import DatabaseFinishInit, DatabaseInspect, DatabaseProvision, DatabaseVerify
from mooring.domain.work.errors import (
    DatabaseForeign,
    DatabaseInUse,
    DatabaseMissing,
    DatabaseNotEmpty,
    NotInitialized,
    PasswordRefused,
    SafetyCopyMissing,
    VerificationFailed,
)
from mooring.domain.work.filestore import FilestoreDrop, FilestoreReturn, FilestoreSafetyCopy
from mooring.domain.work.mark import DataMark, decide_fence
from mooring.domain.work.modules import InstalledModules, ModulesRead, ModulesStore, StoredChecksums
from mooring.domain.work.names import beside
from mooring.domain.work.neutralize import (
    Cancelled,
    CancelResult,
    DatabaseNeutralize,
    DatabaseVerifyNeutral,
    NeutralizeResult,
    NeutralResult,
    OutgoingCancel,
    OutgoingCount,
    OutgoingResult,
    Waiting,
)
from mooring.domain.work.neutralize_errors import NeverNeutralized, NotNeutral
from mooring.domain.work.promote import DatabasePromote, PromoteResult, StaysOff
from mooring.domain.work.results import (
    CopyResult,
    DatabaseFacts,
    DropResult,
    FilestoreCopyResult,
    FilestoreDropResult,
    FilestoreReturnResult,
    FinishResult,
    ModuleFact,
    ProvisionResult,
    ReturnResult,
)
from mooring.domain.work.verification import check_data, decide_faults, decide_older
from mooring.engine.modules import merge_checksums


@dataclass
class Database:
    """One database. `code` names the release that its tables are of; `checksums` is what is stored of its modules' files;
    `rows` is what users wrote; `waiting` is mail that is not sent yet, and since when; `neutral` says that it is a
    copy of this instance's own, `alive` that something of it would act, `uuid` what it says that it is.
    """

    owner: str
    mark: DataMark | None = None
    open: bool = True
    code: str = ""
    series: str = ""
    modules: dict[str, str] = field(default_factory=dict)
    rows: list[str] = field(default_factory=list)
    finished: bool = False
    waiting: dict[str, datetime] = field(default_factory=dict)
    external: int = 0
    size_bytes: int = 8_000_000
    neutral: bool = False
    alive: bool = False
    uuid: str = ""
    checksums: dict[str, str] = field(default_factory=dict)
    packed: list[str] | None = None

    @property
    def whole(self) -> bool:
        """Odoo is in it, and no module waits."""
        return bool(self.modules) and all(state == "installed" for state in self.modules.values())


@dataclass
class Files:
    """The filestore's volume: what is current, and copies by (role, operation)."""

    instance: str = ""
    current: list[str] | None = None
    copies: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    operation: str = ""
    steps: dict[str, int] = field(default_factory=dict)
    returned: str = ""

    def fence(self, instance: str, fence: Fence, task: str) -> None:
        """Whose it is, and that no later attempt was here."""
        if self.instance not in ("", instance):
            raise DatabaseForeign(f"the volume belongs to {self.instance}, not to {instance}")
        mark = DataMark(instance, "current", self.operation or None, self.steps)
        self.instance = instance
        self.operation, self.steps = decide_fence(mark, fence, task)


@dataclass
class Role:
    """A role: whose it is, and its password."""

    instance: str | None
    password: str
    admin: bool = False


@dataclass
class Postgres:
    """One server. `sessions` are (database, who) that are connected now, set by whoever runs a task."""

    databases: dict[str, Database] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    sessions: list[str] = field(default_factory=list)

    def login(self, user: str, password: str) -> Role:
        """Log in.

        Raises:
            PasswordRefused: there is no such role, or it has another password.
        """
        role = self.roles.get(user)
        if role is None or role.password != password:
            raise PasswordRefused(f"The server refuses the password of {user}.")
        return role

    def own(self, name: str, instance: str, role: str) -> Database:
        """The database of this name, which has to be this instance's in this role."""
        found = self.databases.get(name)
        if found is None:
            raise DatabaseMissing(f"There is no database {name}.")
        if found.mark is None or (found.mark.instance, found.mark.role) != (instance, role):
            raise DatabaseForeign(f"The database {name} is {found.mark}, not the {role} one of {instance}.")
        return found

    # The tasks of the engine

    def provision(self, task: DatabaseProvision, owner_password: str) -> ProvisionResult:
        """`database-provision`."""
        found = self.databases.get(task.database)
        if found is not None and found.mark is not None and found.mark.instance != task.instance:
            raise DatabaseForeign(f"The database {task.database} belongs to instance {found.mark.instance}.")
        if found is not None and found.mark is None and found.modules and not task.adopt:
            raise DatabaseNotEmpty(f"The database {task.database} is not empty.")
        made = changed = False
        if task.mode == "existing":
            if found is None:
                raise DatabaseMissing(f"There is no database {task.database}.")
        else:
            role = self.roles.get(task.owner)
            if role is not None and role.instance != task.instance:
                raise DatabaseForeign(f"The role {task.owner} belongs to instance {role.instance}.")
            made = role is None
            changed = role is None or role.password != owner_password
            self.roles[task.owner] = Role(task.instance, owner_password)
        created = found is None
        found = self.databases.setdefault(task.database, Database(task.owner))
        before = found.mark or DataMark(task.instance, "current")
        operation, steps = decide_fence(found.mark, task.fence, task.TASK)
        found.mark = replace(before, operation=operation, steps=steps)
        return ProvisionResult(
            **vars(self.inspect(DatabaseInspect(task.connection, task.database, task.series))),
            created=created,
            role_created=made,
            password_set=changed,
            marked=True,
            unaccent_immutable=True,
            database=task.database,
            owner=task.owner,
        )

    def facts(self, name: str) -> DatabaseFacts:
        """What `database-inspect` sees."""
        found = self.databases.get(name)
        if found is None:
            return DatabaseFacts(exists=False)
        modules = {key: ModuleFact(state, f"{found.series}.1.0") for key, state in found.modules.items()}
        base = found.modules.get("base")
        return DatabaseFacts(
            exists=True,
            mark=found.mark.fact() if found.mark else None,
            empty=not modules,
            initialized=base in ("installed", "to upgrade"),
            series=found.series or None,
            modules=modules,
            pending_modules=tuple(sorted(key for key, state in found.modules.items() if state.startswith("to "))),
            size_bytes=found.size_bytes,
            max_connections=200,
            server_version="15.6",
        )

    def inspect(self, task: DatabaseInspect) -> DatabaseFacts:
        """`database-inspect`."""
        facts = self.facts(task.database)
        if task.needs_data:
            check_data(facts, task.database)
        if task.series is not None and facts.initialized and facts.series != task.series:
            raise VerificationFailed(f"{task.database} is of Odoo {facts.series}, the release is Odoo {task.series}.")
        return facts

    def verify(self, task: DatabaseVerify) -> DatabaseFacts:
        """`database-verify`."""
        facts = self.facts(task.database)
        faults = decide_faults(facts, expect={"base", *task.expect}, series=task.series)
        if faults:
            raise VerificationFailed(f"{task.database}: {faults[0]}", details="\n".join(faults))
        if older := decide_older(facts, task.not_below):
            raise SnapshotNewer(older[0])
        return facts

    def finish_init(self, task: DatabaseFinishInit) -> FinishResult:
        """`database-finish-init`."""
        found = self.own(task.database, task.instance, "current")
        if not found.modules:
            raise NotInitialized(f"The database {task.database} holds no Odoo.")
        facts = self.facts(task.database)
        if task.expect:
            facts = self.verify(DatabaseVerify(task.connection, task.database, task.expect, task.series))
        changed = () if found.finished else ("password",)
        found.finished = True
        return FinishResult(**vars(facts), login="admin", changed=changed)

    def read_modules(self, task: ModulesRead) -> InstalledModules:
        """`modules-read`."""
        found = self.databases.get(task.database)
        if found is None or not found.modules:
            raise NotInitialized(f"The database {task.database} holds no Odoo.")
        names = tuple(sorted(key for key, state in found.modules.items() if state in ("installed", "to upgrade")))
        return InstalledModules(names, ("en_US",), (), dict(found.checksums))

    def store_checksums(self, task: ModulesStore) -> StoredChecksums:
        """`modules-store`."""
        found = self.own(task.database, task.instance, "current")
        assert found.mark is not None
        operation, steps = decide_fence(found.mark, task.fence, task.TASK)
        found.mark = replace(found.mark, operation=operation, steps=steps)
        installed = tuple(sorted(key for key, state in found.modules.items() if state == "installed"))
        value = merge_checksums(found.checksums, installed, task.checksums, missing=task.missing, only=task.only)
        written, found.checksums = value != found.checksums, {key: str(one) for key, one in value.items()}
        return StoredChecksums(len(value), written)

    def safety_copy(self, task: DatabaseSafetyCopy) -> CopyResult:
        """`database-safety-copy`."""
        source = self.own(task.database, task.instance, "current")
        operation, steps = decide_fence(source.mark, task.fence, task.TASK)
        name = beside(task.instance, role="safety", operation=operation)
        if name in self.databases:
            self.own(name, task.instance, "safety")
            return CopyResult(name, True, 1)
        if task.database in self.sessions and not task.disconnect:
            raise DatabaseInUse(f"The database {task.database} is in use.")
        assert source.mark is not None
        source.mark = replace(source.mark, operation=operation, steps=steps)
        made = copy.deepcopy(source)
        made.mark, made.open = DataMark(task.instance, "safety", operation, at="now"), False
        self.databases[name] = made
        return CopyResult(name, False, 1)

    def give_back(self, task: DatabaseReturn) -> ReturnResult:
        """`database-return`."""
        operation = task.fence.operation
        current = self.databases.get(task.database)
        mark = DataMark(task.instance, "current")
        if current is not None:
            self.own(task.database, task.instance, "current")
            mark = current.mark or mark
        _, steps = decide_fence(mark, task.fence, task.TASK)
        safety = beside(task.instance, role="safety", operation=operation)
        previous = beside(task.instance, role="previous", operation=operation)
        back = safety in self.databases
        if back:
            self.own(safety, task.instance, "safety")
            if current is not None:
                current.mark, current.open = DataMark(task.instance, "previous", operation, at="now"), False
                self.databases[previous] = current
            restored = self.databases.pop(safety)
            restored.mark = DataMark(task.instance, "current", operation, steps, returned=operation)
            restored.open = True
            self.databases[task.database] = restored
        elif mark.returned != operation:
            raise SafetyCopyMissing(f"There is no safety copy of {task.database} of operation {operation}.")
        if not task.keep:
            self.databases.pop(previous, None)
        return ReturnResult(task.database, back, previous if previous in self.databases else None)

    def count_outgoing(self, task: OutgoingCount) -> OutgoingResult:
        """`outgoing-count`."""
        waiting = self.databases[task.database].waiting
        old = _older(waiting, task.older_than) if task.older_than else list(waiting)
        return OutgoingResult(task.database, (Waiting("mail", len(waiting), len(old), None, cancellable=True),))

    def cancel_outgoing(self, task: OutgoingCancel) -> CancelResult:
        """`outgoing-cancel`."""
        found = self.own(task.database, task.instance, "current")
        assert found.mark is not None
        operation, steps = decide_fence(found.mark, task.fence, task.TASK)
        found.mark = replace(found.mark, operation=operation, steps=steps)
        doomed = _older(found.waiting, task.older_than)
        for name in doomed:
            del found.waiting[name]
        return CancelResult(task.database, (Cancelled("mail", len(doomed)),) if doomed else ())

    def neutralize(self, task: DatabaseNeutralize) -> NeutralizeResult:
        """`database-neutralize`."""
        found = self.own(task.database, task.instance, task.role)
        if not found.modules:
            raise NotInitialized(f"The database {task.database} holds no Odoo.")
        if task.role == "current" and not task.first and not found.neutral:
            raise NeverNeutralized(f"The database {task.database} was never neutralized for this instance.")
        if task.database in self.sessions:
            raise DatabaseInUse(f"The database {task.database} is in use.")
        self._step(found, task.fence, f"{task.TASK}-again" if task.again else task.TASK)
        fresh, found.neutral, found.alive = not found.neutral, True, False
        found.uuid = f"copy by {task.fence.operation}" if fresh else found.uuid
        found.waiting.clear()
        return NeutralizeResult(task.database, (), (), len(task.statements), (), (), fresh, None, "mooring", 1)

    def verify_neutral(self, task: DatabaseVerifyNeutral) -> NeutralResult:
        """`database-verify-neutral`."""
        found = self.databases.get(task.database)
        if found is None or not found.neutral or found.alive or found.waiting:
            raise NotNeutral(f"{task.database} is not neutral.")
        return NeutralResult(task.database, (), ())

    def promote(self, task: DatabasePromote) -> PromoteResult:
        """`database-promote`."""
        found = self.own(task.database, task.instance, "current")
        self._step(found, task.fence, task.TASK)
        banner, found.neutral = found.neutral, False
        return PromoteResult(task.database, banner, (StaysOff("scheduled actions", "ir_cron", 7),), None)

    def _step(self, found: Database, fence: Fence, task: str) -> None:
        """Refuse a lower attempt, and remember this one."""
        assert found.mark is not None
        operation, steps = decide_fence(found.mark, fence, task)
        found.mark = replace(found.mark, operation=operation, steps=steps)

    def drop(self, task: DatabaseDrop) -> DropResult:
        """`database-drop`."""
        doomed = [
            name
            for name, one in self.databases.items()
            if one.mark is not None
            and one.mark.instance == task.instance
            and one.mark.role in task.roles
            and (
                one.mark.role == "current"
                or (task.operation in (None, one.mark.operation) and task.spare != one.mark.operation)
            )
        ]
        for name in doomed:
            del self.databases[name]
        gone = bool(task.owner) and self.roles.pop(task.owner or "", None) is not None
        return DropResult(tuple(doomed), gone, None)


def _older(waiting: dict[str, datetime], than: str) -> list[str]:
    return [name for name, since in waiting.items() if since < datetime.fromisoformat(than)]


def copy_files(files: Files, task: FilestoreSafetyCopy) -> FilestoreCopyResult:
    """`filestore-safety-copy`."""
    files.fence(task.instance, task.fence, task.TASK)
    key = ("safety", task.fence.operation)
    kept = key in files.copies
    files.copies.setdefault(key, list(files.current or ()))
    return FilestoreCopyResult(kept, len(files.copies[key]), 0, "link" if files.copies[key] else "none")


def return_files(files: Files, task: FilestoreReturn) -> FilestoreReturnResult:
    """`filestore-return`."""
    files.fence(task.instance, task.fence, task.TASK)
    operation = task.fence.operation
    safety = files.copies.pop(("safety", operation), None)
    if safety is not None:
        if files.current is not None:
            files.copies["previous", operation] = files.current
        files.current, files.returned = safety, operation
    elif files.returned != operation:
        raise SafetyCopyMissing(f"There is no safety copy of the filestore of operation {operation}.")
    if not task.keep:
        files.copies.pop(("previous", operation), None)
    kept = ("previous", operation) in files.copies
    return FilestoreReturnResult(safety is not None, "previous" if kept else None)


def drop_files(files: Files, task: FilestoreDrop) -> FilestoreDropResult:
    """`filestore-drop`."""
    files.fence(task.instance, task.fence, task.TASK)
    doomed = [
        key
        for key in files.copies
        if (key[0] in task.roles and task.operation in (None, key[1]) and task.spare != key[1])
        or (key[0] == "half" and "building" in task.roles)  # whoever's: nobody goes on with it
    ]
    for key in doomed:
        del files.copies[key]
    if "current" in task.roles:
        files.current = None
    return FilestoreDropResult(tuple("-".join(key) for key in doomed))


__all__ = ["Connection", "Database", "Files", "Postgres", "Role", "copy_files", "drop_files", "return_files"]
