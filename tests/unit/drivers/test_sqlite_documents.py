# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import json
import multiprocessing
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from mooring.domain.model.identity import Ref
from mooring.drivers.clock import SystemClock
from mooring.drivers.documents import Document, VersionConflict
from mooring.drivers.files import NoSpaceLeft, NotWritable
from mooring.drivers.journal import Journal, JournalConflict
from mooring.drivers.sqlite_documents import SqliteDocuments
from mooring.drivers.sqlite_errors import StateBusy, StateCorrupt, StateTooNew
from tests.support.people import as_nobody, names

SHOP = Ref("OdooInstance", "default", "shop")
DOC = Document(SHOP, "id-1", spec={"image": "odoo:18.0"})

# As the first format was made, with an instance and what was asked of it.
FORMAT_1 = (
    """CREATE TABLE documents (
        kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, generation INTEGER NOT NULL,
        version INTEGER NOT NULL, meta TEXT NOT NULL, spec TEXT NOT NULL, status TEXT NOT NULL, deleted_at TEXT,
        PRIMARY KEY (kind, namespace, name)
    ) STRICT""",
    "CREATE TABLE writes (last INTEGER NOT NULL) STRICT",
    "INSERT INTO writes VALUES (2)",
    "INSERT INTO documents VALUES ('OdooInstance', 'default', 'shop', 'id-1', 1, 1, '{}', '{}', '{}', NULL)",
    """INSERT INTO documents VALUES ('OdooOperation', 'default', 'stop', 'id-2', 1, 2, '{}',
        '{"type":"Stop","instanceRef":{"name":"shop"}}', '{}', NULL)""",
    f"PRAGMA application_id = {0x4D4F4F52}",
    "PRAGMA user_version = 1",
)


async def opened(path: Path) -> SqliteDocuments:
    return await SqliteDocuments.open(path, clock=SystemClock())


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteDocuments]:
    documents = await opened(tmp_path / "state.db")
    yield documents
    await documents.close()


async def test_documents_survive_closing(tmp_path: Path) -> None:
    store = await opened(tmp_path / "state.db")
    stored = await store.put(DOC, if_version=None)
    await store.close()
    await store.close()
    again = await opened(tmp_path / "state.db")
    assert await again.get(SHOP) == stored
    await again.close()


async def test_files_are_for_their_owner_alone(store: SqliteDocuments, tmp_path: Path) -> None:
    await store.put(DOC, if_version=None)
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in names(tmp_path)}
    assert {"state.db", "state.db-wal", "state.db-shm"} <= set(modes)
    assert set(modes.values()) == {0o600}


async def test_open_of_a_newer_file_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    await (await opened(tmp_path / "state.db")).close()
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = (tmp_path / "state.db").read_bytes()
    with pytest.raises(StateTooNew, match="format 99"):
        await opened(tmp_path / "state.db")
    assert (tmp_path / "state.db").read_bytes() == before


async def test_file_of_format_1_is_taken_over_with_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as connection:
        for statement in FORMAT_1:
            connection.execute(statement)
    connection.close()
    store = await opened(path)
    assert [doc.ref.name for doc in await store.list(owner=SHOP)] == ["stop"]
    found = await store.get(SHOP)
    assert found is not None
    await store.put_status(replace(found, status={"phase": "Running"}), if_version=found.version)
    await store.close()
    again = await opened(path)
    assert [doc.ref.name for doc in await again.list()] == ["shop", "stop"]
    await again.close()


async def test_documents_of_one_owner_are_found_by_an_index(store: SqliteDocuments, tmp_path: Path) -> None:
    await store.put(DOC, if_version=None)
    said: list[str] = []
    connection = sqlite3.connect(tmp_path / "state.db")
    for row in connection.execute("EXPLAIN QUERY PLAN SELECT * FROM documents WHERE owner != '' AND owner = ?", ("x",)):
        said.append(str(row[-1]))  # noqa: PERF401 - the connection is closed after it
    connection.close()
    assert said == ["SEARCH documents USING INDEX owners (owner=?)"]


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"\0" * 4096], ids=["text", "zeros"])
async def test_open_of_a_damaged_file_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.db").write_bytes(content)
    with pytest.raises(StateCorrupt) as caught:
        await opened(tmp_path / "state.db")
    assert "mooring adopt" in caught.value.resolution
    assert (tmp_path / "state.db").read_bytes() == content


async def test_open_of_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(StateCorrupt, match="not one of Mooring's"):
        await opened(tmp_path / "state.db")


