# SPDX-License-Identifier: Apache-2.0
"""The task `database-safety-copy`: the database of a stopped instance, copied beside it on the same server.

PostgreSQL itself refuses the copy while anyone is connected, and keeps new sessions out while it runs, so nothing has to be
switched off that a kill would leave off. The copy is made under a building name; its own name and the comment that makes it
a safety copy come in one transaction at the end: what carries the comment is whole.
"""

from __future__ import annotations

from mooring.domain.work.copies import DatabaseSafetyCopy
from mooring.domain.work.errors import DatabaseForeign, DatabaseMissing, NoRoomLeft, NotEnoughSpace
from mooring.domain.work.mark import DataMark
from mooring.domain.work.names import beside
from mooring.domain.work.results import CopyResult
from mooring.drivers.postgres import SQL, Identifier, Session
from mooring.engine.databases import ensure_absent, when_free
from mooring.engine.marks import (
    Database,
    check_ours,
    locked_server,
    now,
    observe_all,
    observe_current,
    observe_one,
    write_mark,
)
from mooring.engine.report import Reporter

# Room for what the server writes beside the files themselves.
_SPARE = 1.05
# Below it, copying through the log is faster than the two checkpoints of a copy of files.
_FILE_COPY_FROM_BYTES = 256 << 20


def ensure_safety_copy(document: DatabaseSafetyCopy, report: Reporter) -> CopyResult:
    """The task. Safe to repeat: a whole copy of the same operation is kept.

    Raises:
        DatabaseMissing, DatabaseForeign, StaleAttempt: nothing was changed.
        DatabaseInUse: somebody is connected; says who.
        NotEnoughSpace: by `freeBytes`, or the server's disk is full.
        NoRoomLeft: the same, after the copies of earlier operations were dropped.
    """
    with locked_server(
        document.connection, report, instance=document.instance, fence=document.fence, task=document.TASK
    ) as session:
        source, mark = observe_current(
            session, document.database, instance=document.instance, fence=document.fence, task=document.TASK
        )
        if source is None:
            raise DatabaseMissing(f"There is no database {document.database}.")
        name = beside(document.instance, role="safety", operation=document.fence.operation)
        size = int(
            session.value("SELECT pg_database_size(%s::name)", (document.database,), doing="measure the database")
        )
        left = observe_one(session, name)
        if left is not None:
            check_ours(left, document.instance, role="safety")
            return CopyResult(database=name, kept=True, size_bytes=size)
        older = _older_copies(session, document) if document.make_room else ()
        fits = _fits(session, document, size=size, older=older)
        write_mark(session, document.database, mark)
        if fits:
            try:
                _copy(session, document, source, name=name, size=size, report=report)
            except NotEnoughSpace:
                if not older:
                    raise
            else:
                return CopyResult(database=name, kept=False, size_bytes=size)
        for old in older:
            report.progress(f"drop {old}")
            ensure_absent(session, old)
        try:
            _copy(session, document, source, name=name, size=size, report=report)
        except NotEnoughSpace as fault:
            raise NoRoomLeft(fault.brief, details=fault.details) from None
        return CopyResult(database=name, kept=False, size_bytes=size, dropped=older)


def _older_copies(session: Session, document: DatabaseSafetyCopy) -> tuple[str, ...]:
    """What earlier operations of this instance left beside its database."""
    return tuple(
        one.name
        for one in observe_all(session, document.instance)
        if one.mark and one.mark.role in ("safety", "previous") and one.mark.operation != document.fence.operation
    )


def _fits(session: Session, document: DatabaseSafetyCopy, *, size: int, older: tuple[str, ...]) -> bool:
    """Whether the copy fits beside the older ones.

    Raises:
        NotEnoughSpace: it does not fit without them either.
    """
    free = document.free_bytes
    if free is None or size * _SPARE <= free:
        return True
    freed = sum(
        int(session.value("SELECT pg_database_size(%s::name)", (name,), doing=f"measure {name}")) for name in older
    )
    if size * _SPARE > free + freed:
        raise NotEnoughSpace(f"A safety copy of {document.database} needs {size} bytes, the server has {free} free.")
    return False


