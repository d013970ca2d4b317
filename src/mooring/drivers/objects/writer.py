# SPDX-License-Identifier: Apache-2.0
"""One large object, written as it comes, in equal parts: nothing of it lies on this machine. Made by `remote`.

It is there when `close` returned, and not before: who gives up does not close it. What was sent until then the store keeps as
an unfinished upload, which its lifecycle rules remove.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mooring.drivers.objects.faults import Passing
from mooring.errors import MooringError

PART_BYTES = 32 << 20
"""Some stores want all parts but the last equal, and no store takes more than 10,000: that is 312 GiB."""
SIDE_BY_SIDE = 2


class ObjectWriter:
    """A file that only grows."""

    def __init__(self, file: Any, translate: Callable[[Exception], Exception]) -> None:
        """Args: file: obstore's writer; translate: its errors into ours."""
        self._file, self._translate = file, translate

    def write(self, data: bytes) -> int:
        """Add `data`; memory holds a few parts at most.

        Raises:
            MooringError: the store refuses it.
        """
        with self._typed():
            self._file.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing: parts are sent when they are full."""

    def close(self) -> None:
        """Send the last part and let the object be there.

        Raises:
            MooringError: the store refuses it; there is no object then.
        """
        with self._typed():
            self._file.close()

    @contextmanager
    def _typed(self) -> Iterator[None]:
        try:
            yield
        except MooringError:
            raise
        except Exception as error:
            fault = self._translate(error)
            raise (fault.error if isinstance(fault, Passing) else fault) from error
