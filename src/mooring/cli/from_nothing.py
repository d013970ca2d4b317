# SPDX-License-Identifier: Apache-2.0
"""An instance brought back on a machine that knows nothing of it: from a repository's address, its keys and its passphrase.

Used by `mooring restore`. What a person types as keys is kept as a Secret and nowhere else; a second run asks for nothing.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from mooring.domain.model.secret import SecretRef, SecretValue

if TYPE_CHECKING:
    from mooring.api.kinds import Manifest
    from mooring.cli.context import App

PASSPHRASE = "passphrase"  # noqa: S105 - the name of a key


@dataclass(frozen=True)
class Place:
    """A repository that a person named.

    Attributes:
        name: of its BackupRepository.
        spec: of one that has to be written; None for one that is there.
        namespace: of both.
    """

    name: str
    namespace: str
    spec: dict[str, Any] | None = None

    def manifests(self) -> Sequence[Manifest]:
        """What has to be written for it to be there.

        Raises:
            ManifestError: the address cannot be one.
        """
        from mooring.api.base import API_VERSION
        from mooring.api.loader import load_resource

        if self.spec is None:
            return ()
        metadata = {"name": self.name, "namespace": self.namespace}
        data = {"apiVersion": API_VERSION, "kind": "BackupRepository", "metadata": metadata, "spec": self.spec}
        return (load_resource(data, source="--repository"),)


def is_address(repository: str) -> bool:
    """Whether it is a place and no name: names have neither colon nor slash."""
    return "://" in repository or repository.startswith("/")


async def find_place(
    app: App, repository: str, *, endpoint: str | None = None, region: str | None = None, secret: str | None = None
) -> Place:
    """The repository that a name or an address stands for; keys that are missing are asked for, and kept.

    Args:
        repository: name of a BackupRepository, or the address of a place.
        endpoint: of the store, with an address.
        region: of the store, with an address.
        secret: Secret that holds its keys and passphrase; None is one that is made for the address.

    Raises:
        KeysMissing: the store needs keys that no Secret holds, and nobody can be asked.
        ManifestError: the address cannot be one.
    """
    namespace = app.options.place
    if not is_address(repository):
        return Place(repository, namespace)
    url = f"file://{repository}" if repository.startswith("/") else repository.rstrip("/")
    for one in await app.documents.list("BackupRepository"):
        same = (one.spec.get("url"), one.spec.get("endpoint")) == (url, endpoint)
        if one.ref.namespace == namespace and same and secret is None:
            return Place(one.ref.name, namespace)
    made = "restore-" + hashlib.sha256(f"{url} {endpoint or '-'}".encode()).hexdigest()[:8]
    spec: dict[str, Any] = {"url": url}
    spec |= {key: value for key, value in (("endpoint", endpoint), ("region", region)) if value is not None}
    place = Place(made, namespace, spec)
    place.manifests()  # an address that cannot be one is told before anybody types a key
    ref = SecretRef(namespace, secret or made)
    known = await _keys(app, ref)
    if not url.startswith("file://"):
        await _ask_keys(app, ref, known, url)
        spec["credentialsSecretRef"] = {"name": ref.name}
    if await _has_passphrase(app, ref, known, url):
        spec["encryption"] = {"passphraseSecretRef": {"name": ref.name, "key": PASSPHRASE}}
    return place


async def _keys(app: App, ref: SecretRef) -> frozenset[str]:
    return frozenset((await app.secrets.list()).get(ref, ()))


async def _ask_keys(app: App, ref: SecretRef, known: frozenset[str], url: str) -> None:
    from mooring.cli.errors import KeysMissing
    from mooring.control.repositories import credential_keys

    lacking = [key for key in credential_keys(url) if key not in known]
    if not lacking:
        return
    if not sys.stdin.isatty():
        commands = " and ".join(f"`mooring secret set {ref.name} {key}`" for key in lacking)
        raise KeysMissing(
            f"{url} needs {' and '.join(lacking)}, and the Secret {ref.name} does not hold them.",
            resolution=f"Set them by {commands}; --secret names another Secret. Or type them: run the command on a terminal.",
        )
    for key in lacking:
        await app.secrets.set(ref, key, SecretValue(click.prompt(f"{key} of {url}", hide_input=True, err=True)))


async def _has_passphrase(app: App, ref: SecretRef, known: frozenset[str], url: str) -> bool:
    """Whether there is one: in the Secret, or typed; a repository that is not encrypted has none."""
    if PASSPHRASE in known:
        return True
    if not sys.stdin.isatty():
        return False
    text: str = click.prompt(
        f"Passphrase of {url} (none: Enter)", hide_input=True, default="", show_default=False, err=True
    )
    if text:
        await app.secrets.set(ref, PASSPHRASE, SecretValue(text))
    return bool(text)


async def bring_back(app: App, name: str, place: Place, snapshot: str, *, yes: bool, wait: bool) -> None:
    """Write the record of an instance from its snapshot, under the id that it had, and ask for the restore at once.

    Args:
        name: of the instance, in the repository and here.
        snapshot: first digits of its id, or `latest`.

    Raises:
        UnknownInstance: the snapshot holds no manifest.
        NotConfirmed: the person said no.
        RepositoryTaskFailed: the repository cannot be read, or has no such snapshot.
    """
    from mooring.api.loader import load_resource
    from mooring.api.repository import BackupRepositorySpec
    from mooring.cli.errors import NotConfirmed
    from mooring.cli.names import instance_of
    from mooring.cli.verbs import ask_for
    from mooring.control.errors import UnknownInstance
    from mooring.control.repositories import KIND, describe_repository, find_repository
    from mooring.control.repository_tasks import run_repository_task
    from mooring.control.services import new_id
    from mooring.domain.model.identity import Ref
    from mooring.domain.work.repository_work import SnapshotRead

    ref = instance_of(app.options, name)
    services = await app.services()
    await app.prepare()
    kept = place.spec is None
    if place.spec is None:
        access = await find_repository(services, ref.namespace, place.name)
    else:
        spec = BackupRepositorySpec.model_validate(place.spec)
        access = await describe_repository(services, Ref(KIND, place.namespace, place.name), new_id(), spec)
    document = SnapshotRead(access.settings(cache=kept), instance=ref.name, snapshot=snapshot)
    found = await run_repository_task(services, access, document, timeout_s=app.options.timeout_s, cache=kept)
    row = found["snapshot"]
    if found["manifest"] is None:
        raise UnknownInstance(
            f"{ref} does not exist, and the snapshot {row['id']} holds no manifest of it.",
            resolution="Apply a manifest with init.enabled: false, then restore.",
        )
    app.progress.line(
        f"{ref.name} is not here. It comes back from the snapshot {row['id'][:12]} of {row['time']}, as the same instance: "
        "where it still runs elsewhere, stop it there first, since both would send mail."
    )
    if not yes and not (sys.stdin.isatty() and click.confirm("Go on?", err=True)):
        raise NotConfirmed(f"{ref.name} was not brought back.")
    data = json.loads(found["manifest"])
    data["metadata"] = {"name": ref.name, "namespace": ref.namespace}
    # The name by which the instance knows its repository: its next backup goes where its last one is.
    own = data.get("spec", {}).get("backup", {}).get("repository")
    if place.spec is not None and own and await app.documents.get(Ref(KIND, place.namespace, own)) is None:
        place = replace(place, name=own)
    manifest = load_resource(data, source=f"the snapshot {row['id']}")
    # Both at once: what is to be restored is not initialized first.
    source = {"snapshot": row["id"], "repository": place.name}
    await ask_for(
        app,
        ref,
        "OdooRestoreJob",
        {"source": source},
        verb="restore",
        wait=wait,
        together=(*place.manifests(), manifest),
        identities={ref: row["instance"]},
    )
