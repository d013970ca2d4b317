# SPDX-License-Identifier: Apache-2.0
"""Archives that people bring, sound and hostile, through the task that takes them in."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from mooring.domain.work.common import Fence
from mooring.domain.work.imports import ArchiveReceive, ArchiveSource, OdooManager
from tests.support.engine_server import done, refused
from tests.support.http_server import serve_http

SQL = b"--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.6\n\nCREATE TABLE x (a int);\n"
FILES = {f"{hashlib.sha1(one).hexdigest()[:2]}/{hashlib.sha1(one).hexdigest()}": one for one in (b"one", b"two" * 999)}
MANIFEST = json.dumps({"odoo_dump": "1", "version": "14.0", "major_version": "14.0", "pg_version": "15.0"}).encode()


def receive(home: Path, path: Path | None, **source: Any) -> ArchiveReceive:
    (home / "data").mkdir(exist_ok=True)
    given = ArchiveSource(path=str(path) if path else None, **source)
    return ArchiveReceive(Fence("op-i", 1, wait_s=1), "id-1", str(home / "data"), "shop", given, "14.0")


def received(home: Path) -> Path:
    return home / "data" / ".mooring" / "building-op-i.building"


def stored(home: Path) -> dict[str, bytes]:
    root = received(home) / "filestore"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def odoo_zip(entries: dict[str, bytes] | None = None, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in (entries if entries is not None else sound()).items():
            archive.writestr(name, content)
    return buffer.getvalue()


def sound() -> dict[str, bytes]:
    return {"dump.sql": SQL, "manifest.json": MANIFEST, **{f"filestore/{name}": one for name, one in FILES.items()}}


def tar(members: list[tuple[str, bytes | tarfile.TarInfo]], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                archive.addfile(content)
            else:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def special(kind: bytes, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo()
    member.type, member.linkname = kind, link
    return member


def stack(**parts: bytes) -> bytes:
    store = tar([(f"var/lib/odoo/filestore/shop/{name}", one) for name, one in FILES.items()])
    addons = tar([("addons/my_module/__manifest__.py", b"{}"), ("addons/link", special(tarfile.SYMTYPE, "/etc"))])
    given = {
        "database.dump": SQL,
        "filestore.tar.gz": store,
        "addons.tar.gz": addons,
        "backup.info": b"Date: today\nDatabase: shop\n",
        **{name.replace("_", "."): content for name, content in parts.items()},
    }
    folder = "odoo_backup_2026-01-02_03-04-05"
    return tar([(f"{folder}/{name}", content) for name, content in given.items()])


def test_zip_of_odoos_is_unpacked_and_described(tmp_path: Path) -> None:
    path = tmp_path / "shop.zip"
    path.write_bytes(odoo_zip())
    result = done(receive(tmp_path, path))
    assert (result["kind"], result["layout"], result["series"], result["serverMajor"]) == (
        "odoo-zip",
        "plain",
        "14.0",
        15,
    )
    assert (result["files"], result["altered"], result["filestore"]) == (2, 0, True)
    assert stored(tmp_path) == FILES
    assert (received(tmp_path) / "dump").read_bytes() == SQL
    path.unlink()  # what was received is not got again
    assert done(receive(tmp_path, path)) == result


def test_stack_archive_gives_its_one_filestore_and_names_its_addons(tmp_path: Path) -> None:
    path = tmp_path / "odoo_backup.tar.gz"
    path.write_bytes(stack())
    result = done(receive(tmp_path, path))
    assert (result["kind"], result["series"], result["addons"]) == ("stack", "", ["my_module"])
    assert stored(tmp_path) == FILES
    assert not (received(tmp_path) / "stores").exists()


def test_click_odoo_folder_is_only_read(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    for name, content in sound().items():
        target = folder / name.replace("dump.sql", "db.dump")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    (folder / "filestore" / "checklist").mkdir()
    before = {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in folder.rglob("*")}
    result = done(receive(tmp_path, folder))
    assert (result["kind"], result["files"], result["series"]) == ("click-odoo", 2, "14.0")
    assert stored(tmp_path) == FILES
    assert {
        path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in folder.rglob("*")
    } == before


@pytest.mark.parametrize("below", ["", "filestore/shop/"], ids=["bare", "in its place"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_plain_dump_takes_its_filestore_from_a_folder(tmp_path: Path, *, packed: bool, below: str) -> None:
    path, folder = tmp_path / "shop.sql", tmp_path / "files"
    path.write_bytes(gzip.compress(SQL) if packed else SQL)
    for name, content in FILES.items():
        (folder / below / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / below / name).write_bytes(content)
    result = done(receive(tmp_path, path, filestore=str(folder)))
    assert (result["kind"], result["files"], result["filestore"]) == ("dump", 2, True)
    assert stored(tmp_path) == FILES
    assert (received(tmp_path) / "dump").read_bytes() == SQL


def test_file_that_is_not_what_its_name_says_is_counted_and_kept(tmp_path: Path) -> None:
    path, name = tmp_path / "shop.zip", next(iter(FILES))
    path.write_bytes(odoo_zip({**sound(), f"filestore/{name}": b"other"}))
    assert done(receive(tmp_path, path))["altered"] == 1
    assert stored(tmp_path)[name] == b"other"


def _linked_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("dump.sql", SQL)
        link = zipfile.ZipInfo("filestore/ab/link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return buffer.getvalue()


def _device_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        node = zipfile.ZipInfo("filestore/ab/node")
        node.external_attr = 0o020666 << 16
        archive.writestr(node, "")
    return buffer.getvalue()


def _twice_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("dump.sql", SQL)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("dump.sql", SQL)
    return buffer.getvalue()


def _wrong_crc() -> bytes:
    data = bytearray(odoo_zip(method=zipfile.ZIP_STORED))
    data[data.index(SQL) + 5] ^= 1
    return bytes(data)


def _encrypted() -> bytes:
    data = bytearray(odoo_zip())
    entry = data.index(b"PK\x01\x02")
    struct.pack_into("<H", data, entry + 8, struct.unpack_from("<H", data, entry + 8)[0] | 1)
    return bytes(data)


def _lies_about_its_size() -> bytes:
    data = bytearray(odoo_zip({"dump.sql": b"a" * (1 << 20)}))
    entry = data.index(b"PK\x01\x02")
    struct.pack_into("<I", data, entry + 24, 10)
    return bytes(data)


def _overlapping() -> bytes:
    """Two entries whose contents are one: forty of them would be a bomb."""
    data = odoo_zip({"dump.sql": os.urandom(4000)}, zipfile.ZIP_STORED)
    entry, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    again = bytearray(data[entry:end])
    again[again.index(b"dump.sql") : again.index(b"dump.sql") + 8] = b"dump.two"
    tail = bytearray(data[end:])
    struct.pack_into("<HH", tail, 8, 2, 2)
    struct.pack_into("<I", tail, 12, (end - entry) * 2)
    return data[:end] + bytes(again) + bytes(tail)


def _stack_with(*members: tuple[str, bytes | tarfile.TarInfo]) -> bytes:
    return tar([("b/database.dump", SQL), *members])


def _sparse() -> tarfile.TarInfo:
    member = special(tarfile.GNUTYPE_SPARSE)
    member.size = 0
    return member


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "zip with a path that leads up": (lambda: odoo_zip({"../dump.sql": SQL}), "571"),
    "zip with a path that leads up inside": (lambda: odoo_zip({"filestore/../../x": b""}), "571"),
    "zip with an absolute path": (lambda: odoo_zip({"/etc/cron.d/x": b""}), "571"),
    "zip with a drive": (lambda: odoo_zip({"C:/x": b""}), "571"),
    "zip with backslashes": (lambda: odoo_zip({"filestore\\..\\x": b""}), "571"),
    "zip with a control character": (lambda: odoo_zip({"filestore/a\nb": b""}), "571"),
    "zip with a very long path": (lambda: odoo_zip({"a/" * 600: b""}), "571"),
    "zip with a link": (_linked_zip, "571"),
    "zip with a device": (_device_zip, "571"),
    "zip with one path twice": (_twice_zip, "571"),
    "zip with one path in two spellings": (lambda: odoo_zip({"dump.sql": SQL, "./dump.sql": SQL}), "571"),
    "zip with two dumps": (lambda: odoo_zip({"dump.sql": SQL, "db.dump": SQL}), "571"),
    "zip bomb": (lambda: odoo_zip({"dump.sql": SQL + b"-" * (100 << 20)}), "571"),
    "zip of overlapping entries": (_overlapping, "571"),
    "zip with a huge manifest": (lambda: odoo_zip({"dump.sql": SQL, "manifest.json": b" " * (17 << 20)}), "571"),
    "zip with a wrong checksum": (_wrong_crc, "570"),
    "zip that is encrypted": (_encrypted, "570"),
    "zip that lies about a size": (_lies_about_its_size, "570"),
    "zip packed otherwise": (lambda: odoo_zip(method=zipfile.ZIP_LZMA), "570"),
    "zip that is cut off": (lambda: odoo_zip()[:-60], "570"),
    "zip with a manifest that is none": (lambda: odoo_zip({"dump.sql": SQL, "manifest.json": b"[" * 9999}), "570"),
    "zip without a dump": (lambda: odoo_zip({"manifest.json": MANIFEST}), "572"),
    "zip of another series": (lambda: odoo_zip({"dump.sql": SQL, "manifest.json": MANIFEST.replace(b"14.", b"15.")}), "572"),
    "zip whose dump is none": (lambda: odoo_zip({"dump.sql": b"\x7fELF\0\0"}), "570"),
    "tar with a path that leads up": (lambda: _stack_with(("../x", b"")), "571"),
    "tar with an absolute path": (lambda: _stack_with(("/etc/x", b"")), "571"),
    "tar with a link": (lambda: _stack_with(("b/x", special(tarfile.SYMTYPE, "/etc"))), "571"),
    "tar with a hard link": (lambda: _stack_with(("b/x", special(tarfile.LNKTYPE, "/etc/passwd"))), "571"),
    "tar with a device": (lambda: _stack_with(("b/x", special(tarfile.CHRTYPE))), "571"),
    "tar with a pipe": (lambda: _stack_with(("b/x", special(tarfile.FIFOTYPE))), "571"),
    "tar with a file of holes": (lambda: _stack_with(("b/x", _sparse())), "571"),
    "tar with one path twice": (lambda: _stack_with(("b/database.dump", SQL)), "571"),
    "tar bomb": (lambda: _stack_with(("b/x", b"\0" * (100 << 20))), "571"),
    "tar with a link in its filestore": (
        lambda: stack(filestore_tar_gz=tar([("filestore/shop/ab", special(tarfile.SYMTYPE, "/etc"))])), "571"),
    "tar with a path that leads up in its filestore": (lambda: stack(filestore_tar_gz=tar([("../../x", b"")])), "571"),
    "tar with a path that leads up in its add-ons": (lambda: stack(addons_tar_gz=tar([("../../x", b"")])), "571"),
    "tar bomb in a tar": (lambda: stack(filestore_tar_gz=tar([("x", b"\0" * (100 << 20))])), "571"),
    "tar with one file by two paths": (
        lambda: stack(filestore_tar_gz=tar([(f"{top}/filestore/shop/{next(iter(FILES))}", b"one") for top in "ab"])), "571"),
    "tar with two filestores": (
        lambda: stack(filestore_tar_gz=tar([(f"filestore/{db}/{next(iter(FILES))}", b"one") for db in "ab"])), "572"),
    "tar without a dump": (lambda: tar([("b/backup.info", b"x")]), "572"),
    "tar that is cut off": (lambda: stack()[:-100], "570"),
    "tar with a filestore that is none": (lambda: stack(filestore_tar_gz=b"none"), "570"),
    "gzip with a wrong checksum": (lambda: gzip.compress(SQL)[:-8] + b"\0" * 8, "570"),
    "gzip bomb": (lambda: gzip.compress(SQL + b"-" * (100 << 20)), "571"),
    "nothing": (lambda: b"", "570"),
    "something else": (lambda: b"\x89PNG\r\n" + b"x" * 999, "570"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "code"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_archive_is_refused_and_nothing_of_it_is_anywhere(
    tmp_path: Path, make: Callable[[], bytes], code: str
) -> None:
    path = tmp_path / "in" / "archive"
    path.parent.mkdir()
    path.write_bytes(make())
    refused(receive(tmp_path, path), f"MOOR-{code}")
    ours = {tmp_path / name for name in ("in", "in/archive", "data", "data/.mooring")}
    outside = [one for one in tmp_path.rglob("*") if one not in ours and received(tmp_path) not in (one, *one.parents)]
    assert {one.name for one in outside} <= {"lock", "volume.json"}
    assert not (received(tmp_path) / "received.json").exists()
    assert not any(one.is_symlink() for one in tmp_path.rglob("*"))


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_folder_with_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "backup"
    (folder / "filestore" / "ab").mkdir(parents=True)
    (folder / "db.dump").write_bytes(SQL)
    odd = folder / "filestore" / "ab" / "x"
    odd.symlink_to("/etc/passwd") if kind == "link" else os.mkfifo(odd)
    refused(receive(tmp_path, folder), "MOOR-571")


def test_attachments_twice_are_refused(tmp_path: Path) -> None:
    path, folder = tmp_path / "shop.zip", tmp_path / "files"
    path.write_bytes(odoo_zip())
    folder.mkdir()
    refused(receive(tmp_path, path, filestore=str(folder)), "MOOR-572")


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[str]:
    """An Odoo's database manager, as far as a backup goes; also hands out files, and leads elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            right = (
                self.path == "/web/database/backup" and form["master_pwd"] == ["ma&ster=ü"] and form["name"] == ["old"]
            )
            self._answer(200, "application/octet-stream" if right else "text/html", odoo_zip() if right else b"<p>no")

        def do_GET(self) -> None:
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/shop.zip")
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif self.path == "/short":
                self.send_response(200)
                self.send_header("Content-Length", "9999")
                self.end_headers()
                self.wfile.write(b"short")
            else:
                self._answer(200 if self.path == "/shop.zip?a=b" else 404, "application/zip", odoo_zip())

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serve_http(Handler) as address:
        yield f"http://{address}"


