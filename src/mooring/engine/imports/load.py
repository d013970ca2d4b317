# SPDX-License-Identifier: Apache-2.0
"""The task `database-load`: a received dump, loaded into the database beside the instance's own, as its owner.

The owner is no superuser, and nothing but the server reads the statements: psql is not run. Archives of pg_dump's own form
are turned into text first, so that one set of rules stands for all. The first error ends it.
"""

from __future__ import annotations

import dataclasses
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mooring.domain.work.backup_errors import SnapshotUnfit
from mooring.domain.work.errors import (
    ExtensionMissing,
    RightsMissing,
    ServerReadOnly,
    SqlFailed,
)
from mooring.domain.work.import_errors import ArchiveUnreadable, LoadFailed, LoadInterrupted
from mooring.domain.work.imports import ArchiveReceived, DatabaseLoad, DatabaseLoaded
from mooring.domain.work.names import beside, lock_key
from mooring.drivers.postgres import SQL, Identifier, Session
from mooring.drivers.postgres_programs import Program, observe_clients
from mooring.engine.backup.toc import decide_reader
from mooring.engine.imports.budget import Budget
from mooring.engine.imports.receive import DUMP, load_received, received_folder
from mooring.engine.imports.rules import Decision, Verdict, decide_statement
from mooring.engine.imports.sql import Source, SqlReader
from mooring.engine.marks import check_ours, fenced, now, observe_one, write_mark
from mooring.engine.prepare import is_empty
from mooring.engine.report import Reporter
from mooring.engine.restore.program import choose_reader
from mooring.engine.server import NOT_INTO_THIS_DATABASE, open_session
from mooring.engine.volume import Volume, locked_volume

_TEXT_OPTIONS = (
    "--no-owner",
    "--no-acl",
    "--no-tablespaces",
    "--no-security-labels",
    "--no-publications",
    "--no-subscriptions",
)
_SAY_BYTES = 8 << 20


def ensure_loaded(document: DatabaseLoad, report: Reporter) -> DatabaseLoaded:
    """The task. One that was loaded to its end is kept; one that was begun and not ended is refused, to be dropped.

    Raises:
        DumpRefused, ArchiveUnreadable, ArchiveUnfit: the dump is not one that is loaded; what is current is untouched.
        LoadFailed, ExtensionMissing: the server refuses it; the same.
        LoadInterrupted: an earlier run was stopped in its middle.
        MooringError: PostgreSQL or the volume cannot be used.
    """
    begun = time.monotonic()
    volume = Volume(Path(document.data_dir), document.database)
    with ExitStack() as stack:
        session = stack.enter_context(_locked(document, report))
        stack.enter_context(
            locked_volume(volume, report, instance=document.instance, fence=document.fence, task=document.TASK)
        )
        name = session_name(document)
        built = observe_one(session, name)
        if built is None:
            raise LoadInterrupted(f"There is no database {name} to load into.")
        mark = fenced(check_ours(built, document.instance, role="building"), document.fence, document.TASK)
        if mark.at:
            return _result(session, name, SqlLoad(session, report), begun, kept=True)
        write_mark(session, name, mark)
        folder = received_folder(volume, document.fence.operation)
        received = load_received(folder)
        if received is None:
            raise LoadInterrupted("The archive was not received to its end.")
        if not is_empty(session):
            raise LoadInterrupted(f"The database {name} was loaded in part by a run that was stopped.")
        _check_role(session)
        load = SqlLoad(session, report, total=received.dump_bytes)
        with _open(folder / DUMP, received) as source:
            load.run(source)
        # The dump may have left settings behind; what follows reads as everybody does.
        session.execute("SET search_path = pg_catalog", doing="set up the session")
        report.progress("analyze")
        session.execute("ANALYZE", doing="count what is there")
        write_mark(session, name, dataclasses.replace(mark, at=now()))
        return _result(session, name, load, begun, kept=False)


def session_name(document: DatabaseLoad) -> str:
    """The database that is loaded."""
    return beside(document.instance, role="building", operation=document.fence.operation)