async def test_read_of_a_damaged_page_says_what_to_do(tmp_path: Path) -> None:
    store = await opened(tmp_path / "state.db")
    await store.put(DOC, if_version=None)
    await store.close()
    whole = (tmp_path / "state.db").read_bytes()
    # The first page, which opening reads, is as it was; the others are not. SQLite's page size is 4096 bytes.
    schema_only = whole[:4096] + b"\xff" * (len(whole) - 4096)
    (tmp_path / "state.db").write_bytes(schema_only)
    store = await opened(tmp_path / "state.db")
    with pytest.raises(StateCorrupt, match="damaged"):
        await store.list()
    await store.close()


async def test_read_of_a_damaged_record_names_it(store: SqliteDocuments, tmp_path: Path) -> None:
    await store.put(DOC, if_version=None)
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("UPDATE documents SET spec = '{'")
    connection.close()
    with pytest.raises(StateCorrupt, match="OdooInstance shop"):
        await store.get(SHOP)


async def test_open_without_permission_says_so() -> None:
    with as_nobody() as folder:
        with pytest.raises(NotWritable):
            await opened(folder / "state.db")
        assert names(folder) == []


async def test_put_on_a_full_disk_says_so_and_the_store_goes_on(store: SqliteDocuments) -> None:
    stored = await store.put(DOC, if_version=None)
    # SQLite reports a file that may not grow by the same code as a full disk.
    await store._run(lambda: store._connection.execute("PRAGMA max_page_count = 8").fetchone())
    with pytest.raises(NoSpaceLeft, match="nothing was written"):
        await store.put(replace(DOC, spec={"big": "x" * 100_000}), if_version=stored.version)
    assert await store.get(SHOP) == stored
    await store._run(lambda: store._connection.execute("PRAGMA max_page_count = 1000000").fetchone())
    assert (await store.put(replace(DOC, spec={"big": "x" * 100_000}), if_version=stored.version)).generation == 2


async def test_write_while_somebody_holds_the_file_for_too_long_says_so(store: SqliteDocuments, tmp_path: Path) -> None:
    await store._run(lambda: store._connection.execute("PRAGMA busy_timeout = 50").fetchone())
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateBusy):
        await store.put(DOC, if_version=None)
    assert await store.get(SHOP) is None
    other.execute("ROLLBACK")
    other.close()
    await store.put(DOC, if_version=None)


async def test_cancelled_write_leaves_no_open_transaction(store: SqliteDocuments, tmp_path: Path) -> None:
    for n in range(20):
        task = asyncio.ensure_future(store.put(Document(Ref("K", "default", f"n{n}"), "i"), if_version=None))
        await asyncio.sleep(0)
        task.cancel()
    other = await opened(tmp_path / "state.db")
    async with asyncio.timeout(5):
        await other.put(DOC, if_version=None)
    await other.close()


def _cpu_s(work: Callable[[], object]) -> float:
    """The least of several runs, in seconds of this thread: other work on the machine does not count."""
    times = []
    for _ in range(10):
        started = time.thread_time()
        work()
        times.append(time.thread_time() - started)
    return min(times)