def test_archive_is_fetched_from_an_address(tmp_path: Path, manager: str) -> None:
    assert done(receive(tmp_path, None, url=f"{manager}/shop.zip?a=b"))["files"] == 2
    assert stored(tmp_path) == FILES
    assert not (received(tmp_path) / "archive").exists()


@pytest.mark.parametrize("path", ["/moved", "/nothing", "/short"])
def test_address_that_does_not_give_the_archive_is_said(tmp_path: Path, manager: str, path: str) -> None:
    fault = refused(receive(tmp_path, None, url=f"{manager}{path}"), "MOOR-576")
    assert manager in fault["brief"] or "bytes" in fault["brief"]


def test_object_of_a_store_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket" / "shop.zip").write_bytes(odoo_zip())
    assert done(receive(tmp_path, None, url=f"file://{tmp_path}/bucket/shop.zip"))["files"] == 2


@pytest.mark.parametrize(("password", "right"), [("ma&ster=ü", True), ("wrong", False)], ids=["right", "wrong"])
def test_running_odoo_hands_out_its_backup_to_who_has_its_password(
    tmp_path: Path, manager: str, password: str, *, right: bool
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(password + "\n")
    document = receive(tmp_path, None, odoo=OdooManager(f"{manager}/", "old", str(secret)))
    if right:
        assert done(document)["series"] == "14.0"
        assert stored(tmp_path) == FILES
    else:
        assert password not in json.dumps(refused(document, "MOOR-577"))