@dataclasses.dataclass
class SqlLoad:
    """Runs a dump's statements, one by one.

    Attributes:
        session: the owner's, in the new database.
        total: bytes of the dump, for people.
    """

    session: Session
    report: Reporter
    total: int = 0
    statements: int = 0
    passed: int = 0
    rows: int = 0
    done_bytes: int = 0
    _said: int = 0

    def run(self, source: Source) -> None:
        """Load all of it.

        Raises:
            DumpRefused, ArchiveUnreadable, LoadFailed, ExtensionMissing, NotEnoughSpace: see their texts.
        """
        reader = SqlReader(source)
        for statement in reader.statements():
            self._say(len(statement))
            decision = decide_statement(statement, reader.number)
            try:
                self._run(decision, statement, reader)
            except (SqlFailed, RightsMissing, ServerReadOnly) as fault:
                if decision.verdict is Verdict.EXTENSION:
                    raise ExtensionMissing(
                        f"The dump needs the extension {decision.name}, which its owner may not make here.",
                        details=fault.details,
                        resolution="Where that extension is wanted, have an administrator add it to the server's trusted ones.",
                    ) from None
                what = b" ".join(statement.split(None, 3)[:3]).decode(errors="replace")[:60]
                raise LoadFailed(
                    f"PostgreSQL refuses statement {reader.number} of the dump ({what} …).", details=fault.details
                ) from None

    def _run(self, decision: Decision, statement: bytes, reader: SqlReader) -> None:
        doing = f"load statement {reader.number}"
        match decision.verdict:
            case Verdict.SKIP:
                self.passed += 1
            case Verdict.COPY:
                copied = self.session.copy_in(statement.rstrip(b"; \n\t"), self._counted(reader), doing=doing)
                self.rows += max(copied, 0)
                self.statements += 1
            case Verdict.EXTENSION:
                self._extension(decision, doing)
            case Verdict.SCHEMA:
                query = SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(decision.name))
                self.session.execute(query, doing=doing)
                self.statements += 1
            case Verdict.RUN:
                self.session.run_alone(statement, doing=doing)
                self.statements += 1

    def _extension(self, decision: Decision, doing: str) -> None:
        """As the owner: the server itself lets it make the trusted ones only."""
        where = SQL(" WITH SCHEMA {}").format(Identifier(decision.schema)) if decision.schema else SQL("")
        query = SQL("CREATE EXTENSION IF NOT EXISTS {}").format(Identifier(decision.name)) + where
        self.session.execute(query, doing=doing)
        self.statements += 1

    def _counted(self, reader: SqlReader) -> Iterator[bytes]:
        for piece in reader.rows():
            self._say(len(piece))
            yield piece

    def _say(self, size: int) -> None:
        self.done_bytes += size
        if self.done_bytes - self._said >= _SAY_BYTES:
            self._said = self.done_bytes
            self.report.progress("load", self.done_bytes, max(self.total, self.done_bytes))


@contextmanager
def _locked(document: DatabaseLoad, report: Reporter) -> Iterator[Session]:
    """A session in the new database, while the instance's lock is held where every task holds it."""
    report.progress("connect")
    name = session_name(document)
    with ExitStack() as stack:
        try:
            keeper = stack.enter_context(open_session(document.connection, task=document.TASK))
        except NOT_INTO_THIS_DATABASE:
            keeper = stack.enter_context(
                open_session(document.connection, task=document.TASK, database=document.database)
            )
        report.progress("lock")
        keeper.lock(lock_key(document.instance), wait_s=document.fence.wait_s)
        yield stack.enter_context(open_session(document.connection, task=document.TASK, database=name))


def _check_role(session: Session) -> None:
    """Nothing of a stranger's is run by a role that may do more than own a database.

    Raises:
        LoadFailed: the role is a superuser, or has its rights by another.
    """
    odd = session.rows(
        "SELECT rolname FROM pg_roles WHERE pg_has_role(rolname, 'MEMBER') AND (rolsuper OR rolcreaterole OR rolreplication"
        " OR rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')) LIMIT 1",
        doing="look at the role's rights",
    )
    if odd:
        raise LoadFailed(
            f"The instance's role may do what {odd[0][0]} may: a dump of a stranger's is not run with such rights.",
            resolution="Take these rights from the role; it needs no more than to own its database.",
        )


@contextmanager
def _open(dump: Path, received: ArchiveReceived) -> Iterator[Source]:
    """The dump as text."""
    if received.layout == "plain":
        with dump.open("rb") as file:
            yield file
        return
    with dump.open("rb") as file:
        head = file.read(64)
    try:
        needed = decide_reader(head) if received.layout == "custom" else 0
    except SnapshotUnfit as fault:
        raise ArchiveUnreadable(fault.brief) from None
    client = choose_reader(observe_clients(), archive=needed, server_major=0)
    argv = (client.path("pg_restore"), "--file=-", *_TEXT_OPTIONS, str(dump))
    with Program(argv, stdout=subprocess.PIPE) as program:
        yield _Printed(program, Budget(dump.stat().st_size))


class _Printed:
    """What pg_restore prints; its end is one only where it ended well."""

    def __init__(self, program: Program, budget: Budget) -> None:
        self._program, self._budget = program, budget

    def read(self, size: int, /) -> bytes:
        data = self._program.stdout.read(size)
        self._budget.take(len(data))
        if not data and self._program.wait():
            raise ArchiveUnreadable("pg_restore cannot read the dump to its end.", details=self._program.said())
        return data


def _result(session: Session, name: str, load: SqlLoad, begun: float, *, kept: bool) -> DatabaseLoaded:
    tables, size = session.rows(
        "SELECT (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'"
        " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'), pg_database_size(current_database())",
        doing="measure what was loaded",
    )[0]
    return DatabaseLoaded(
        database=name,
        kept=kept,
        statements=load.statements,
        tables=int(tables),
        rows=load.rows,
        passed=load.passed,
        size_bytes=int(size),
        duration_ms=int((time.monotonic() - begun) * 1000),
    )