def ensure_building_absent(session: Session, name: str, instance: str) -> None:
    """Drop what an interrupted run left under a building name.

    Raises:
        DatabaseForeign: something of that name is another instance's.
    """
    left = observe_one(session, name)
    if left and left.mark and (left.mark.instance != instance or left.mark.role != "building"):
        raise DatabaseForeign(f"The database {name} is the {left.mark.role} one of instance {left.mark.instance}.")
    ensure_absent(session, name)


def _copy(
    session: Session, document: DatabaseSafetyCopy, source: Database, *, name: str, size: int, report: Reporter
) -> None:
    building = beside(document.instance, role="building", operation=document.fence.operation)
    ensure_building_absent(session, building, document.instance)
    strategy = " STRATEGY FILE_COPY" if session.major >= 15 and size >= _FILE_COPY_FROM_BYTES else ""
    words = SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
        Identifier(building), Identifier(source.owner), Identifier(source.name)
    )

    def copy() -> None:
        session.execute(words + SQL(strategy), doing=f"copy the database {source.name}")

    report.progress("copy", 0, size)
    when_free(session, source.name, copy, wait_s=document.fence.wait_s, disconnect=document.disconnect)
    mark = DataMark(document.instance, "building", document.fence.operation)
    write_mark(session, building, mark)
    report.progress("publish", size, size)

    def publish() -> None:
        with session.transaction():
            copy_settings(session, source.name, building)
            session.execute(
                SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(Identifier(building)), doing="close the copy"
            )
            session.execute(
                SQL("ALTER DATABASE {} RENAME TO {}").format(Identifier(building), Identifier(name)),
                doing=f"name the copy {name}",
            )
            write_mark(session, name, DataMark(document.instance, "safety", document.fence.operation, at=now()))

    when_free(session, building, publish, wait_s=30, disconnect=True)


def copy_settings(session: Session, source: str, copy: str) -> None:
    """What belongs to a database and is not copied from a template: who may connect, and its settings."""
    session.execute(
        SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(Identifier(copy)), doing="close the copy"
    )
    grants = session.rows(
        "SELECT a.privilege_type, CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END, a.is_grantable"
        " FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = %s",
        (source,),
        doing="read who may connect",
    )
    for privilege, role, grantable in grants:
        session.execute(
            SQL("GRANT {} ON DATABASE {} TO {}{}").format(
                _PRIVILEGES[privilege],
                Identifier(copy),
                SQL("PUBLIC") if role is None else Identifier(role),
                SQL(" WITH GRANT OPTION" if grantable else ""),
            ),
            doing="let the same roles connect",
        )
    settings = session.rows(
        "SELECT split_part(c, '=', 1), substr(c, strpos(c, '=') + 1),"
        " CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END"
        " FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c"
        " WHERE d.datname = %s",
        (source,),
        doing="read the database's settings",
    )
    for setting, value, role in settings:
        # FROM CURRENT writes the value as it is stored, lists and quotes included.
        session.execute("SELECT set_config(%s, %s, true)", (setting, value), doing=f"copy the setting {setting}")
        place = SQL("DATABASE {}").format(Identifier(copy))
        if role is not None:
            place = SQL("ROLE {} IN DATABASE {}").format(Identifier(role), Identifier(copy))
        session.execute(
            SQL("ALTER {} SET {} FROM CURRENT").format(place, Identifier(*setting.split("."))),
            doing=f"copy the setting {setting}",
        )


_PRIVILEGES = {"CONNECT": SQL("CONNECT"), "CREATE": SQL("CREATE"), "TEMPORARY": SQL("TEMPORARY")}