async def test_list_of_a_thousand_documents_costs_little_more_than_reading_their_json(store: SqliteDocuments) -> None:
    spec = {"image": "odoo:18.0", "configOptions": {f"key{n}": "value" for n in range(20)}}
    condition = {
        "status": "True",
        "reason": "Reason",
        "message": "some words",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    status = {"phase": "Running", "conditions": [{"type": f"T{n}", **condition} for n in range(6)]}
    texts = (json.dumps({}), json.dumps(spec), json.dumps(status))
    connection = store._connection
    rows = [("OdooInstance", "default", f"shop{n}", "i", 1, n, *texts, None) for n in range(1000)]

    def fill() -> None:
        with store._transaction():
            connection.executemany("INSERT INTO documents VALUES (?,?,?,?,?,?,?,?,?,?,'')", rows)

    await store._run(fill)

    def bare() -> object:
        return [
            [json.loads(text) for text in row] for row in connection.execute("SELECT meta, spec, status FROM documents")
        ]

    assert len(await store.list("OdooInstance")) == 1000
    listed = await store._run(lambda: _cpu_s(lambda: store._list("OdooInstance", None)))
    assert listed < 2 * await store._run(lambda: _cpu_s(bare))


async def test_changes_sees_what_another_process_writes(store: SqliteDocuments, tmp_path: Path) -> None:
    async with aclosing(cast("Any", store.changes())) as changes, asyncio.timeout(20):
        await store.put(DOC, if_version=None)
        assert await anext(changes) == SHOP
        waiting = asyncio.ensure_future(anext(changes))
        process = await asyncio.to_thread(
            multiprocessing.get_context("spawn").Process, target=_put_one, args=(tmp_path / "state.db",)
        )
        process.start()
        assert await waiting == Ref("OdooInstance", "default", "other")
        process.join()


class CountingClock(SystemClock):
    def __init__(self) -> None:
        self.slept: list[float] = []
        self.enough = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == 50:
            self.enough.set()
        await asyncio.sleep(0)


async def test_changes_without_changes_reads_no_table(tmp_path: Path) -> None:
    clock = CountingClock()
    store = await SqliteDocuments.open(tmp_path / "state.db", clock=clock)
    statements: list[str] = []
    await store._run(lambda: store._connection.set_trace_callback(statements.append))
    waiting = asyncio.ensure_future(anext(cast("Any", store.changes())))
    await clock.enough.wait()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert set(clock.slept) == {0.5}
    assert sum("SELECT" in statement for statement in statements) == 1
    await store.close()


def _put_one(path: Path) -> None:
    async def put() -> None:
        store = await opened(path)
        await store.put(Document(Ref("OdooInstance", "default", "other"), "id-2"), if_version=None)
        await store.close()

    asyncio.run(put())


def _count_up(path: Path, rounds: int) -> int:
    async def count() -> int:
        store = await opened(path)
        conflicts = 0
        for _ in range(rounds):
            while True:
                doc = await store.get(SHOP)
                assert doc is not None
                try:
                    await store.put_status(
                        replace(doc, status={"n": doc.status.get("n", 0) + 1}), if_version=doc.version
                    )
                    break
                except VersionConflict:
                    conflicts += 1
        await store.close()
        return conflicts

    return asyncio.run(count())


async def test_put_status_by_many_processes_loses_no_write(store: SqliteDocuments, tmp_path: Path) -> None:
    await store.put(DOC, if_version=None)

    def race() -> list[int]:
        with multiprocessing.get_context("spawn").Pool(3) as pool:
            return pool.starmap(_count_up, [(tmp_path / "state.db", 40)] * 3)

    await asyncio.to_thread(race)
    doc = await store.get(SHOP)
    assert doc is not None
    assert doc.status == {"n": 120}


def _append(path: Path, by: int, rounds: int) -> int:
    async def append() -> int:
        store = await opened(path)
        journal, won = Journal(store), 0
        for _ in range(rounds):
            expect = len(await journal.load(SHOP))
            try:
                await journal.append(SHOP, {"by": by, "number": expect}, expect=expect)
                won += 1
            except JournalConflict:
                pass
        await store.close()
        return won

    return asyncio.run(append())


async def test_journal_of_two_processes_has_each_number_once(store: SqliteDocuments, tmp_path: Path) -> None:
    await store.put(DOC, if_version=None)

    def race() -> list[int]:
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            return pool.starmap(_append, [(tmp_path / "state.db", by, 50) for by in range(2)])

    won = await asyncio.to_thread(race)
    steps = await Journal(store).load(SHOP)
    assert [step["number"] for step in steps] == list(range(len(steps)))
    assert [sum(step["by"] == by for step in steps) for by in range(2)] == won


def _open_only(path: Path) -> str:
    async def work() -> str:
        store = await opened(path)
        await store.close()
        return "ok"

    return asyncio.run(work())


async def test_open_of_a_new_file_by_many_processes_at_once_works(tmp_path: Path) -> None:
    def race() -> None:
        with multiprocessing.get_context("spawn").Pool(4) as pool:
            for n in range(5):
                assert pool.map(_open_only, [tmp_path / f"{n}.db"] * 4, chunksize=1) == ["ok"] * 4

    await asyncio.to_thread(race)


_WRITE = """
import asyncio, sys
from pathlib import Path
from mooring.domain.model.identity import Ref
from mooring.drivers.clock import SystemClock
from mooring.drivers.journal import Journal
from mooring.drivers.sqlite_documents import SqliteDocuments

async def main():
    store = await SqliteDocuments.open(Path(sys.argv[1]), clock=SystemClock())
    journal = Journal(store)
    ref = Ref("OdooInstance", "default", "shop")
    n = len(await journal.load(ref))
    while True:
        await journal.append(ref, {"n": n}, expect=n)
        n += 1
        print(n, flush=True)

asyncio.run(main())
"""


def _killed_writer(path: Path, delay: float) -> int:
    """How many records a writer said to have written before it was killed."""
    with subprocess.Popen([sys.executable, "-c", _WRITE, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        lines = (first + writer.stdout.read()).split(b"\n")
    return int(lines[-2])  # what follows the last line break is a part of a line, or nothing


async def test_writer_killed_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = await opened(path)
    await store.put(DOC, if_version=None)
    for delay in (0.0, 0.004, 0.011, 0.05):
        acknowledged = await asyncio.to_thread(_killed_writer, path, delay)
        steps = await Journal(store).load(SHOP)
        assert len(steps) >= acknowledged > 0
        assert [step["n"] for step in steps] == list(range(len(steps)))
    await store.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
