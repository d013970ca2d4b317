# SPDX-License-Identifier: Apache-2.0
"""Fetches an archive into a file: by HTTP, out of an object store, or from an Odoo's database manager. Called by `receive`.

No redirection is followed: the task may reach the host that was named, and a master password goes to nobody else.
"""

from __future__ import annotations

import http.client
import ssl
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from mooring import __version__
from mooring.domain.repository.endpoints import default_path_style
from mooring.domain.work.errors import NotEnoughSpace
from mooring.domain.work.import_errors import ArchiveUnreachable, ManagerRefused
from mooring.domain.work.imports import ArchiveSource, OdooManager
from mooring.drivers.objects.settings import StoreSettings, open_store
from mooring.engine.report import Reporter
from mooring.engine.secret_files import load_secret

_PIECE_BYTES = 8 << 20
_CONNECT_S = 60
# An Odoo first dumps its database and packs its files, and answers nothing meanwhile.
_ANSWER_S = 4 * 3600
_BACKUP_PATH = "/web/database/backup"


def fetch(source: ArchiveSource, target: Path, *, room: int, report: Reporter) -> None:
    """Write what the source names to `target`.

    Args:
        room: bytes that it may have at most.

    Raises:
        ArchiveUnreachable, ManagerRefused, NotEnoughSpace: see their texts.
        MooringError: the object store cannot be read.
    """
    if source.odoo is not None:
        _ask_odoo(source.odoo, target, room=room, report=report)
    elif source.url is not None and urlsplit(source.url).scheme in ("http", "https"):
        _get(source.url, target, room=room, report=report)
    elif source.url is not None:
        _copy_object(source, target, room=room, report=report)


def _copy_object(source: ArchiveSource, target: Path, *, room: int, report: Reporter) -> None:
    folder, _, key = (source.url or "").rpartition("/")
    if not key:
        raise ArchiveUnreachable(f"{source.url} names a folder, and no archive in it.")
    store = open_store(
        StoreSettings(
            url=folder,
            endpoint=source.endpoint,
            path_style=default_path_style(endpoint=source.endpoint, path_style=None),
            credentials=Path(source.credentials_dir) if source.credentials_dir else None,
        )
    )
    size = store.head(key).size
    _check_room(size, room)
    with target.open("wb") as file:
        for start in range(0, size, _PIECE_BYTES):
            file.write(store.get(key, start=start, length=min(_PIECE_BYTES, size - start)))
            report.progress("fetch", file.tell(), size)


def _get(url: str, target: Path, *, room: int, report: Reporter) -> None:
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with closing(_connect(url)) as link:
        answer = _asked(link, url, "GET", path, None)
        if answer.status != http.client.OK:
            raise ArchiveUnreachable(f"{parts.scheme}://{parts.netloc} answers {answer.status} {answer.reason}.")
        _save(answer, target, url, room=room, report=report)


def _ask_odoo(manager: OdooManager, target: Path, *, room: int, report: Reporter) -> None:
    parts = urlsplit(manager.url)
    password = load_secret(manager.password_file).reveal()
    form = urlencode({"master_pwd": password, "name": manager.database, "backup_format": "zip"}).encode()
    with closing(_connect(manager.url)) as link:
        report.progress("wait for the other Odoo")
        answer = _asked(link, manager.url, "POST", parts.path.rstrip("/") + _BACKUP_PATH, form)
        kind = answer.headers.get_content_type()
        # A refusal is a page for people, with status 200.
        if answer.status != http.client.OK or kind.startswith("text/"):
            raise ManagerRefused(
                f"The Odoo at {parts.scheme}://{parts.netloc} gave no backup of {manager.database} "
                f"({answer.status} {answer.reason}, {kind})."
            )
        _save(answer, target, manager.url, room=room, report=report)


def _connect(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, parts.port, timeout=_CONNECT_S, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, parts.port, timeout=_CONNECT_S)


def _asked(
    link: http.client.HTTPConnection, url: str, method: str, path: str, form: bytes | None
) -> http.client.HTTPResponse:
    headers = {"User-Agent": f"mooring/{__version__}", "Accept-Encoding": "identity"}
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    try:
        link.connect()
        if form is not None and link.sock is not None:
            link.sock.settimeout(_ANSWER_S)
        link.request(method, path, body=form, headers=headers)
        return link.getresponse()
    except (OSError, http.client.HTTPException) as fault:
        raise _unreachable(url, fault) from None


def _save(answer: http.client.HTTPResponse, target: Path, url: str, *, room: int, report: Reporter) -> None:
    said = answer.length
    if said is not None:
        _check_room(said, room)
    done = 0
    with target.open("wb") as file:
        while True:
            try:
                piece = answer.read(_PIECE_BYTES)
            except (OSError, http.client.HTTPException) as fault:
                raise _unreachable(url, fault) from None
            if not piece:
                break
            done += len(piece)
            _check_room(done, room)
            file.write(piece)
            report.progress("fetch", done, said or 0)
    if said is not None and done != said:
        raise ArchiveUnreachable(f"The connection ended after {done} of {said} bytes.")


def _check_room(size: int, room: int) -> None:
    if size > room:
        raise NotEnoughSpace(f"The archive has {size} bytes, and {room} are free for it.")


def _unreachable(url: str, fault: Exception) -> ArchiveUnreachable:
    parts = urlsplit(url)
    words = str(fault) or type(fault).__name__
    return ArchiveUnreachable(f"{parts.scheme}://{parts.netloc} cannot be read: {words}.", details=type(fault).__name__)
