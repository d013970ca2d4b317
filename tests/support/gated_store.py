# SPDX-License-Identifier: Apache-2.0
"""Stores for tests of what may happen between two requests: one dies after so many writes, one waits for its turn."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mooring.drivers.objects.store import Content, Fetched, ObjectInfo, ObjectStore, Refusal, Requests

Before = Callable[[str], None]


class Killed(BaseException):
    """Stands for kill -9: nothing catches it, nothing is cleaned up."""


class WatchedStore:
    """A store that asks before each request; `ahead` moves its clock on, not the times of its objects."""

    def __init__(self, inner: ObjectStore, before: Before, *, ahead: timedelta = timedelta(0)) -> None:
        self._inner = inner
        self._before = before
        self.ahead = ahead

    @property
    def place(self) -> str:
        return self._inner.place

    @property
    def requests(self) -> Requests:
        return self._inner.requests

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        self._before("get")
        return self._inner.get(key, start=start, length=length)

    def get_if_changed(self, key: str, *, etag: str | None) -> Fetched | None:
        self._before("get")
        return self._inner.get_if_changed(key, etag=etag)

    def put(self, key: str, content: Content, *, create: bool = False, match: str | None = None) -> str | None:
        self._before("put")
        return self._inner.put(key, content, create=create, match=match)

    def head(self, key: str) -> ObjectInfo:
        self._before("head")
        return self._inner.head(key)

    def list_below(self, prefix: str, *, start_after: str | None = None) -> Iterator[ObjectInfo]:
        self._before("list")
        return iter(list(self._inner.list_below(prefix, start_after=start_after)))

    def delete(self, keys: Iterable[str]) -> list[Refusal]:
        refused: list[Refusal] = []
        # One by one: a kill may come between any two.
        for key in list(keys):
            self._before("delete")
            refused += self._inner.delete([key])
        return refused

    def now(self) -> datetime:
        self._before("put")
        return self._inner.now() + self.ahead


def dying_store(inner: ObjectStore, *, writes: int, ahead: timedelta = timedelta(0)) -> WatchedStore:
    """A store whose process is killed instead of sending one more than so many writes."""
    left = [writes]
    lock = threading.Lock()

    def before(what: str) -> None:
        with lock:
            if what in ("put", "delete"):
                left[0] -= 1
            if left[0] < 0:
                raise Killed

    return WatchedStore(inner, before, ahead=ahead)


@dataclass
class Stage:
    """Lets two actors send requests in an order that is given: so many of the first, so many of the second, and so on.

    After the last of these the actors go on one after another, the one whose turn it is first.
    """

    turns: Sequence[int]
    _turn: int = 0
    _left: int = 0
    _ended: set[int] = field(default_factory=set)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    sent: list[int] = field(default_factory=lambda: [0, 0])

    def __post_init__(self) -> None:
        self._left = self.turns[0]

    def before(self, actor: int) -> Before:
        """What an actor's store asks."""

        def wait(_: str) -> None:
            with self._changed:
                while not self._may(actor):
                    if not self._changed.wait(timeout=60):
                        raise RuntimeError("nobody's turn")
                self.sent[actor] += 1
                if self._turn < len(self.turns):
                    self._left -= 1
                    self._advance()

        return wait

    def end(self, actor: int) -> None:
        """The actor sends nothing any more."""
        with self._changed:
            self._ended.add(actor)
            self._changed.notify_all()

    def _may(self, actor: int) -> bool:
        self._advance()
        return 1 - actor in self._ended or self._turn % 2 == actor

    def _advance(self) -> None:
        while self._turn < len(self.turns) and self._left <= 0:
            self._turn += 1
            self._left = self.turns[self._turn] if self._turn < len(self.turns) else 0
            self._changed.notify_all()
