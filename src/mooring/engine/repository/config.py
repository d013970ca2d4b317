# SPDX-License-Identifier: Apache-2.0
"""The objects `config` and `keys/…`: making a repository, opening its keys, and its passphrases.

Called by `repository.Repository`. A repository without encryption has no keys.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mooring.domain.repository import names
from mooring.drivers.objects.errors import ObjectExists, ObjectMissing
from mooring.drivers.objects.store import ObjectStore, probe_conditional_writes
from mooring.engine.repository.checksum import checksummed, dump_json, load_json
from mooring.engine.repository.errors import (
    FormatUnknown,
    LastPassphrase,
    ObjectDamaged,
    PassphraseMissing,
    PassphraseWrong,
    RepositoryExists,
    RepositoryMissing,
)
from mooring.engine.repository.keys import Keys, new_master, unwrap, wrap

FORMAT = 1
ENCRYPTED = "aes-256-gcm"
CHUNK_MIN, CHUNK_AVERAGE, CHUNK_MAX = 4 * 1024, 16 * 1024, 64 * 1024


@dataclass(frozen=True)
class Config:
    """What a repository is.

    Attributes:
        id: UUID; salt of every key, and part of the name of local caches.
        created: as it was written.
        encrypted: whether a passphrase is needed.
        conditional_writes: whether its store honoured them when the repository was made.
        made_by: the client that made it; it alone prunes where the store does not honour them and nobody else is named.
        chunk_min: bytes, for content that is cut by content.
        chunk_average: bytes, a power of two.
        chunk_max: bytes.
    """

    id: str
    created: str
    encrypted: bool
    conditional_writes: bool
    made_by: str = ""
    chunk_min: int = CHUNK_MIN
    chunk_average: int = CHUNK_AVERAGE
    chunk_max: int = CHUNK_MAX


@dataclass(frozen=True)
class PassphraseInfo:
    """One passphrase of a repository, without it."""

    id: str
    label: str
    created: str


def init_repository(
    store: ObjectStore, *, passphrase: bytes | None, now: datetime, label: str = "first", made_by: str = ""
) -> Config:
    """Make a repository: probe the store, write the first key, and last of all `config`.

    Args:
        store: where; its prefix is empty, or holds what a killed `init` left.
        passphrase: None makes one that is not encrypted.
        now: for the dates.
        label: of the passphrase, for people.
        made_by: name of the client.

    Raises:
        RepositoryExists: there is one.
    """
    try:
        # No head: its answer has no body, which may name the region of the bucket.
        store.get(names.CONFIG)
    except ObjectMissing:
        pass
    else:
        raise RepositoryExists(f"{store.place} holds a repository already.")
    config = Config(
        id=str(uuid.uuid4()),
        created=names.time_text(now),
        encrypted=passphrase is not None,
        conditional_writes=probe_conditional_writes(store, key=f"probe-{uuid.uuid4().hex}"),
        made_by=made_by,
    )
    if passphrase is not None:
        key = wrap(new_master(), passphrase, repository=config.id, label=label, now=now)
        store.put(f"{names.KEYS}{uuid.uuid4().hex}", dump_json(key))
    content = checksummed(
        {
            "format": FORMAT,
            "id": config.id,
            "created": config.created,
            "encryption": ENCRYPTED if config.encrypted else "none",
            "chunking": {"min": config.chunk_min, "average": config.chunk_average, "max": config.chunk_max},
            "conditionalWrites": config.conditional_writes,
            "madeBy": config.made_by,
        }
    )
    try:
        store.put(names.CONFIG, dump_json(content), create=True)
    except ObjectExists as error:
        raise RepositoryExists(f"Somebody else has just made a repository at {store.place}.") from error
    return config


def read_config(store: ObjectStore) -> Config:
    """What the repository at `store` is.

    Raises:
        RepositoryMissing: there is none.
        FormatUnknown: this program is too old for it.
        ObjectDamaged: `config` is not what was written.
    """
    try:
        content = store.get(names.CONFIG)
    except ObjectMissing as error:
        raise RepositoryMissing(f"There is no repository at {store.place}.") from error
    where = f"{names.CONFIG} at {store.place}"
    try:
        raw: Any = json.loads(content)
        version = raw["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise ObjectDamaged(f"{where} is not a repository's.") from error
    if isinstance(version, int) and version > FORMAT:
        raise FormatUnknown(f"{where} is of format {version}, this program knows {FORMAT}.")
    value = load_json(content, where)
    try:
        chunking = value["chunking"]
        config = Config(
            id=str(uuid.UUID(value["id"])),
            created=value["created"],
            encrypted={"none": False, ENCRYPTED: True}[value["encryption"]],
            conditional_writes=value["conditionalWrites"] is True,
            made_by=str(value.get("madeBy", "")),
            chunk_min=int(chunking["min"]),
            chunk_average=int(chunking["average"]),
            chunk_max=int(chunking["max"]),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise FormatUnknown(f"{where} says what this program does not know.", details=str(error)) from error
    if version != FORMAT or not 1024 <= config.chunk_min <= config.chunk_average <= config.chunk_max <= 2**20:
        raise FormatUnknown(f"{where} says what this program does not know.")
    return config


def open_keys(store: ObjectStore, config: Config, passphrase: bytes | None) -> tuple[Keys, str | None]:
    """The keys of a repository, and the id of the passphrase that opened them.

    Raises:
        PassphraseMissing: given where none is needed, or the other way round.
        PassphraseWrong: it opens no key.
    """
    if not config.encrypted:
        if passphrase is not None:
            raise PassphraseMissing(f"The repository at {store.place} is not encrypted, and a passphrase was given.")
        return Keys(config.id, None), None
    if passphrase is None:
        raise PassphraseMissing(f"The repository at {store.place} is encrypted, and no passphrase was given.")
    damaged: list[str] = []
    for key_id, value in _keys(store, damaged):
        master = unwrap(value, passphrase, repository=config.id)
        if master is not None:
            return Keys(config.id, master), key_id
    raise PassphraseWrong(
        f"The passphrase opens no key of the repository at {store.place}.",
        details="; ".join(f"{name} is damaged" for name in damaged),
    )


def list_passphrases(store: ObjectStore) -> list[PassphraseInfo]:
    """All passphrases, the oldest first.

    Raises:
        ObjectDamaged: one of the key objects is not what was written.
    """
    damaged: list[str] = []
    found = [PassphraseInfo(key_id, value["label"], value["created"]) for key_id, value in _keys(store, damaged)]
    if damaged:
        raise ObjectDamaged(f"{' and '.join(damaged)} at {store.place} cannot be read.")
    return sorted(found, key=lambda item: (item.created, item.id))


def add_passphrase(store: ObjectStore, keys: Keys, passphrase: bytes, *, label: str, now: datetime) -> str:
    """Let one more passphrase open the repository; its id.

    Raises:
        PassphraseMissing: the repository is not encrypted.
    """
    if keys.master is None:
        raise PassphraseMissing(f"The repository at {store.place} is not encrypted: it was made without a passphrase.")
    key_id = uuid.uuid4().hex
    key = wrap(keys.master, passphrase, repository=keys.repository, label=label, now=now)
    store.put(f"{names.KEYS}{key_id}", dump_json(key), create=True)
    return key_id


def remove_passphrase(store: ObjectStore, key_id: str) -> None:
    """Let a passphrase open the repository no longer. Whoever has kept the master key can still read what they get hold of.

    Raises:
        LastPassphrase: no other is left.
        RepositoryMissing: there is no such passphrase.
    """
    known = [info.key.removeprefix(names.KEYS) for info in store.list_below(names.KEYS)]
    if key_id not in known:
        raise RepositoryMissing(f"There is no passphrase {key_id} at {store.place}.")
    if len(known) == 1:
        raise LastPassphrase(f"{key_id} is the only passphrase of the repository at {store.place}.")
    for refusal in store.delete([f"{names.KEYS}{key_id}"]):
        raise refusal.error


def _keys(store: ObjectStore, damaged: list[str]) -> Sequence[tuple[str, dict[str, Any]]]:
    found = []
    for info in store.list_below(names.KEYS):
        try:
            value = load_json(store.get(info.key), info.key)
            for name in ("kdf", "n", "r", "p", "salt", "nonce", "wrapped", "created", "label"):
                _ = value[name]
        except (ObjectDamaged, KeyError):
            damaged.append(info.key)
            continue
        found.append((info.key.removeprefix(names.KEYS), value))
    return found
