# SPDX-License-Identifier: Apache-2.0
"""A backup repository, resolved: how a task is told of it, with which files, folders and rights.

Made by control, kept in the operations that use it. Holds slots of secrets, never values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter

from mooring.domain.instance.tasks import ENGINE_USER, engine_argv, secret_file
from mooring.domain.model.desired import Destination, File, Mount
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.secret import SecretKey
from mooring.domain.repository.endpoints import decide_destination
from mooring.domain.task import DOCUMENT_PATH, TaskSpec
from mooring.domain.work.codec import Document
from mooring.domain.work.repository import RepositorySettings
from mooring.domain.work.repository_work import KeepRule

SECRETS_DIR = "/run/mooring/repository"
CREDENTIALS_DIR = f"{SECRETS_DIR}/credentials"
CA_FILE = f"{SECRETS_DIR}/ca.pem"
PASSPHRASE_FILE = f"{SECRETS_DIR}/passphrase"
NEW_PASSPHRASE_FILE = f"{SECRETS_DIR}/new-passphrase"
FOLDER = "/srv/mooring/repository"
CACHE_DIR = "/var/cache/mooring"
CACHE_VOLUME = "cache"
# A repository in a folder is written by tasks of many instances, each as its own Odoo's user: this group is what they share.
GROUP = ENGINE_USER[1]
_FILE_URL = "file://"


@dataclass(frozen=True)
class RepositoryAccess:
    """One BackupRepository as its tasks find it.

    Attributes:
        ref: its document.
        identity: for the tasks that run for the repository alone.
        url: as the manifest has it; a folder of the target's machine when it begins with `file://`.
        credentials: the store's keys; empty for requests that are not signed.
        new_passphrase: one that is to be added.
        retention: for instances without a rule of their own.
        client: id of this installation among those that write there.
        machine: name of the machine that it is on.
    """

    ref: Ref
    identity: Identity
    url: str
    client: str
    endpoint: str | None = None
    region: str = "auto"
    path_style: bool | None = None
    credentials: tuple[SecretKey, ...] = ()
    ca: SecretKey | None = None
    passphrase: SecretKey | None = None
    new_passphrase: SecretKey | None = None
    share: Literal["none", "namespace", "all"] = "none"
    bandwidth_bytes_s: int | None = None
    prune_host: str | None = None
    machine: str = ""
    retention: KeepRule = field(default_factory=KeepRule)

    @property
    def folder(self) -> str | None:
        """The folder of the target's machine; None for an object store."""
        return self.url.removeprefix(_FILE_URL) if self.url.startswith(_FILE_URL) else None

    @property
    def _destination(self) -> Destination | None:
        return decide_destination(self.url, endpoint=self.endpoint, region=self.region, path_style=self.path_style)

    def settings(self, *, cache: bool = True) -> RepositorySettings:
        """What a task's document says of it; `cache` where the task has the cache's volume."""
        return RepositorySettings(
            url=self.url if self.folder is None else f"{_FILE_URL}{FOLDER}",
            endpoint=self.endpoint,
            region=self.region,
            path_style=self.path_style,
            credentials_dir=CREDENTIALS_DIR if self.credentials else None,
            ca_file=CA_FILE if self.ca else None,
            passphrase_file=PASSPHRASE_FILE if self.passphrase else None,
            share=self.share,
            bandwidth_bytes_s=self.bandwidth_bytes_s,
            cache_dir=CACHE_DIR if cache else None,
            client=self.client,
            machine=self.machine,
            prune_host=self.prune_host,
        )

    def grant(self, task: TaskSpec, *, cache: bool = True) -> TaskSpec:
        """The task with what it needs to reach the repository, and nothing else of it.

        Of the world it is allowed the store's own host and port, where these are known by name. Where they are not, or the
        endpoint is an address in digits, it may reach the whole world (`decide_destination` says when).
        """
        uid, gid = task.user
        place = self._destination
        mounts = [*task.mounts]
        if cache:
            mounts.append(Mount(CACHE_VOLUME, CACHE_DIR, uid=uid, gid=gid, mode=0o700))
        if self.folder is not None:
            mounts.append(Mount(self.folder, FOLDER, uid=0, gid=GROUP, mode=0o2770, machine=True))
        return replace(
            task,
            files=(*task.files, *self._files(task.user)),
            mounts=tuple(mounts),
            groups=task.groups if self.folder is None or GROUP in task.groups else (*task.groups, GROUP),
            egress=task.egress or (self.folder is None and place is None),
            allow=task.allow if place is None or place in task.allow else (*task.allow, place),
        )

    def _files(self, user: tuple[int, int]) -> tuple[File, ...]:
        found = [secret_file(f"{CREDENTIALS_DIR}/{key.key}", key, user) for key in self.credentials]
        if self.ca is not None:
            found.append(secret_file(CA_FILE, self.ca, user))
        if self.passphrase is not None:
            found.append(secret_file(PASSPHRASE_FILE, self.passphrase, user))
        if self.new_passphrase is not None:
            found.append(secret_file(NEW_PASSPHRASE_FILE, self.new_passphrase, user))
        return tuple(found)


def repository_task(
    access: RepositoryAccess, name: str, document: Document, *, deadline: timedelta, cache: bool = True
) -> TaskSpec:
    """A task on the repository alone, on no instance's side.

    Args:
        name: the task's own; who asks twice at once asks by different names.
        cache: with the volume that remembers indexes; it belongs to the repository's record.
    """
    user = ENGINE_USER
    task = TaskSpec(
        name=name,
        place=access.ref,
        identity=access.identity,
        argv=engine_argv(document),
        files=(File(DOCUMENT_PATH, (json.dumps(document.to_json(), sort_keys=True),), uid=user[0], gid=user[1]),),
        user=user,
        deadline=deadline,
    )
    return access.grant(task, cache=cache)


@cache
def _adapter() -> TypeAdapter[RepositoryAccess]:
    return TypeAdapter(RepositoryAccess)


def dump_repository(access: RepositoryAccess) -> dict[str, Any]:
    """JSON of it; references to secrets, never values."""
    value: dict[str, Any] = _adapter().dump_python(access, mode="json")
    return value


def load_repository(value: Mapping[str, Any]) -> RepositoryAccess:
    """What `dump_repository` wrote."""
    return _adapter().validate_python(value)
