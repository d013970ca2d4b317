# SPDX-License-Identifier: Apache-2.0
"""The tasks that look after a repository: making it, listing what it holds, its passphrases. Each is safe to repeat."""

from __future__ import annotations

from datetime import UTC, datetime

from mooring.domain.repository.manifest import SnapshotManifest
from mooring.domain.work.errors import InvalidDocument
from mooring.domain.work.repository_work import (
    PassphraseRow,
    PassphraseRows,
    RepositoryFacts,
    RepositoryInit,
    RepositoryPassphrase,
    SnapshotList,
    SnapshotRead,
    SnapshotRow,
    SnapshotRows,
    SnapshotText,
)
from mooring.engine.report import Reporter
from mooring.engine.repository.config import FORMAT, add_passphrase, list_passphrases, open_keys, remove_passphrase
from mooring.engine.repository.opened import open_settings, read_passphrase
from mooring.engine.repository.opening import ensure_opened
from mooring.engine.repository.snapshots import Snapshot
from mooring.engine.secret_files import load_secret

MANIFEST_NAME = "instance.json"
_MANIFEST_LIMIT = 1 << 20


def ensure_repository(document: RepositoryInit, report: Reporter) -> RepositoryFacts:
    """The task `repository-init`.

    Raises:
        PlaceNotEmpty: the place holds something else.
        MooringError: the store cannot be used, or the passphrase is wrong.
    """
    report.progress("look at the place")
    repository, created = ensure_opened(document.repository)
    return RepositoryFacts(
        id=repository.config.id,
        created=created,
        format=FORMAT,
        encrypted=repository.config.encrypted,
        conditional_writes=repository.config.conditional_writes,
        passphrases=len(list_passphrases(repository.store)) if repository.config.encrypted else 0,
    )


def list_snapshots(document: SnapshotList, report: Reporter) -> SnapshotRows:
    """The task `snapshot-list`."""
    report.progress("read manifests")
    good, damaged = open_settings(document.repository).snapshots()
    wanted = [one for one in reversed(good) if document.instance in (None, *_names(one.manifest))]
    return SnapshotRows(
        snapshots=tuple(describe_snapshot(one) for one in wanted[: document.limit]),
        more=max(0, len(wanted) - document.limit),
        damaged=tuple(f"{one.key}: {one.reason}" for one in damaged[:20]),
    )


def read_snapshot_text(document: SnapshotRead, report: Reporter) -> SnapshotText:
    """The task `snapshot-read`.

    Raises:
        SnapshotMissing, SnapshotAmbiguous: there is no such one, or more.
    """
    report.progress("read the manifest")
    repository = open_settings(document.repository)
    snapshot = repository.find(document.snapshot, instance=document.instance)
    stream = next((one.stream for one in snapshot.manifest.files if one.name == MANIFEST_NAME), None)
    text: str | None = None
    if stream is not None:
        with repository.reader(snapshot.name.scope) as reader:
            text = reader.read_all(stream, limit=_MANIFEST_LIMIT).decode()
    return SnapshotText(describe_snapshot(snapshot), text)


def ensure_passphrase(document: RepositoryPassphrase, report: Reporter) -> PassphraseRows:
    """The task `repository-passphrase`.

    Raises:
        LastPassphrase: the one to remove is the last.
        MooringError: the repository cannot be opened, or the id is unknown.
    """
    report.progress("open the repository")
    repository = open_settings(document.repository)
    if document.action == "add":
        if document.new_file is None:
            raise InvalidDocument("RepositoryPassphrase: newFile is needed to add one.")
        new = load_secret(document.new_file).reveal().encode()
        add_passphrase(repository.store, repository.keys, new, label=document.label, now=datetime.now(UTC))
    elif document.action == "remove":
        if document.key is None:
            raise InvalidDocument("RepositoryPassphrase: key is needed to remove one.")
        ids = [one.id for one in list_passphrases(repository.store) if one.id.startswith(document.key)]
        if len(ids) != 1:
            raise InvalidDocument(f"{len(ids)} passphrases begin with {document.key}.")
        remove_passphrase(repository.store, ids[0])
    _, current = open_keys(repository.store, repository.config, read_passphrase(document.repository))
    return PassphraseRows(
        tuple(
            PassphraseRow(id=one.id, label=one.label, created=one.created, current=one.id == current)
            for one in list_passphrases(repository.store)
        )
    )


def describe_snapshot(snapshot: Snapshot) -> SnapshotRow:
    """A snapshot as lists show it."""
    manifest = snapshot.manifest
    return SnapshotRow(
        id=snapshot.id,
        time=manifest.time,
        namespace=manifest.instance.namespace,
        name=manifest.instance.name,
        instance=manifest.instance.id,
        series=manifest.series,
        image=manifest.release.image,
        state=manifest.state,
        tags=manifest.tags,
        content=manifest.sizes.content,
        stored=manifest.sizes.stored,
        files=manifest.filestore.count if manifest.filestore is not None else 0,
        database=manifest.database is not None,
        filestore=manifest.filestore is not None,
    )


def _names(manifest: SnapshotManifest) -> tuple[str, str]:
    return manifest.instance.id, manifest.instance.name
