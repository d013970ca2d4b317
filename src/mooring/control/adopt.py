# SPDX-License-Identifier: Apache-2.0
"""Takes up again what an installation made, after its state directory was lost.

What is found says whose it is and which instance id its data carries; generated secrets are read back from where they are
in use. Records follow in `adopt_records`, as far as what runs carries a note of them. Called by `mooring adopt`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

from mooring.control.subjects import MASTER
from mooring.domain.instance.memory import load_memory
from mooring.domain.instance.tasks import generated_secret
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.observed import Found
from mooring.domain.model.secret import SecretKey, SecretRef, SecretValue, version_name
from mooring.domain.odoo.argv import CONFIG_PATH
from mooring.domain.postgres.bootstrap import PASSWORD_COPY, SUPERUSER
from mooring.domain.server.desired import PASSWORD_FILE, ROLE, server_secret
from mooring.drivers.documents import Documents
from mooring.drivers.secret_store import Secrets
from mooring.errors import ConflictError, NotFoundError, Retry

INSTANCE, SERVER = "OdooInstance", "DatabaseServer"
PROCESSES = frozenset({"web", "cron"})


class AdoptionUnclear(ConflictError):
    """What is on the target belongs to other installations, and which one is meant cannot be told."""

    code = "MOOR-730"
    reason = "AdoptionUnclear"
    retry = Retry.NEVER
    default_resolution = "Name the one whose state directory is lost with --installation ID."


class NothingFound(NotFoundError):
    """Nothing on the target was made by Mooring."""

    code = "MOOR-731"
    reason = "NothingFound"
    default_resolution = "Check that this is the right engine (DOCKER_HOST); `mooring doctor` says which one answers."


@runtime_checkable
class FileReader(Protocol):
    """A target that can read files back out of what it runs and keeps."""

    async def inventory(self) -> Sequence[Found]:
        """See `Target.inventory`."""
        ...

    async def read_replica_file(self, ref: Ref, *, role: str, path: str) -> bytes | None:
        """A file of a replica, running or not; None where there is none."""
        ...

    async def read_volume_file(self, ref: Ref, identity: Identity, *, role: str, path: str) -> bytes | None:
        """A file of a volume by its relative path; None where there is none."""
        ...


@dataclass(frozen=True)
class Adopted:
    """What was found of one owner.

    Attributes:
        release: the image that it runs, as a user named it; empty where no process is left.
        recovered: secrets that are known again, as `NAME KEY`.
        lost: secrets that could not be read back.
        recorded: it has a record; otherwise its manifest has to be applied.
        unfinished: the operation that was changing its data when the records were lost; empty when there was none.
    """

    ref: Ref
    workloads: tuple[str, ...]
    volumes: tuple[str, ...]
    release: str
    recovered: tuple[str, ...]
    lost: tuple[str, ...]
    recorded: bool
    unfinished: str = ""


def choose_installation(found: Sequence[Found], own: str, *, fresh: bool, wanted: str | None) -> str:
    """Which installation's objects are adopted: the own one, or another in whose place a fresh one steps.

    Args:
        own: id of this installation.
        fresh: there are no records yet, so that nothing on the target can be this one's by right.
        wanted: the id that a person named.

    Raises:
        NothingFound: there is nothing.
        AdoptionUnclear: others' objects, and no way to tell which are meant; or the own records would be orphaned.
    """
    counted: dict[str, int] = {}
    for one in found:
        counted[one.identity.installation] = counted.get(one.identity.installation, 0) + 1
    if not counted:
        raise NothingFound("Nothing on this target was made by Mooring.")
    listed = "\n".join(f"{name}: {count} owners" for name, count in sorted(counted.items()))
    if wanted is not None and wanted not in counted:
        raise NothingFound(f"Nothing on this target carries the installation {wanted}.", details=listed)
    others = sorted(set(counted) - {own})
    chosen = wanted or (own if own in counted else others[0] if len(others) == 1 else None)
    if chosen is None:
        raise AdoptionUnclear(f"{len(others)} other installations have objects here.", details=listed)
    if chosen != own and (not fresh or own in counted):
        raise AdoptionUnclear(
            "This installation has records or objects of its own, and an installation has one id only.",
            details=listed,
            resolution="Name an empty state directory (--home) to step in for the other one.",
        )
    return chosen


class RecallingSecrets(Secrets, Protocol):
    """A store of secrets that can say again what one that was lost said of a value."""

    async def recall(self, key: SecretKey, value: SecretValue) -> bool:
        """See `SecretFiles.recall`: without it, each process would be made anew once for its versions."""
        ...


def unfinished(one: Found) -> str:
    """The operation that was changing the data of what does not run: only a person can tell how far it came."""
    memory = load_memory(one.memory) if one.memory else None
    return memory.operation if memory is not None and not PROCESSES & set(one.workloads) else ""


async def recover(
    found: Sequence[Found], reader: FileReader, secrets: RecallingSecrets, documents: Documents, *, installation: str
) -> list[Adopted]:
    """Read generated secrets back; those that are known already stay. Safe to repeat.

    Raises:
        EngineUnreachable, ImageNotFound: files cannot be read.
    """
    adopted: list[Adopted] = []
    for one in found:
        if one.identity.installation != installation or one.ref.kind not in (INSTANCE, SERVER):
            continue
        known, lost = await (_server_secrets if one.ref.kind == SERVER else _instance_secrets)(one, reader)
        recovered: list[str] = []
        for ref, values in known.items():
            await secrets.ensure(ref, partial(dict, values))
            for key, value in values.items():
                await secrets.recall(SecretKey(ref, key, one.versions.get(version_name(ref, key), "")), value)
            recovered += [f"{ref.name} {key}" for key in values if key != "user"]
        adopted.append(
            Adopted(
                ref=one.ref,
                workloads=one.workloads,
                volumes=one.volumes,
                release=one.release.source if one.release is not None else "",
                recovered=tuple(recovered),
                lost=lost,
                recorded=await documents.get(one.ref) is not None,
                unfinished=unfinished(one),
            )
        )
    return adopted


_Known = tuple[Mapping[SecretRef, Mapping[str, SecretValue]], tuple[str, ...]]


async def _server_secrets(one: Found, reader: FileReader) -> _Known:
    """The superuser's password: from the file that the server starts with, else from its copy in the volume."""
    ref = server_secret(one.ref)
    data = await reader.read_replica_file(one.ref, role=ROLE, path=PASSWORD_FILE)
    if data is None and ROLE in one.volumes:
        data = await reader.read_volume_file(one.ref, one.identity, role=ROLE, path=PASSWORD_COPY)
    text = (data or b"").decode(errors="replace").removesuffix("\n")
    if not text:
        return {}, (f"{ref.name} password",)
    return {ref: {"user": SecretValue(SUPERUSER), "password": SecretValue(text)}}, ()


async def _instance_secrets(one: Found, reader: FileReader) -> _Known:
    """Database and master password, from odoo.conf. The password of Odoo's `admin` is nowhere but in people's heads."""
    database, odoo = generated_secret(one.ref, "database"), generated_secret(one.ref, "odoo")
    text = ""
    for role in ("web", "cron"):
        data = await reader.read_replica_file(one.ref, role=role, path=CONFIG_PATH)
        text = text or (data or b"").decode(errors="replace")
    known: dict[SecretRef, Mapping[str, SecretValue]] = {}
    lost: list[str] = []
    for ref, key, option in ((database, "password", "db_password"), (odoo, MASTER, "admin_passwd")):
        match = re.search(rf"^{option} *= *(\S.*)$", text, re.MULTILINE)
        if match is not None:
            known[ref] = {key: SecretValue(match[1].strip())}
        else:
            lost.append(f"{ref.name} {key}")
    return known, tuple(lost)
