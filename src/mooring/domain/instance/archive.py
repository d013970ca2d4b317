# SPDX-License-Identifier: Apache-2.0
"""An archive outside of every repository: where it is read from or written to, and what a task needs for that. Pure.

Made by control, kept in the operation that uses it. Holds slots of secrets, never values. A `file:///…` that is read is of the
machine that Mooring runs on, and is given to the task; one that is written is of the target's machine, as with repositories.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import TypeAdapter

from mooring.domain.instance.tasks import secret_file
from mooring.domain.model.desired import Mount
from mooring.domain.model.secret import SecretKey
from mooring.domain.repository.endpoints import decide_destination, decide_web_destination
from mooring.domain.task import TaskSpec, Upload
from mooring.domain.work.backup import ArchiveStore
from mooring.domain.work.imports import ArchiveSource, OdooManager

SECRETS_DIR = "/run/mooring/archive"
CREDENTIALS_DIR = f"{SECRETS_DIR}/credentials"
PASSWORD_FILE = f"{SECRETS_DIR}/master-password"
GIVEN = "/srv/mooring/given"
FILESTORE = f"{GIVEN}-filestore"
FOLDER = "/srv/mooring/archive"
_FILE_URL = "file://"


@dataclass(frozen=True)
class ArchiveAccess:
    """One archive, resolved.

    Attributes:
        url: of the archive, or of the Odoo that makes it.
        credentials: the store's values `accessKeyId` and `secretAccessKey`; empty: requests are not signed.
        database: of that Odoo; empty where the url is the archive's own.
        password: that Odoo's master password.
        filestore: folder of the machine that Mooring runs on, with the attachments of a dump.
    """

    url: str
    endpoint: str | None = None
    credentials: tuple[SecretKey, ...] = ()
    database: str = ""
    password: SecretKey | None = None
    filestore: str | None = None

    @property
    def _path(self) -> str | None:
        return unquote(self.url.removeprefix(_FILE_URL)) if self.url.startswith(_FILE_URL) else None

    @property
    def source(self) -> ArchiveSource:
        """How the task that takes it in finds it."""
        credentials = CREDENTIALS_DIR if self.credentials else None
        filestore = FILESTORE if self.filestore is not None else None
        if self.password is not None:
            return ArchiveSource(odoo=OdooManager(self.url, self.database, PASSWORD_FILE))
        if self._path is not None:
            return ArchiveSource(path=self._given(self._path), filestore=filestore)
        return ArchiveSource(url=self.url, endpoint=self.endpoint, credentials_dir=credentials, filestore=filestore)

    def grant_reading(self, task: TaskSpec) -> TaskSpec:
        """The task with what it needs to have it, and nothing else."""
        uid, gid = task.user
        given = [(self._given(self._path), self._path)] if self._path is not None else []
        if self.filestore is not None:
            given.append((FILESTORE, self.filestore))
        uploads = tuple(Upload(path, source, uid, gid) for path, source in given)
        return replace(self._reach(task), uploads=(*task.uploads, *uploads))

    def place(self, name: str) -> tuple[str | None, ArchiveStore | None]:
        """Where the task that writes it puts it: a path of its own, or an object.

        Args:
            name: of the archive, where the url ends in a folder.
        """
        if self._path is not None:
            return f"{FOLDER}/{name if self._path.endswith('/') else PurePosixPath(self._path).name}", None
        whole = f"{self.url}{name}" if self.url.endswith("/") else self.url
        folder, _, key = whole.rpartition("/")
        return None, ArchiveStore(folder, key, self.endpoint, CREDENTIALS_DIR if self.credentials else None)

    def grant_writing(self, task: TaskSpec) -> TaskSpec:
        """The task with what it needs to write it, and nothing else."""
        task = self._reach(task)
        if self._path is None:
            return task
        folder = self._path if self._path.endswith("/") else str(PurePosixPath(self._path).parent)
        uid, gid = task.user
        mount = Mount(folder.rstrip("/") or "/", FOLDER, uid=uid, gid=gid, mode=0o750, machine=True)
        return replace(task, mounts=(*task.mounts, mount))

    def _reach(self, task: TaskSpec) -> TaskSpec:
        """Its secrets, and the one place that it is at; where that is not known by name, the whole world."""
        files = [secret_file(f"{CREDENTIALS_DIR}/{key.key}", key, task.user) for key in self.credentials]
        if self.password is not None:
            files.append(secret_file(PASSWORD_FILE, self.password, task.user))
        task = replace(task, files=(*task.files, *files))
        if self._path is not None:
            return task
        if urlsplit(self.url).scheme in ("http", "https"):
            place = decide_web_destination(self.url)
        else:
            place = decide_destination(self.url, endpoint=self.endpoint)
        if place is None:
            return replace(task, egress=True)
        return replace(task, allow=task.allow if place in task.allow else (*task.allow, place))

    def _given(self, path: str) -> str:
        """Where a file of this machine is in the task: by its own name, which says what it is to whoever reads of it."""
        return f"{GIVEN}/{PurePosixPath(path).name or 'archive'}"


@cache
def _adapter() -> TypeAdapter[ArchiveAccess]:
    return TypeAdapter(ArchiveAccess)


def dump_archive(access: ArchiveAccess) -> dict[str, Any]:
    """JSON of it; references to secrets, never values."""
    value: dict[str, Any] = _adapter().dump_python(access, mode="json")
    return value


def load_archive(value: Mapping[str, Any]) -> ArchiveAccess:
    """What `dump_archive` wrote."""
    return _adapter().validate_python(value)
