# SPDX-License-Identifier: Apache-2.0
"""A store of documents in memory, with the faults that real ones have: stale reads and lost races.

It passes tests/contract/test_documents.py when no fault is asked for.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mooring.domain.model.identity import Ref
from mooring.drivers.documents import Document, VersionConflict, check_version, dump_json, owner_of, same_json


class MemoryDocuments:
    """Fake store.

    Attributes:
        stale_reads: how many of the next `get` and `list` answers come from before the last write of each document, as
            from a watch cache that lags.
        conflicts: how many of the next writes fail as if another writer had come between; the store is not changed.
        before_write: called before each write with the reference; may raise (a crash) or write by itself (a real race).
    """

    def __init__(self) -> None:
        self.stale_reads = 0
        self.conflicts = 0
        self.before_write: Callable[[Ref], None] | None = None
        self._now: dict[Ref, Document] = {}
        self._before: dict[Ref, Document | None] = {}
        self._writes = 0
        self._watchers: list[tuple[asyncio.Event, deque[Ref]]] = []

    async def get(self, ref: Ref) -> Document | None:
        found = self._view().get(ref)
        return None if found is None else _copied(found)

    async def list(self, kind: str | None = None, *, owner: Ref | None = None) -> Sequence[Document]:
        view = self._view()
        return [
            _copied(view[ref])
            for ref in sorted(view)
            if kind in (None, ref.kind) and (owner is None or owner_of(view[ref]) == str(owner))
        ]

    async def put(self, doc: Document, *, if_version: str | None) -> Document:
        stored = self._checked(doc.ref, doc.id, if_version)
        return self._write(
            replace(
                doc,
                generation=1 if stored is None else stored.generation + (not same_json(stored.spec, doc.spec)),
                status={} if stored is None else stored.status,
            )
        )

    async def put_status(self, doc: Document, *, if_version: str) -> Document:
        stored = self._checked(doc.ref, doc.id, if_version)
        assert stored is not None
        return self._write(replace(stored, status=doc.status))

    async def delete(self, ref: Ref, *, if_version: str) -> None:
        self._checked(ref, None, if_version)
        self._before[ref] = self._now.pop(ref)
        self._announce(ref)

    async def changes(self) -> AsyncIterator[Ref]:
        event, queue = asyncio.Event(), deque(sorted(self._now))
        watcher = (event, queue)
        self._watchers.append(watcher)
        try:
            while True:
                while queue:
                    yield queue.popleft()
                event.clear()
                await event.wait()
        finally:
            self._watchers.remove(watcher)

    async def close(self) -> None:
        return

    def _view(self) -> Mapping[Ref, Document]:
        if not self.stale_reads:
            return self._now
        self.stale_reads -= 1
        stale = {**self._now, **self._before}
        return {ref: doc for ref, doc in stale.items() if doc is not None}

    def _checked(self, ref: Ref, doc_id: str | None, if_version: str | None) -> Document | None:
        if self.before_write is not None:
            hook, self.before_write = self.before_write, None  # what the hook writes does not call it again
            try:
                hook(ref)
            finally:
                self.before_write = hook
        if self.conflicts:
            self.conflicts -= 1
            raise VersionConflict(f"{ref} was changed in the meantime (as the test asked).")
        stored = self._now.get(ref)
        known = None if stored is None else (stored.id, stored.version)
        check_version(ref, known, doc_id=doc_id, if_version=if_version)
        return stored

    def _write(self, doc: Document) -> Document:
        stored = _copied(replace(doc, version=str(self._writes + 1)))  # refuses what is no JSON before anything changes
        self._writes += 1
        self._before[doc.ref] = self._now.get(doc.ref)
        self._now[doc.ref] = stored
        self._announce(doc.ref)
        return _copied(stored)

    def _announce(self, ref: Ref) -> None:
        for event, queue in self._watchers:
            if ref not in queue:
                queue.append(ref)
            event.set()


def _copied(doc: Document) -> Document:
    return replace(doc, meta=_json(doc.meta), spec=_json(doc.spec), status=_json(doc.status))


def _json(value: Mapping[str, Any]) -> dict[str, Any]:
    copied: dict[str, Any] = json.loads(dump_json(value))
    return copied
