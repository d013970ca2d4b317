# SPDX-License-Identifier: Apache-2.0
"""Small pure parts of backup and restore."""

from __future__ import annotations

import pytest

from mooring.domain.work.backup_errors import ClientMissing, SnapshotUnfit
from mooring.drivers.postgres_programs import Client
from mooring.engine.backup.dump import estimate_scratch
from mooring.engine.backup.exported import Table, is_nameable
from mooring.engine.backup.folders import render_conf
from mooring.engine.backup.source import choose_client
from mooring.engine.backup.toc import decide_reader, parse_toc, render_list
from mooring.engine.restore.program import Verdict, choose_reader

CLIENTS = tuple(Client(major, f"/{major}") for major in (13, 15, 17))
TOC = """;
; Archive created at 2026-11-21 11:00:00 UTC
;
2; 3079 16385 EXTENSION - pg_trgm\x20
3500; 0 0 COMMENT - EXTENSION pg_trgm\x20
5; 2615 2200 SCHEMA - public postgres
3501; 0 0 COMMENT - SCHEMA public postgres
6; 2615 16999 SCHEMA - DATA shop
215; 1259 16400 TABLE DATA things shop
216; 1259 16410 TABLE public res_partner shop
3464; 0 16410 TABLE DATA public res_partner shop
3502; 0 0 COMMENT public TABLE res_partner shop
"""


def test_toc_tells_rows_from_a_schema_named_data() -> None:
    rows = [item for item in parse_toc(TOC) if item.has_rows]
    assert [(item.file, item.oid) for item in rows] == [("3464.dat", 16410)]


def test_list_leaves_out_what_an_administrator_prepares() -> None:
    kept = render_list(parse_toc(TOC))
    assert "EXTENSION" not in kept
    assert "SCHEMA - public" not in kept
    assert "SCHEMA - DATA" in kept
    assert "COMMENT public TABLE res_partner" in kept
    assert "SCHEMA - DATA" not in render_list(parse_toc(TOC), schemas=("DATA",))


@pytest.mark.parametrize(
    ("version", "reader"), [((1, 14), 12), ((1, 15), 16), ((1, 16), 17)], ids=["13 to 15", "16", "17"]
)
def test_archive_says_who_reads_it(version: tuple[int, int], reader: int) -> None:
    assert decide_reader(b"PGDMP" + bytes(version) + b"\x00") == reader


@pytest.mark.parametrize("head", [b"", b"-- SQL", b"PGDMP\x01\x20\x00"], ids=["empty", "text", "of the future"])
def test_archive_that_nobody_knows_is_refused(head: bytes) -> None:
    with pytest.raises(SnapshotUnfit):
        decide_reader(head)


@pytest.mark.parametrize(("server", "client"), [(13, 13), (14, 15), (16, 17), (17, 17)])
def test_dump_is_made_by_the_oldest_client_that_may(server: int, client: int) -> None:
    assert choose_client(CLIENTS, server).major == client


def test_dump_of_a_server_newer_than_all_clients_is_refused() -> None:
    with pytest.raises(ClientMissing, match="PostgreSQL 18; clients here: 13, 15, 17"):
        choose_client(CLIENTS, 18)


@pytest.mark.parametrize(
    ("archive", "server", "client"), [(12, 13, 13), (12, 15, 15), (17, 13, 17), (12, 18, 17)],
    ids=["same", "newer server", "newer archive", "server newer than all"],
)  # fmt: skip
def test_restore_uses_the_oldest_client_that_reads_and_knows(archive: int, server: int, client: int) -> None:
    assert choose_reader(CLIENTS, archive=archive, server_major=server).major == client


def test_scratch_is_for_the_largest_tables_in_work_at_once() -> None:
    tables = {n: Table(f"t{n}", "public", f"t{n}", n << 30, 0, extension=False) for n in range(1, 5)}
    assert estimate_scratch(tables, 1) < estimate_scratch(tables, 2) < (12 << 30)
    wide = {1: Table("t", "public", "t", 1 << 30, 1 << 30, extension=False)}
    assert estimate_scratch(wide, 1) > (3 << 30)


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("ab/ab12", True), ("ab/ab12.pdf", True), ("", False), ("/etc/passwd", False), ("../x", False), ("a/../x", False),
        ("a//b", False), ("a b", False), ("a\nb", False), (".mooring/x", False), ("a/.hidden", False), ("é/é", False),
    ],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_no_names(name: str, *, good: bool) -> None:
    assert is_nameable(name) is good


def test_conf_loses_secrets_and_keeps_the_rest() -> None:
    text = (
        "[options]\nadmin_passwd = a b\n  continued\nworkers=2\ndb_password: x\n; db_password = old\n"
        "[queue_job]\napi_key = k\nchannels = root:1\n  more\n"
    )
    kept = render_conf(text)
    for word in ("a b", "continued", "x\n", "old", "= k"):
        assert word not in kept
    assert "workers=2\n" in kept
    assert "channels = root:1\n  more\n" in kept


class Ended:
    """A program that ended with this code."""

    def __init__(self, code: int) -> None:
        self.code = code

    def wait(self) -> int:
        return self.code

    def said(self) -> str:
        return "pg_restore: error: something"


SETTING = (
    'pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"',
    "Command was: SET transaction_timeout = 0;",
)
MIXED = (
    'pg_restore: pg_restore: error: error: could not execute query: ERROR:  unrecognized "transaction_timeout"',
    "Command was: SET transaction_timeout = 0;",
    'could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"',
    "Command was: SET transaction_timeout = 0;",
)
IGNORED = "pg_restore: warning: errors ignored on restore: {}"


@pytest.mark.parametrize(
    ("lines", "code", "good"),
    [
        ((), 0, True),
        ((*SETTING, IGNORED.format(1)), 1, True),
        ((*SETTING, *SETTING, *SETTING, IGNORED.format(2)), 1, True),
        ((*MIXED, IGNORED.format(2)), 1, True),
        (SETTING, 1, False),
        ((*SETTING, "pg_restore: error: could not write to large object", IGNORED.format(2)), 1, False),
        ((*SETTING, "pg_restore: error: could not execute query: ERROR: x", "Command was: CREATE TABLE", IGNORED.format(2)),
         1, False),
        ((*SETTING, "pg_restore: error: COPY failed for table x", IGNORED.format(2)), 1, False),
        ((*SETTING, IGNORED.format(1)), 2, False),
    ],
    ids=["well", "one", "workers", "mixed lines", "died", "large object", "statement", "rows", "other code"],
)  # fmt: skip
def test_only_the_unknown_setting_is_let_pass(lines: tuple[str, ...], code: int, *, good: bool) -> None:
    from mooring.domain.work.backup_errors import RestoreFailed

    verdict = Verdict(tolerant=True)
    for line in lines:
        verdict.hear(line)
    program = Ended(code)
    if good:
        verdict.check_end(program)  # type: ignore[arg-type]
    else:
        with pytest.raises(RestoreFailed):
            verdict.check_end(program)  # type: ignore[arg-type]


def test_nothing_is_let_pass_where_the_server_knows_the_setting() -> None:
    from mooring.domain.work.backup_errors import RestoreFailed

    verdict = Verdict(tolerant=False)
    for line in (*SETTING, IGNORED.format(1)):
        verdict.hear(line)
    with pytest.raises(RestoreFailed):
        verdict.check_end(Ended(1))  # type: ignore[arg-type]
