# SPDX-License-Identifier: Apache-2.0
"""The task `template-pack`, and the other way round: a filestore inside its database, so that one copy brings both.

A template's files lie in a table of a schema of our own. Unpacking writes them into the instance's filestore and drops the
schema last: a copy that still has it is not finished. In the same transaction it gets what a template must not pass on.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from mooring.domain.work.common import Connection, Fence
from mooring.domain.work.database import DatabaseVerify
from mooring.domain.work.template_errors import TemplateUnfit
from mooring.domain.work.templates import SCHEMA, TemplatePack, TemplatePacked, template_building
from mooring.drivers.postgres import SQL, Identifier, Session
from mooring.engine.inspect import is_table, verify_database
from mooring.engine.parameters import ensure_parameter
from mooring.engine.report import Reporter
from mooring.engine.server import open_session
from mooring.engine.tree import sync, sync_all
from mooring.engine.volume import Volume, locked_volume

_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{40}")
# What Odoo makes anew where it is missing, and no two instances may share.
_OWN = (
    "database.uuid",
    "database.secret",
    "mail.web_push_vapid_private_key",
    "mail.web_push_vapid_public_key",
)


def ensure_packed(document: TemplatePack, report: Reporter) -> TemplatePacked:
    """The task `template-pack`. Safe to repeat.

    Raises:
        VerificationFailed: Odoo did not do what is expected.
        TemplateUnfit: a file that the database names is missing, or not what its name says.
    """
    database = template_building(document.template)
    facts = verify_database(DatabaseVerify(document.connection, database, document.expect, document.series), report)
    store = Volume(Path(document.data_dir), database).current
    with open_session(document.connection, task=document.TASK, database=database) as session:
        with session.transaction():
            files, size = _pack(session, store, report)
            session.execute(
                "DELETE FROM public.ir_config_parameter WHERE key = ANY (%s)",
                (list(_OWN),),
                doing="forget the identity",
            )
        report.progress("measure the tables")
        session.execute("VACUUM (ANALYZE)", doing="measure the tables")
    return TemplatePacked(modules=len(facts.modules), files=files, bytes=size)


def _pack(session: Session, store: Path, report: Reporter) -> tuple[int, int]:
    session.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(SCHEMA)), doing="begin anew")
    session.execute(SQL("CREATE SCHEMA {}").format(Identifier(SCHEMA)), doing="make room for the files")
    session.execute("CREATE TABLE mooring_template.made AS SELECT now() AS at", doing="write when it was made")
    session.execute(
        "CREATE TABLE mooring_template.file (name text PRIMARY KEY, content bytea NOT NULL)",
        doing="make room for the files",
    )
    session.execute(
        "ALTER TABLE mooring_template.file ALTER COLUMN content SET STORAGE EXTERNAL", doing="make room for the files"
    )
    names = session.rows(
        "SELECT DISTINCT store_fname FROM public.ir_attachment WHERE store_fname IS NOT NULL ORDER BY 1",
        doing="list the attachments",
    )
    size = 0
    for number, (name,) in enumerate(names):
        content = _read(store, str(name))
        size += len(content)
        session.execute("INSERT INTO mooring_template.file VALUES (%s, %s)", (name, content), doing="keep a file")
        if number % 200 == 0:
            report.progress("pack", number, len(names))
    return len(names), size


def _read(store: Path, name: str) -> bytes:
    path = store / name
    if not _NAME.fullmatch(name) or not path.is_file() or path.is_symlink():
        raise TemplateUnfit(f"The attachment's file {name} is not there.")
    content = path.read_bytes()
    if hashlib.sha1(content, usedforsecurity=False).hexdigest() != path.name:
        raise TemplateUnfit(f"The attachment's file {name} is not what its name says.")
    return content


def ensure_unpacked(
    connection: Connection, report: Reporter, *, database: str, data_dir: str, instance: str, fence: Fence, task: str
) -> int:
    """Write the files of a copy into the instance's filestore, and make the copy its own; how many there were.

    Nothing is done in a database without our schema. Safe to repeat.

    Args:
        connection: the owner's.
        data_dir: Odoo's, of the instance.
        fence: of the task that asks.
        task: its name.

    Raises:
        FilestoreFailed: a file cannot be written.
        MooringError: see `locked_volume`.
    """
    with open_session(connection, task=task, database=database) as session:
        if not session.value("SELECT to_regnamespace(%s) IS NOT NULL", (SCHEMA,), doing="look for a template's files"):
            return 0
        volume = Volume(Path(data_dir), database)
        with locked_volume(volume, report, instance=instance, fence=fence, task=task):
            count = _unpack(session, volume.current, report)
        with session.transaction():
            _refresh(session)
            session.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(SCHEMA)), doing="say that it is finished")
        return count


def _unpack(session: Session, store: Path, report: Reporter) -> int:
    store.mkdir(mode=0o755, parents=True, exist_ok=True)
    folders: set[Path] = set()
    count = 0
    with session.transaction():
        for name, content in session.stream("SELECT name, content FROM mooring_template.file", doing="read the files"):
            if not _NAME.fullmatch(name):
                raise TemplateUnfit(f"The template holds a file with an odd name: {str(name)[:80]!r}.")
            path = store / name
            if path.parent not in folders:
                path.parent.mkdir(mode=0o755, exist_ok=True)
                folders.add(path.parent)
            _write(path, content)
            count += 1
            if count % 200 == 0:
                report.progress("files", count)
    sync_all(store)
    sync(store.parent)
    return count


def _write(path: Path, content: bytes) -> None:
    aside = path.with_name(f"{path.name}.new")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    aside.replace(path)


def _refresh(session: Session) -> None:
    """Times that count from an instance's beginning, and tokens that open a record to whoever knows them."""
    moment = session.value("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')", doing="read the time")
    ensure_parameter(session, "database.create_date", str(moment))
    if is_table(session, "ir_cron"):
        # Whole days: a job that runs at three in the morning goes on doing so.
        session.execute(
            "UPDATE public.ir_cron SET nextcall = nextcall + d.days FROM (SELECT date_trunc('day', now() - at) AS days"
            " FROM mooring_template.made) d WHERE d.days > interval '0'",
            doing="set the scheduled jobs",
        )
    tables = session.rows(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE n.nspname = 'public' AND c.relkind = 'r' AND a.attname = 'access_token' AND NOT a.attisdropped"
        " AND a.atttypid IN ('varchar'::regtype, 'text'::regtype) ORDER BY 1",
        doing="look for tokens",
    )
    for (table,) in tables:
        query = SQL("UPDATE public.{} SET access_token = gen_random_uuid()::text WHERE access_token IS NOT NULL")
        session.execute(query.format(Identifier(table)), doing=f"give {table} tokens of its own")
