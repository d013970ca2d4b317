# SPDX-License-Identifier: Apache-2.0
"""Opens the repository that a task's document names, and makes it where its place is empty.

A place that holds something else is refused: a mistyped address must not become a second, empty repository beside the old
one without a word. Called by every task that reads or writes a repository.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from mooring.domain.work.repository import RepositorySettings
from mooring.drivers.objects.retry import RetryPolicy
from mooring.drivers.objects.settings import StoreSettings, open_store
from mooring.drivers.objects.store import ObjectStore
from mooring.engine.repository.config import init_repository, read_config
from mooring.engine.repository.errors import PlaceNotEmpty, RepositoryExists, RepositoryMissing
from mooring.engine.repository.repository import Repository, open_repository
from mooring.engine.secret_files import load_secret

# Manifests write `azure://`, the store's library says `az://`.
_AZURE, _AZ = "azure://", "az://"
# Tasks of several users share a folder through its group.
_SHARED_UMASK = 0o007


def store_of(settings: RepositorySettings) -> ObjectStore:
    """The object store; nothing is sent.

    Raises:
        StoreUrlInvalid, StoreCredentialsMissing, NotWritable: as `open_store`.
    """
    url = _AZ + settings.url.removeprefix(_AZURE) if settings.url.startswith(_AZURE) else settings.url
    if url.startswith("file:"):
        os.umask(_SHARED_UMASK)
    return open_store(
        StoreSettings(
            url=url,
            endpoint=settings.endpoint,
            region=settings.region,
            path_style=settings.path_style if settings.path_style is not None else settings.endpoint is not None,
            ca_file=Path(settings.ca_file) if settings.ca_file else None,
            credentials=Path(settings.credentials_dir) if settings.credentials_dir else None,
            bandwidth=settings.bandwidth_bytes_s,
            retry=RetryPolicy(),
        )
    )


def passphrase_of(settings: RepositorySettings) -> bytes | None:
    """The passphrase; None for a repository without encryption.

    Raises:
        SecretUnreadable: its file is not there, or holds no line.
    """
    return load_secret(settings.passphrase_file).reveal().encode() if settings.passphrase_file else None


def opened(settings: RepositorySettings) -> Repository:
    """The repository that is there.

    Raises:
        RepositoryMissing: there is none.
        PassphraseMissing, PassphraseWrong, FormatUnknown, ObjectDamaged: as `open_repository`.
    """
    cache = Path(settings.cache_dir) if settings.cache_dir else None
    return open_repository(store_of(settings), passphrase=passphrase_of(settings), cache=cache)


def ensured(settings: RepositorySettings) -> tuple[Repository, bool]:
    """The repository, made where its place is empty; and whether it was made now.

    Raises:
        PlaceNotEmpty: there is no repository, and the place holds something else.
        PassphraseMissing, PassphraseWrong, FormatUnknown, ObjectDamaged: as `opened`.
    """
    try:
        return opened(settings), False
    except RepositoryMissing:
        return _made(settings)


def _made(settings: RepositorySettings) -> tuple[Repository, bool]:
    store = store_of(settings)
    # What a killed `init` left behind, or another one writes at this moment, is not a stranger's.
    strangers = [info.key for info in store.list_below("") if not info.key.startswith(("keys/", "probe-"))]
    if strangers and "config" not in strangers:
        raise PlaceNotEmpty(f"{store.place} holds no repository, but other things.", details="\n".join(strangers[:10]))
    try:
        init_repository(store, passphrase=passphrase_of(settings), now=datetime.now(UTC))
    except RepositoryExists:
        return opened(settings), False
    made = read_config(store)  # without conditional writes another `init` may have had the last word
    repository = opened(settings)
    return repository, made.id == repository.config.id
