# SPDX-License-Identifier: Apache-2.0
"""What every object store can do here: objects in, objects or ranges out, two conditional writes, the store's clock.

Implementations are `remote.RemoteObjects` (S3, GCS, Azure, memory) and `folder.FolderObjects`. All are synchronous and
safe to use from several threads; tests/contract/test_objects.py holds them to the words below.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from mooring.drivers.objects.errors import ObjectChanged, ObjectExists, StoreFailed
from mooring.errors import MooringError

MAX_OBJECT = 160 * 1024 * 1024
"""Bytes of the largest object that is read whole; the repository writes none above 64 MiB."""

Content = bytes | bytearray | memoryview


@dataclass(frozen=True)
class ObjectInfo:
    """What a store says of an object without giving it: `modified` is the store's own time, aware."""

    key: str
    size: int
    modified: datetime
    etag: str | None


@dataclass(frozen=True)
class Fetched:
    """An object's content and the tag of that content."""

    content: bytes
    etag: str | None


@dataclass(frozen=True)
class Refusal:
    """An object that could not be deleted, and why."""

    key: str
    error: MooringError


@dataclass
class Requests:
    """How many requests were sent and how many bytes of content moved; repeated requests are counted again."""

    gets: int = 0
    puts: int = 0
    heads: int = 0
    lists: int = 0
    deletes: int = 0
    repeats: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(
        self,
        *,
        gets: int = 0,
        puts: int = 0,
        heads: int = 0,
        lists: int = 0,
        deletes: int = 0,
        repeats: int = 0,
        bytes_in: int = 0,
        bytes_out: int = 0,
    ) -> None:
        """Count; safe from several threads."""
        with self._lock:
            self.gets += gets
            self.puts += puts
            self.heads += heads
            self.lists += lists
            self.deletes += deletes
            self.repeats += repeats
            self.bytes_in += bytes_in
            self.bytes_out += bytes_out

    @property
    def total(self) -> int:
        """All requests."""
        return self.gets + self.puts + self.heads + self.lists + self.deletes


class ObjectStore(Protocol):
    """One prefix of a store. Keys have no leading slash. Every call may raise the errors of `drivers.objects.errors`."""

    @property
    def place(self) -> str:
        """Where it is, for messages; holds no secret."""
        ...

    @property
    def requests(self) -> Requests:
        """Counted since the store was opened."""
        ...

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """The object, or `length` bytes of it from `start`; both must lie within the object.

        Raises:
            ObjectMissing: there is none.
            StoreFailed: it is larger than `MAX_OBJECT`, or fewer bytes came than asked for.
        """
        ...

    def get_if_changed(self, key: str, *, etag: str | None) -> Fetched | None:
        """The object, or None where its tag still is `etag`.

        Raises:
            ObjectMissing: there is none.
        """
        ...

    def put(self, key: str, content: Content, *, create: bool = False, match: str | None = None) -> str | None:
        """Write the object whole, in one request; its tag. Durable when this returns.

        Args:
            key: its name.
            content: at most `MAX_OBJECT` bytes; unchanged until this returns.
            create: only where none is. A store that ignores the condition writes anyway: see `probe_conditional_writes`.
            match: only where the tag still is this.

        Raises:
            ObjectExists: `create`, and another content is there.
            ObjectChanged: `match`, and it is another.
        """
        ...

    def head(self, key: str) -> ObjectInfo:
        """What the store says of it.

        Raises:
            ObjectMissing: there is none.
        """
        ...

    def list_below(self, prefix: str, *, start_after: str | None = None) -> Iterator[ObjectInfo]:
        """All objects below the folder `prefix` (ends with `/`, or is empty), in the order of their keys."""
        ...

    def delete(self, keys: Iterable[str]) -> list[Refusal]:
        """Delete them; those that are not there count as deleted. What was refused comes back, nothing is raised for it."""
        ...

    def now(self) -> datetime:
        """The store's own time, from an object (`clock`) that this writes anew."""
        ...


CLOCK_KEY = "clock"


def probe_conditional_writes(store: ObjectStore, *, key: str) -> bool:
    """Whether the store refuses to make an object that is there; writes `key` twice and deletes it.

    Some S3 servers accept `If-None-Match` and ignore it: only trying tells.

    Args:
        store: where.
        key: a name that nobody else uses.
    """
    store.put(key, b"first")
    try:
        store.put(key, b"second", create=True)
    except (ObjectExists, ObjectChanged):
        honoured = True
    except StoreFailed:
        # Not implemented: the answer of servers that know the header and refuse it.
        honoured = False
    else:
        honoured = False
    if honoured:
        tag = store.head(key).etag
        store.put(key, b"third", match=tag)
        try:
            store.put(key, b"fourth", match=tag)
        except (ObjectExists, ObjectChanged):
            pass
        else:
            honoured = False
    store.delete([key])
    return honoured
