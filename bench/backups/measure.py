# SPDX-License-Identifier: Apache-2.0
"""The parts: backup and restore beside the others, what a change sends, many small files, production's latency."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench.backups import dataset, production
from bench.backups.box import Box
from bench.backups.counting import Counted, counting
from bench.backups.ours import Ours
from bench.backups.peers import Restic, Whole
from bench.commands import Run, RunFailed
from bench.figures import Figure, Part, ratios

MIB = 1 << 20
FILES, TOTAL = 11_500, 2 << 30
FIRST, FIRST_WHOLE, UNCHANGED = 0.5, 0.12, 0.7
RESTORE, RESTORE_WHOLE = 0.7, 0.4
CHANGE_REQUESTS, APPEND_MIB, UPDATE_SHARE = 30, 1.0, 0.20
LATENCY = 1.3
MANY, MANY_MIB = 100_000, 150.0


def prepare(box: Box, *, files: int = FILES, total_bytes: int = TOTAL) -> list[tuple[str, int]]:
    """The instance that is backed up: its database, its files."""
    document = dataset.provision(box)
    path = box.write("provision.json", json.dumps(document.to_json()))
    dataset.install(box, path)
    laid = dataset.lay_files(store(box), files=files, total_bytes=total_bytes)
    dataset.name_files(box, laid)
    return laid


def store(box: Box) -> Path:
    """The filestore."""
    return box.folder / "data" / "filestore" / dataset.DATABASE


def beside(box: Box, *, repeats: int) -> Part:
    """First and unchanged backup and restore: ours, restic's and the whole archive's, in turn."""
    runs: dict[str, list[Run]] = {}
    failed: list[str] = []

    def take(name: str, work: Callable[[], Run]) -> None:
        try:
            run = work()
        except RunFailed as fault:
            failed.append(f"{name}: {fault}")
            return
        print(f"    {name}: {run.wall_s:.1f} s, processor {run.cpu_s:.1f} s, {run.rss_bytes / MIB:.0f} MiB", flush=True)
        runs.setdefault(name, []).append(run)

    whole = Whole(box)
    for number in range(repeats):
        print(f"  turn {number + 1} of {repeats}", flush=True)
        ours, restic = Ours(box, f"ours-{number}"), Restic(box, f"restic-{number}")
        ours.init()
        restic.init()
        take("restic first", restic.backup)
        take("ours first", ours.backup)
        take("restic unchanged", restic.backup)
        take("ours unchanged", ours.backup)
        if not number:
            take("whole backup", whole.backup)
            take("whole restore", whole.restore)
        take("restic restore", restic.restore)
        take("ours restore", lambda ours=ours: _restored(ours))  # type: ignore[misc]
        box.clear(f"ours-{number}", f"restic-{number}")

    def wall(name: str) -> tuple[float, ...]:
        return tuple(one.wall_s for one in runs.get(name, ()))

    def by(ours: str, other: str, limit: float, name: str) -> Figure:
        mine, theirs = wall(ours), wall(other)
        if len(theirs) == 1:
            theirs *= len(mine)
        known = len(mine) == len(theirs)
        return Figure(name, "ratio", ratios(mine, theirs) if known else (), limit, () if known else tuple(failed))

    return Part(
        "Backup and restore",
        f"{FILES:,} files of 2 GiB, every second one incompressible, and the database of an Odoo 14.0 with seven apps; S3 by "
        "`rclone serve s3`; encrypted, with the compression that each has by default. Time of the program, in a container that "
        "runs already. restic is Debian's 0.14 with a dump that is not compressed, which it compresses itself; its "
        "restore writes the dump down for `pg_restore -j 2`. The whole archive is `pg_dump -Fc`, a tar.gz of the files and "
        "a tar.gz of both, uploaded by rclone, unencrypted, once. Ours restores beside, counts every row, checks every file.",
        (
            by("ours first", "restic first", FIRST, "first backup by restic + pg_dump"),
            by("ours first", "whole backup", FIRST_WHOLE, "first backup by the whole archive"),
            by("ours unchanged", "restic unchanged", UNCHANGED, "unchanged by restic + pg_dump"),
            by("ours restore", "restic restore", RESTORE, "restore by restic + pg_restore"),
            by("ours restore", "whole restore", RESTORE_WHOLE, "restore by the whole archive"),
            *(Figure(name, "s", wall(name)) for name in sorted(runs)),
            *(Figure(f"processor, {name}", "s", tuple(one.cpu_s for one in runs[name])) for name in sorted(runs)),
            *(
                Figure(f"memory, {name}", "MiB", tuple(one.rss_bytes / MIB for one in runs[name]))
                for name in sorted(runs)
                if name.startswith("ours")
            ),
        ),
        lists={"Runs that failed": tuple(failed)} if failed else {},
    )


def _restored(ours: Ours) -> Run:
    ours.forget()
    database, files = ours.restore()
    ours.forget()
    return Run(
        database.wall_s + files.wall_s,
        database.cpu_s + files.cpu_s,
        max(database.rss_bytes, files.rss_bytes),
        0,
        "",
        "",
    )


def changes(box: Box, laid: list[tuple[str, int]], *, rows: int = 1_000_000) -> Part:
    """What is sent after one file of a hundred changed, and after rows of a table of 1 GB did."""
    gateway = box.engine.inspect_network(box.name)["IPAM"]["Config"][0]["Gateway"]
    address = box.engine.inspect_container(f"{box.name}-s3")["NetworkSettings"]["Networks"][box.name]["IPAddress"]
    ours = Ours(box, "changes")
    ours.init()
    _fill(box, rows)
    table_bytes = _compressed(box)
    ours.backup()
    with counting(gateway, address, 9000) as (url, counted):
        ours.through(url)

        def send() -> Counted:
            counted.take()
            ours.backup()
            return counted.take()

        unchanged = send()
        new, compressed = dataset.replace_files(store(box), laid, count=len(laid) // 100, seed=7)
        dataset.name_files(box, new)
        files = send()
        box.query(_rows("1, 1000"), dataset.DATABASE)
        appended = send()
        box.query(
            "UPDATE mail_message SET subject = 'changed'"
            " WHERE id IN (SELECT id FROM mail_message ORDER BY md5(id::text) LIMIT 1000)",
            dataset.DATABASE,
        )
        updated = send()
    limit = 1.1 * compressed + MIB
    return Part(
        "What a change sends",
        f"The same instance, and a `mail_message` of {rows:,} rows (1 GB as COPY text). Bytes that the client sends to the S3 "
        "server, heads of requests included, counted on the way.",
        (
            Figure(
                "one file of a hundred changed, by 1.1 times what they compress to + 1 MiB",
                "ratio",
                (files.sent_bytes / limit,),
                1.0,
            ),
            Figure("requests of that backup", "", (float(files.requests.total()),), CHANGE_REQUESTS),
            Figure("1,000 rows appended to the table of 1 GB", "MiB", (appended.sent_bytes / MIB,), APPEND_MIB),
            Figure(
                "1,000 random rows updated, by the table compressed",
                "ratio",
                (updated.sent_bytes / table_bytes,),
                UPDATE_SHARE,
            ),
            Figure("the table, compressed", "MiB", (table_bytes / MIB,)),
            Figure("nothing changed", "MiB", (unchanged.sent_bytes / MIB,)),
            Figure("requests of that backup, nothing changed", "", (float(unchanged.requests.total()),)),
        ),
        lists={
            "Requests": tuple(
                f"{name}: {', '.join(f'{count} {method}' for method, count in sorted(one.requests.items()))}"
                for name, one in (
                    ("unchanged", unchanged),
                    ("files", files),
                    ("appended", appended),
                    ("updated", updated),
                )
            )
        },
    )


def many(box: Box, *, files: int = MANY) -> Part:
    """Memory and requests with many small files."""
    box.query("DELETE FROM ir_attachment WHERE store_fname IS NOT NULL AND name = 'bench'", dataset.DATABASE)
    dataset.name_files(box, dataset.lay_files(store(box), files=files, total_bytes=files * 8192, seed=3))
    ours, restic = Ours(box, "many"), Restic(box, "restic-many")
    ours.init()
    restic.init()
    theirs, mine = restic.backup(), ours.backup()
    again = ours.backup()
    return Part(
        "Many small files",
        f"{files:,} files of 8 KiB in the mean, and the database of before.",
        (
            Figure("memory of the first backup", "MiB", (mine.rss_bytes / MIB,), MANY_MIB),
            Figure("memory, unchanged", "MiB", (again.rss_bytes / MIB,), MANY_MIB),
            Figure("first backup by restic + pg_dump", "ratio", (mine.wall_s / theirs.wall_s,), FIRST),
            Figure("first backup", "s", (mine.wall_s,)),
            Figure("memory of restic", "MiB", (theirs.rss_bytes / MIB,)),
        ),
    )


def latency(box: Box, *, window_s: float) -> Part:
    """How long production's pages take while it is backed up."""
    with production.serving(box) as url:
        production.ask(url, 5.0)
        before = production.ask(url, window_s)
        ours = Ours(box, "latency")
        ours.init()
        over = threading.Event()
        backups: list[str] = []

        def work() -> None:
            while not over.is_set():
                try:
                    ours.backup()
                except RunFailed as fault:
                    backups.append(str(fault))
                    return
                box.clear("latency")
                ours.init()

        thread = threading.Thread(target=work, name="backups")
        thread.start()
        time.sleep(1)
        during = production.ask(url, window_s)
        over.set()
        thread.join()
    return Part(
        "Production during a backup",
        f"Odoo's login page asked for {production.RATE} times a second for {window_s:.0f} s, alone and while first backups run "
        "one after the other. The web, PostgreSQL, the S3 server and the backup share this machine's cores.",
        (
            Figure(
                "95 of 100 requests, during by without",
                "ratio",
                (_p95(during) / _p95(before),),
                LATENCY,
                tuple(backups),
            ),
            Figure("95 of 100 requests, without", "ms", (_p95(before) * 1000,)),
            Figure("95 of 100 requests, during", "ms", (_p95(during) * 1000,)),
        ),
    )


def _fill(box: Box, rows: int) -> None:
    box.query(_rows(f"1, {rows}"), dataset.DATABASE)


def _rows(span: str) -> str:
    # Text that halves when it is compressed, of about a thousand bytes, as mail is.
    return (
        "INSERT INTO mail_message (subject, body, model, message_type, date, create_date, write_date)"
        " SELECT 'Message ' || n, (SELECT string_agg(md5(random()::text || n || k), ' ') FROM generate_series(1, 28) k),"
        f" 'res.partner', 'comment', now(), now(), now() FROM generate_series({span}) n"
    )


def _compressed(box: Box) -> int:
    said = box.engine.exec_create(
        f"{box.name}-postgres",
        ["sh", "-c", f"psql -U admin -h /tmp -d {dataset.DATABASE} -c 'COPY mail_message TO STDOUT' | gzip -1 | wc -c"],
    )
    return int(box.engine.exec_start(said["Id"]).decode().strip())


def _p95(samples: list[float]) -> float:
    return sorted(samples)[int(len(samples) * 0.95)]
