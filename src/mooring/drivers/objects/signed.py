# SPDX-License-Identifier: Apache-2.0
"""Ranges from servers that answer a range with status 200 instead of 206, which obstore does not accept.

`rclone serve s3` (1.75) is one: it sends the right bytes and `Content-Range`. Such a request is signed by obstore and sent
here. Used by `remote.RemoteObjects` once a server has shown that it is one; may go when obstore accepts the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import urllib3

from mooring.drivers.objects.errors import StoreFailed, StoreUnreachable
from mooring.drivers.objects.faults import Passing

NOT_PARTIAL = "Received non-partial response when range requested"
_VALID_FOR = timedelta(minutes=10)


class SignedRanges:
    """Sends range requests to signed URLs. Safe from several threads."""

    def __init__(self, sign: Callable[[str, timedelta], str], *, place: str, ca_file: Path | None = None) -> None:
        """Args: sign: makes the URL of a key; place: the store, for messages; ca_file: trusted certificates."""
        self._sign = sign
        self._place = place
        trusted = None if ca_file is None else str(ca_file)
        self._pool = urllib3.PoolManager(maxsize=16, retries=False, ca_certs=trusted)

    def get(self, key: str, *, start: int, length: int) -> bytes:
        """`length` bytes from `start`.

        Raises:
            Passing: try again; no error holds the URL, which carries a signature.
        """
        url = self._sign(key, _VALID_FOR)
        wanted = f"bytes {start}-{start + length - 1}/"
        try:
            answer = self._pool.request(
                "GET",
                url,
                headers={"Range": f"bytes={start}-{start + length - 1}"},
                timeout=urllib3.Timeout(connect=10, read=60),
                preload_content=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise Passing(StoreUnreachable(f"{self._place} cannot be reached ({type(error).__name__}).")) from None
        try:
            if answer.status not in (200, 206) or not answer.headers.get("Content-Range", "").startswith(wanted):
                raise Passing(StoreFailed(f"{self._place} does not give a part of {key}: status {answer.status}."))
            content = answer.read(length + 1)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Passing(StoreFailed(f"{self._place} broke off {key} ({type(error).__name__}).")) from None
        finally:
            answer.release_conn()
        if len(content) != length:
            raise Passing(
                StoreFailed(f"{self._place} gave {len(content)} bytes of {key} where {length} were asked for.")
            )
        return content
