# SPDX-License-Identifier: Apache-2.0
"""What is read of a database that is copied while it runs: whether it may be, its extensions, its rows. Changes nothing."""

from __future__ import annotations

import re

from mooring.domain.repository.manifest import RowCount
from mooring.domain.work.backup_errors import DumpBlocked
from mooring.domain.work.live_copy import DatabaseCopy
from mooring.domain.work.live_copy_errors import SourceUnfit
from mooring.drivers.postgres import SQL, Identifier, Session
from mooring.engine.backup.dump import DumpAgain
from mooring.engine.backup.exported import Facts
from mooring.engine.backup.watch import LockWatch
from mooring.engine.marks import observe_one
from mooring.engine.restore.check import base_of

_SERIES = re.compile(r"(?:saas[~-])?\d+\.\d+")


def series_of(facts: Facts) -> str | None:
    """Odoo's series by the version of `base`; None where there is no Odoo."""
    found = _SERIES.match(base_of(facts.modules) or "")
    return found[0] if found else None


def check_source(reading: Session, document: DatabaseCopy, facts: Facts, *, server_major: int) -> None:
    """Whether this is the source that was named, and whether it can live where the copy goes.

    Raises:
        SourceUnfit: it is another's, no Odoo, of another series, in another encoding, or of a newer PostgreSQL.
    """
    source = document.source
    found = observe_one(reading, source.database)
    mark = found.mark if found is not None else None
    # A database of others may be without our comment; one that says that it is something else is not read.
    if mark is not None and (mark.instance != source.instance or mark.role != "current"):
        raise SourceUnfit(
            f"The database {source.database} is the {mark.role} one of instance {mark.instance}, "
            f"not the current one of {source.instance}."
        )
    series = series_of(facts)
    if series is None:
        raise SourceUnfit(f"The database {source.database} holds no Odoo.")
    if document.series is not None and series != document.series:
        raise SourceUnfit(
            f"The source is of Odoo {series}, and the instance's release is Odoo {document.series}.",
            resolution="Give the instance an image of the source's series; `-u` cannot move data to another one.",
        )
    if facts.encoding != "UTF8":
        raise SourceUnfit(f"The database {source.database} is in {facts.encoding}; Odoo's are in UTF8.")
    if facts.server_major > server_major:
        raise SourceUnfit(
            f"The source is on PostgreSQL {facts.server_version}, the copy would be on {server_major}: older.",
            resolution=f"Put the instance on a server of PostgreSQL {facts.server_major} or newer.",
        )


def list_extensions(reading: Session) -> tuple[tuple[str, str], ...]:
    """Names and schemas of the extensions, those that others need first."""
    rows = reading.rows(
        "SELECT e.extname, n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extname <> 'plpgsql' ORDER BY e.oid",
        doing="list the extensions",
    )
    return tuple((str(name), str(schema)) for name, schema in rows)


def count_rows(reading: Session, facts: Facts, watch: LockWatch) -> tuple[RowCount, ...]:
    """Rows of every table that is dumped, in the very state that was.

    Raises:
        DumpAgain: somebody waits for our locks.
    """
    found: list[RowCount] = []
    for table in sorted(facts.tables.values(), key=lambda one: one.name):
        if table.extension:
            continue
        if blocked := watch.blocked():
            raise DumpAgain(DumpBlocked(f"The copy made others wait for its locks: {blocked}."))
        query = SQL("SELECT count(*) FROM ONLY {}").format(Identifier(table.schema, table.relation))
        found.append(RowCount(table.name, int(reading.value(query, doing=f"count the rows of {table.name}"))))
    return tuple(found)
