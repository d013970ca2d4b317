# SPDX-License-Identifier: Apache-2.0
"""A plain dump in statements: what ends where, and what does not belong into a dump."""

from __future__ import annotations

import io

import pytest

from mooring.domain.work.import_errors import ArchiveUnreadable, DumpRefused
from mooring.engine.imports.rules import Verdict, decide_statement
from mooring.engine.imports.sql import SqlReader
from mooring.errors import MooringError

DUMP = rb"""--
-- PostgreSQL database dump
\restrict aB3
SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN x := ';\'; END $$;
CREATE FUNCTION g() RETURNS int LANGUAGE sql AS $_a$ SELECT $$;$$ ; $_a$;
CREATE TABLE a$b$c (x text DEFAULT 'it''s; \ ' , "y;\" text DEFAULT E'q\'; \\');
COPY public."a ""b" ("x y", z) FROM stdin;
1	\N
\\.
\.

COPY public.no_columns  FROM stdin;


\.
COPY public.empty (a) FROM stdin;
\.
/* x /* y */ ; */
SELECT pg_catalog.setval('x', 1, true);
ALTER TABLE x OWNER TO odoo;
\unrestrict aB3
"""


class Slow:
    """Gives a few bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self._file, self._step = io.BytesIO(data), step

    def read(self, _size: int, /) -> bytes:
        return self._file.read(self._step)


def run(data: bytes, step: int = 1 << 20) -> list[tuple[Verdict, bytes]]:
    """Verdicts with the statement, and with a COPY its rows."""
    reader = SqlReader(Slow(data, step))
    found = []
    for statement in reader.statements():
        verdict = decide_statement(statement, reader.number).verdict
        rows = b"".join(reader.rows()) if verdict is Verdict.COPY else b""
        found.append((verdict, statement + rows))
    return found


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 4096])
def test_dump_read_in_any_pieces_gives_the_same_statements_and_rows(step: int) -> None:
    found = run(DUMP, step)
    assert [verdict.name for verdict, _ in found] == [
        "SKIP",
        "RUN",
        "RUN",
        "RUN",
        "RUN",
        "COPY",
        "COPY",
        "COPY",
        "RUN",
        "SKIP",
    ]
    assert found[5][1].endswith(b"stdin;1\t\\N\n\\\\.\n")
    assert found[6][1].endswith(b"stdin;\n\n")
    assert found[7][1].endswith(b"stdin;")


@pytest.mark.parametrize(
    ("statement", "verdict"),
    [
        ("CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;", "EXTENSION"),
        ("CREATE EXTENSION IF NOT EXISTS pg_stat_statements WITH SCHEMA public;", "SKIP"),
        ("CREATE SCHEMA public;", "SCHEMA"),
        ("COMMENT ON EXTENSION unaccent IS 'x';", "SKIP"),
        ("COMMENT ON TABLE public.x IS 'y';", "RUN"),
        ("GRANT ALL ON TABLE x TO y;", "SKIP"),
        ("ALTER DEFAULT PRIVILEGES FOR ROLE x GRANT SELECT ON TABLES TO y;", "SKIP"),
        ("SET transaction_timeout = 0;", "SKIP"),
        ("SET default_with_oids = false;", "SKIP"),
        ("SET client_encoding = 'UTF8';", "RUN"),
        ("DROP TABLE IF EXISTS public.x;", "SKIP"),
        ("ALTER TABLE IF EXISTS ONLY public.x DROP CONSTRAINT IF EXISTS y;", "SKIP"),
        ("CREATE UNIQUE INDEX x ON y USING btree (z);", "RUN"),
        ("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';", "RUN"),
        ("INSERT INTO public.x VALUES (1);", "RUN"),
        ("SELECT pg_catalog.lo_create('16400');", "RUN"),
        ("BEGIN;", "RUN"),
        ("ALTER LARGE OBJECT 16400 OWNER TO odoo;", "SKIP"),
        ("CREATE OR REPLACE PROCEDURAL LANGUAGE plpgsql;", "SKIP"),
        ('COPY "other schema"."DATA" (n) FROM stdin;', "COPY"),
    ],
)
def test_statement_of_pg_dumps_is_known(statement: str, verdict: str) -> None:
    assert decide_statement(statement.encode(), 1).verdict.name == verdict


@pytest.mark.parametrize(
    "text",
    [
        "\\! touch /tmp/gone\n",
        "SELECT pg_catalog.setval('x', 1) \\! touch /tmp/gone\n;",
        "\\copy x from program 'id'\n",
        "\\connect other\n",
        "\\i /etc/passwd\n",
        "\\restrict a b\n",
        "\\unrestrict `id`\n",
        "\\o |id\n",
        "\\gexec\n",
        "COPY x FROM PROGRAM 'id';",
        "COPY x FROM '/etc/passwd';",
        "COPY x TO '/tmp/x';",
        "COPY x FROM stdin; \\! id\n\\.\n",
        "CREATE DATABASE other;",
        "DROP DATABASE shop;",
        "ALTER DATABASE shop RENAME TO other;",
        "CREATE ROLE r SUPERUSER;",
        "ALTER ROLE r PASSWORD 'x';",
        "ALTER SYSTEM SET x = 1;",
        "SET ROLE admin;",
        "SET SESSION AUTHORIZATION admin;",
        "SET session_preload_libraries = 'x';",
        "SET standard_conforming_strings = off;",
        "SET client_encoding = 'SJIS';",
        "DO $$ BEGIN END $$;",
        "CALL p();",
        "LOAD 'x';",
        "UPDATE pg_catalog.pg_class SET relname = 'x';",
        "DELETE FROM x;",
        "SELECT pg_read_file('/etc/passwd');",
        "WITH x AS (DELETE FROM y) SELECT 1;",
        "CREATE LANGUAGE plpython3u;",
        "CREATE FOREIGN DATA WRAPPER x;",
        "CREATE SERVER x FOREIGN DATA WRAPPER y;",
        "CREATE USER MAPPING FOR x SERVER y;",
        "CREATE EVENT TRIGGER x ON ddl_command_start EXECUTE FUNCTION y();",
        "CREATE TABLESPACE x LOCATION '/tmp';",
        "REASSIGN OWNED BY x TO y;",
        "DROP OWNED BY x;",
        "VACUUM;",
        "LISTEN x;",
        "PREPARE TRANSACTION 'x';",
    ],
)
def test_dump_with_what_pg_dump_never_writes_is_refused(text: str) -> None:
    with pytest.raises(DumpRefused):
        run(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE x (a int",
        "CREATE TABLE x (a text DEFAULT 'open",
        "COPY x FROM stdin;\n1\n2",
        "/* open",
        "SELECT $$ x",
    ],
)
@pytest.mark.parametrize("step", [1, 4096])
def test_dump_that_ends_too_early_is_unreadable(text: str, step: int) -> None:
    with pytest.raises(ArchiveUnreadable):
        run(text.encode(), step)


def test_statement_without_an_end_is_refused_before_memory_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mooring.engine.imports.sql.MOST_STATEMENT_BYTES", 1 << 20)
    with pytest.raises(DumpRefused):
        run(b"CREATE TABLE x (a text DEFAULT '" + b"a" * (3 << 20))


def test_refusal_names_the_place_and_no_data() -> None:
    with pytest.raises(MooringError) as refused:
        run(b"SET statement_timeout = 0;\nUPDATE res_users SET password = 'secret';")
    assert "Statement 2" in refused.value.brief
    assert "secret" not in str(refused.value) + refused.value.details
