# SPDX-License-Identifier: Apache-2.0
"""An object store through obstore: S3 and what speaks it, GCS, Azure, and memory for tests.

Each object is one request, repeated by `retry.insist` when the fault passes; one of any size comes by `open_writer`, in parts.
It keeps no content and knows nothing of repositories. Opened by `settings.open_store`.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import obstore
from obstore.store import MemoryStore

from mooring.drivers.objects.errors import ObjectExists, ObjectMissing, StoreFailed, StoreRegionWrong
from mooring.drivers.objects.faults import Action, NotModified, Passing, WrongRegion, translate
from mooring.drivers.objects.retry import Bandwidth, RetryPolicy, insist
from mooring.drivers.objects.signed import NOT_PARTIAL, SignedRanges
from mooring.drivers.objects.store import CLOCK_KEY, MAX_OBJECT, Content, Fetched, ObjectInfo, Refusal, Requests
from mooring.drivers.objects.writer import PART_BYTES, SIDE_BY_SIDE, ObjectWriter
from mooring.errors import MooringError

Result = TypeVar("Result")
_PAGE = 1000


class RemoteObjects:
    """One prefix of a store behind obstore. Safe from several threads."""

    def __init__(
        self,
        reads: Any,
        *,
        writes: Any = None,
        place: str,
        policy: RetryPolicy | None = None,
        bandwidth: Bandwidth | None = None,
        bulk_delete: bool = True,
        relocate: Callable[[str], tuple[Any, Any]] | None = None,
        streams: Callable[[str | None], Any] | None = None,
        signed_ranges: bool = False,
        ca_file: Path | None = None,
    ) -> None:
        """Wrap stores of obstore; nothing is sent.

        Args:
            reads: an obstore store, for everything but writing.
            writes: the same place with a time-out that allows for sending a large object; None takes `reads`.
            place: where it is, for messages.
            policy: how long to insist.
            bandwidth: what limits the bytes.
            bulk_delete: whether one request may delete many.
            relocate: makes both stores for another region; None where the region is fixed.
            streams: makes the same store for objects that are written as they come, for a region; it insists by itself.
            signed_ranges: whether `signed` can stand in for obstore when a server answers ranges as it should not.
            ca_file: certificates that are trusted there, too.
        """
        self._reads = reads
        self._writes = reads if writes is None else writes
        self._place = place
        self._policy = policy or RetryPolicy()
        self._bandwidth = bandwidth
        self._bulk = _PAGE if bulk_delete else 1
        # obstore's memory store refers to what it is given, and callers use their buffers again.
        self._keeps = isinstance(reads, MemoryStore)
        self._relocate = relocate
        self._streams = streams
        self._relocate_lock = threading.Lock()
        self._signed = SignedRanges(self._sign, place=place, ca_file=ca_file) if signed_ranges else None
        self._signed_only = False
        self._region = ""
        self._requests = Requests()
        self._clock_lock = threading.Lock()

    @property
    def place(self) -> str:
        """See `ObjectStore.place`."""
        return self._place

    @property
    def requests(self) -> Requests:
        """See `ObjectStore.requests`."""
        return self._requests

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """See `ObjectStore.get`."""

        def attempt(_: int) -> bytes:
            self._requests.add(gets=1)
            if length is None and start == 0:
                return self._whole(key, {})[0]
            # A range without an end is not one that all servers answer with a part.
            return self._range(key, start, self.head(key).size - start if length is None else length)

        if length == 0:
            return b""
        if self._bandwidth is not None and length is not None:
            self._bandwidth.take(length)
        content = self._insist(attempt, key, "read")
        if self._bandwidth is not None and length is None:
            self._bandwidth.take(len(content))
        self._requests.add(bytes_in=len(content))
        return content

    def _range(self, key: str, start: int, length: int) -> bytes:
        if self._signed is None or not self._signed_only:
            try:
                content = obstore.get_range(self._reads, key, start=start, length=length).to_bytes()
            except Exception as error:  # the store's library names its errors by text alone; what is not meant goes on
                if self._signed is None or NOT_PARTIAL not in str(error):
                    raise
                self._signed_only = True
            else:
                if len(content) != length:
                    short = f"{self._place} gave {len(content)} bytes of {key} where {length} were asked for."
                    raise Passing(StoreFailed(short))
                return content
        return self._signed.get(key, start=start, length=length)

    def get_if_changed(self, key: str, *, etag: str | None) -> Fetched | None:
        """See `ObjectStore.get_if_changed`."""

        def attempt(_: int) -> Fetched:
            self._requests.add(gets=1)
            content, tag = self._whole(key, {"if_none_match": etag} if etag else {})
            return Fetched(content, tag)

        try:
            found = self._insist(attempt, key, "read")
        except NotModified:
            return None
        self._requests.add(bytes_in=len(found.content))
        # Servers that know no condition send the content again.
        return None if etag is not None and found.etag == etag else found

    def _whole(self, key: str, options: dict[str, Any]) -> tuple[bytes, str | None]:
        answer = obstore.get(self._reads, key, options=options)  # type: ignore[arg-type]
        meta = answer.meta
        if meta["size"] > MAX_OBJECT:
            raise StoreFailed(
                f"{key} at {self._place} has {meta['size']} bytes: no object of a repository is so large."
            )
        content = answer.bytes().to_bytes()
        if len(content) != meta["size"]:
            raise Passing(
                StoreFailed(f"{self._place} gave {len(content)} bytes of {key}, and says it has {meta['size']}.")
            )
        return content, meta["e_tag"]

    def put(self, key: str, content: Content, *, create: bool = False, match: str | None = None) -> str | None:
        """See `ObjectStore.put`."""
        if self._keeps:
            content = bytes(content)
        mode: Any = "create" if create else {"e_tag": match} if match else "overwrite"
        if self._bandwidth is not None:
            self._bandwidth.take(len(content))

        def attempt(number: int) -> str | None:
            self._requests.add(puts=1, bytes_out=len(content))
            try:
                return obstore.put(self._writes, key, content, mode=mode, use_multipart=False)["e_tag"]
            except Exception as error:  # whatever it is goes on: only what the first try wrote is told apart
                fault = translate(error, place=self._place, key=key, action="write")
                # A repeated request meets what its first try wrote before the answer was lost.
                if isinstance(fault, ObjectExists) and number and self.get(key) == content:
                    return self.head(key).etag
                raise

        return self._insist(attempt, key, "write")

    def open_writer(self, key: str) -> ObjectWriter:
        """Begin a large object, in parts.

        Raises:
            MooringError: the store cannot be asked for it.
        """
        # Asked first: the region is known then, and a wrong key or a right that is missing said before anything is sent.
        with contextlib.suppress(ObjectMissing):
            self.head(key)
        store = self._writes if self._streams is None else self._streams(self._region or None)
        file = obstore.open_writer(store, key, buffer_size=PART_BYTES, max_concurrency=SIDE_BY_SIDE)
        return ObjectWriter(file, lambda error: translate(error, place=self._place, key=key, action="write"))

    def head(self, key: str) -> ObjectInfo:
        """See `ObjectStore.head`."""

        def attempt(_: int) -> ObjectInfo:
            self._requests.add(heads=1)
            return _info(obstore.head(self._reads, key))

        return self._insist(attempt, key, "read")

    def list_below(self, prefix: str, *, start_after: str | None = None) -> Iterator[ObjectInfo]:
        """See `ObjectStore.list_below`. A fault in the middle goes on after the last key that came."""
        last = start_after
        stream: Iterator[Any] | None = None

        def attempt(_: int) -> list[ObjectInfo] | None:
            nonlocal stream
            if stream is None:
                stream = iter(obstore.list(self._reads, prefix.rstrip("/") or None, offset=last, chunk_size=_PAGE))
            try:
                batch = next(stream, None)
            except Exception:  # whatever it is goes on: a broken stream is not read again
                stream = None
                raise
            self._requests.add(lists=1 if batch or last == start_after else 0)
            return None if batch is None else sorted((_info(item) for item in batch), key=lambda item: item.key)

        while (found := self._insist(attempt, prefix or "everything", "list")) is not None:
            for item in found:
                # Servers that ignore `start-after` begin at the first key again.
                if last is None or item.key > last:
                    last = item.key
                    yield item

    def delete(self, keys: Iterable[str]) -> list[Refusal]:
        """See `ObjectStore.delete`. Where a batch fails, each of its objects is tried alone, to know which it was."""
        refused: list[Refusal] = []
        wanted = list(dict.fromkeys(keys))
        for begin in range(0, len(wanted), self._bulk):
            batch = wanted[begin : begin + self._bulk]
            if len(batch) > 1 and self._try_delete(batch) is None:
                continue
            for key in batch:
                error = self._try_delete([key])
                if error is not None:
                    refused.append(Refusal(key, error))
        return refused

    def _try_delete(self, batch: list[str]) -> MooringError | None:
        def attempt(_: int) -> None:
            self._requests.add(deletes=1)
            obstore.delete(self._reads, batch)

        try:
            self._insist(attempt, batch[0], "delete")
        except ObjectMissing:
            return None if len(batch) == 1 else ObjectMissing("One of them was not there.")
        except MooringError as error:
            return error
        return None

    def now(self) -> datetime:
        """See `ObjectStore.now`."""
        with self._clock_lock:
            self.put(CLOCK_KEY, os.urandom(16))
            return self.head(CLOCK_KEY).modified

    def _sign(self, key: str, valid: timedelta) -> str:
        return obstore.sign(self._reads, "GET", key, valid)

    def _move(self, region: str, *, seen: str) -> bool:
        """Go on in the region that the store names; False where that is not allowed, or was tried already."""
        with self._relocate_lock:
            if self._region != seen:
                # Another thread moved meanwhile.
                return True
            if self._relocate is None or self._region == region:
                return False
            self._reads, self._writes = self._relocate(region)
            self._region = region
            return True

    def _insist(self, attempt: Callable[[int], Result], key: str, action: Action) -> Result:
        def translated(number: int) -> Result:
            while True:
                region = self._region
                try:
                    return attempt(number)
                except (Passing, NotModified, MooringError):
                    raise
                except Exception as error:
                    fault = translate(error, place=self._place, key=key, action=action)
                    if not isinstance(fault, WrongRegion):
                        raise fault from error
                    if not self._move(fault.region, seen=region):
                        brief = f"The bucket of {self._place} is in region {fault.region}."
                        raise StoreRegionWrong(brief) from error

        return insist(translated, policy=self._policy, on_repeat=lambda _: self._requests.add(repeats=1))


def _info(meta: Any) -> ObjectInfo:
    return ObjectInfo(key=meta["path"], size=meta["size"], modified=meta["last_modified"], etag=meta["e_tag"])
