# SPDX-License-Identifier: Apache-2.0
"""Makes a repository where its place is empty, on the way to opening it.

A place that holds something else is refused: a mistyped address must not become a second, empty repository beside the old
one without a word. Called by backups, and by `mooring repository init`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from mooring.domain.repository import names
from mooring.domain.work.repository import RepositorySettings
from mooring.engine.repository.config import init_repository
from mooring.engine.repository.errors import PlaceNotEmpty, RepositoryExists, RepositoryMissing
from mooring.engine.repository.opened import read_passphrase, store_of
from mooring.engine.repository.repository import Repository, open_repository


def ensure_opened(settings: RepositorySettings) -> tuple[Repository, bool]:
    """The repository, made where its place is empty; and whether it was made now.

    Raises:
        PlaceNotEmpty: there is no repository, and the place holds something else.
        PassphraseMissing, PassphraseWrong, FormatUnknown, ObjectDamaged: as `open_repository`.
    """
    store = store_of(settings)
    passphrase = read_passphrase(settings)
    cache = Path(settings.cache_dir) if settings.cache_dir else None
    try:
        return open_repository(store, passphrase=passphrase, cache=cache), False
    except RepositoryMissing:
        pass
    keys = [info.key for info in store.list_below("")]
    # What a killed `init` left behind, or another one writes at this moment, is not a stranger's.
    strangers = [key for key in keys if not key.startswith((names.KEYS, "probe-"))]
    if strangers and names.CONFIG not in strangers:
        raise PlaceNotEmpty(f"{store.place} holds no repository, but other things.", details="\n".join(strangers[:10]))
    try:
        made = init_repository(store, passphrase=passphrase, now=datetime.now(UTC), made_by=settings.client)
    except RepositoryExists:
        return open_repository(store, passphrase=passphrase, cache=cache), False
    # Where the store cannot refuse to overwrite, another `init` may have had the last word.
    repository = open_repository(store, passphrase=passphrase, cache=cache)
    return repository, repository.config.id == made.id
