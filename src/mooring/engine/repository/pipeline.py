# SPDX-License-Identifier: Apache-2.0
"""New blobs into packs, packs into the store: worker threads compress and seal, one more sends.

Bounded: a few megabytes wait to be compressed, one pack begins to grow while another is sent. The first error stops
everything and is raised to whoever calls next. Called by `session` only, which has decided already that a blob is new.
"""

from __future__ import annotations

import mmap
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

import zstandard

from mooring.engine.repository.keys import Keys
from mooring.engine.repository.pack import FinishedPack, PackBuilder, empty_buffer, new_buffer

# Measured on one of two cores: 16 KiB pieces of a mail table as text shrink to 26.0 % at 419 MB/s with level 1, to 27.2 % at
# 291 MB/s with level 3; 60 MB of documents and pages to 47.6 % at 299 MB/s, and to 46.1 % at 274 MB/s.
LEVEL = 1
# What does not shrink by a thirtieth is stored as it is: restoring it then costs nothing.
_WORTH = 30
_BATCH_BYTES = 512 * 1024
_STEP_BYTES = 256 * 1024
_BATCH_BLOBS = 256
_UNDER_WAY = 6 * 1024 * 1024
# So far a pack grows while the one before is on its way: enough to keep the sender busy, and half the memory of two whole ones.
_GROWN = 12 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class NewBlob:
    """A blob that is to be stored."""

    id: bytes
    content: bytes
    kind: int


class Pipeline:
    """Threads between `add` and the store. `close` must be called."""

    def __init__(self, keys: Keys, *, send: Callable[[FinishedPack], None], workers: int | None = None) -> None:
        """Start the threads.

        Args:
            keys: of the repository.
            send: stores a pack and notes where its blobs are; called by one thread.
            workers: threads that compress; None takes as many as there are cores, four at most.
        """
        self._keys = keys
        self._send = send
        self._batch: list[NewBlob] = []
        self._batch_bytes = 0
        self._under_way = 0
        self._room = threading.Condition()
        self._batches: queue.Queue[tuple[list[NewBlob], int] | None] = queue.Queue()
        # One grows while the other is sent; they are used again, since making and freeing such blocks costs time and memory.
        self._sent: mmap.mmap | None = None
        self._buffer = new_buffer()
        self._builder = PackBuilder(keys, self._buffer)
        self._builder_lock = threading.Lock()
        self._packs: queue.Queue[FinishedPack | None] = queue.Queue(1)
        self._sending = threading.Semaphore(1)
        self._failure: BaseException | None = None
        self.stored_bytes = 0
        count = workers or min(4, os.cpu_count() or 1)
        self._workers = [threading.Thread(target=self._work, name=f"pack-{n}", daemon=True) for n in range(count)]
        self._sender = threading.Thread(target=self._send_all, name="pack-send", daemon=True)
        for thread in (*self._workers, self._sender):
            thread.start()

    def add(self, blob: NewBlob) -> None:
        """Hand over a blob; waits while too much is under way.

        Raises:
            MooringError: what stopped the threads.
        """
        self.check()
        with self._room:
            while self._under_way >= _UNDER_WAY:
                self._room.wait()
            self._batch.append(blob)
            self._batch_bytes += len(blob.content)
            if self._batch_bytes >= _BATCH_BYTES or len(self._batch) >= _BATCH_BLOBS:
                self._put_batch()

    def flush(self) -> None:
        """Wait until everything that was handed over is in the store.

        Raises:
            MooringError: what stopped the threads.
        """
        with self._room:
            if self._batch:
                self._put_batch()
        self._batches.join()
        with self._builder_lock:
            if not self._builder.empty and self._failure is None:
                self._hand_over()
        self._packs.join()
        self.check()

    def _put_batch(self) -> None:
        self._under_way += self._batch_bytes
        # Never full: what is under way is bounded by its bytes.
        self._batches.put((self._batch, self._batch_bytes))
        self._batch, self._batch_bytes = [], 0

    def close(self) -> None:
        """Stop the threads; what was not flushed is dropped."""
        for _ in self._workers:
            self._batches.put(None)
        for thread in self._workers:
            thread.join()
        self._packs.put(None)
        self._sender.join()

    def check(self) -> None:
        """Raise what stopped the threads, if anything did."""
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        compressor = zstandard.ZstdCompressor(level=LEVEL)
        while (item := self._batches.get()) is not None:
            batch, size = item
            try:
                if self._failure is None:
                    self._pack(batch, compressor)
            except BaseException as error:  # noqa: BLE001 - raised again by whoever calls next
                self._failure = self._failure or error
            finally:
                # Before the next wait, or the last batch stays in memory.
                item = batch = None  # type: ignore[assignment]
                with self._room:
                    self._under_way -= size
                    self._room.notify_all()
                self._batches.task_done()

    def _pack(self, batch: list[NewBlob], compressor: zstandard.ZstdCompressor) -> None:
        """Compress and seal a batch; few large blobs at a time, or memory is full of what has been done."""
        batch.reverse()
        while batch:
            pieces: list[tuple[NewBlob, bytes, bool]] = []
            size = 0
            while batch and size < _STEP_BYTES:
                blob = batch.pop()
                size += len(blob.content)
                packed = compressor.compress(blob.content)
                worth = len(packed) <= len(blob.content) - len(blob.content) // _WORTH - 1
                pieces.append((blob, packed if worth else blob.content, worth))
            with self._builder_lock:
                for blob, piece, compressed in pieces:
                    if self._builder.size >= _GROWN:
                        with self._sending:
                            pass
                    self.stored_bytes += len(piece)
                    self._builder.add(blob.id, piece, length=len(blob.content), compressed=compressed, kind=blob.kind)
                    if self._builder.full:
                        self._hand_over()

    def _hand_over(self) -> None:
        # Taken before the pack is closed, so that no third one begins to grow while one waits.
        self._sending.acquire()
        pack = self._builder.finish()
        used, self._buffer = self._buffer, self._sent if self._sent is not None else new_buffer()
        self._sent = used
        self._builder = PackBuilder(self._keys, self._buffer)
        self._packs.put(pack)

    def _send_all(self) -> None:
        while (pack := self._packs.get()) is not None:
            try:
                if self._failure is None:
                    self._send(pack)
            except BaseException as error:  # noqa: BLE001 - raised again by whoever calls next
                self._failure = self._failure or error
            finally:
                pack = None
                if self._sent is not None:
                    empty_buffer(self._sent)
                self._sending.release()
                self._packs.task_done()
