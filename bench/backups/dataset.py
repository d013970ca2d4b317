# SPDX-License-Identifier: Apache-2.0
"""What is backed up: a filestore of office-like sizes, and the database of a real Odoo with seven apps."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

from bench.backups.box import ODOO, Box
from bench.commands import RunFailed
from mooring.domain.work.common import Connection, Fence
from mooring.domain.work.database import DatabaseProvision

APPS = "sale_management,stock,account,purchase,crm,project,mass_mailing"
DATABASE, OWNER, INSTANCE = "shop", "shop", "b0" * 10
# A statement is an argument of psql, which the kernel bounds.
BATCH = 400
SMALLEST, LARGEST = 512, 64 << 20


def lay_files(store: Path, *, files: int, total_bytes: int, seed: int = 1) -> list[tuple[str, int]]:
    """Files named by their SHA-1 as Odoo's are: `xx/SHA-1` and size of each.

    Sizes are lognormal, as those of office documents (Agrawal et al., A Five-Year Study of File-System Metadata, 2007).
    Every second file is random bytes, as pictures and PDF are; the others halve when they are compressed.
    """
    dice = random.Random(seed)
    wished = [dice.lognormvariate(0, 1.6) for _ in range(files)]
    scale = total_bytes / sum(wished)
    laid: list[tuple[str, int]] = []
    for number, one in enumerate(wished):
        size = min(max(int(one * scale), SMALLEST), LARGEST)
        content = dice.randbytes(size) if number % 2 else dice.randbytes(size // 2).hex().encode()
        laid.append((_lay(store, content), len(content)))
    return laid


def replace_files(
    store: Path, laid: list[tuple[str, int]], *, count: int, seed: int
) -> tuple[list[tuple[str, int]], int]:
    """As many new files of the sizes of old ones, as if people had changed them: (new ones, bytes after compression)."""
    dice = random.Random(seed)
    new, compressed = [], 0
    for number, (_, size) in enumerate(dice.sample(laid, count)):
        content = dice.randbytes(size) if number % 2 else dice.randbytes(size // 2).hex().encode()
        compressed += len(content) if number % 2 else len(content) // 2
        new.append((_lay(store, content), len(content)))
    return new, compressed


def name_files(box: Box, laid: list[tuple[str, int]]) -> None:
    """Attachments for the files, in the database."""
    for begin in range(0, len(laid), BATCH):
        rows = ",".join(
            f"('bench','{name}','{name[3:]}',{size},'binary',now(),now())" for name, size in laid[begin : begin + BATCH]
        )
        box.query(
            "INSERT INTO ir_attachment (name, store_fname, checksum, file_size, type, create_date, write_date) VALUES "
            + rows,
            DATABASE,
        )


def install(box: Box, provision: str) -> None:
    """A real Odoo with seven apps, in the database that `provision` (a document's path) makes.

    Raises:
        RunFailed: Odoo did not install them.
    """
    box.run("mooring", "task", DatabaseProvision.TASK, "--document", provision)
    conf = box.write(
        "odoo.conf",
        f"[options]\ndb_host = {box.name}-postgres\ndb_user = {OWNER}\ndb_password = {box.password}\n"
        "data_dir = /data\nlist_db = False\n",
    )
    data = box.folder / "data"
    data.mkdir(exist_ok=True)
    argv = [
        "odoo",
        "--config",
        "/bench/odoo.conf",
        "-d",
        DATABASE,
        "-i",
        APPS,
        "--stop-after-init",
        "--without-demo=all",
    ]
    name = box.start("odoo", argv, image=ODOO, user="0", binds=[f"{box.folder}:/bench", f"{data}:/data"])
    code = box.engine.wait(name)["StatusCode"]
    states = box.query("SELECT count(*) FROM ir_module_module WHERE state = 'installed'", DATABASE)
    if code or int(states) < len(APPS.split(",")):
        raise RunFailed(f"Odoo ended with {code} ({conf}): {box.engine.logs(name, tail=5).decode()[-600:]}")
    box.engine.remove_container(name)


def provision(box: Box) -> DatabaseProvision:
    """The document that makes role and database."""
    return DatabaseProvision(
        connection(box, "admin"), Fence("bench-p", 1), INSTANCE, DATABASE, OWNER, box.path("password")
    )


def connection(box: Box, user: str) -> Connection:
    """How a task reaches the server."""
    return Connection(
        user=user, password_file=box.path("password"), host=f"{box.name}-postgres", port=5432, sslmode="disable"
    )


def _lay(store: Path, content: bytes) -> str:
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    path = store / digest[:2] / digest
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return f"{digest[:2]}/{digest}"
