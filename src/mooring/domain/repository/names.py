# SPDX-License-Identifier: Apache-2.0
"""Names of a repository's objects, and times as they stand in them. Fixed by the repository's format, version 1.

Pure text; called by the engine's repository modules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Share = Literal["none", "namespace", "all"]

CONFIG = "config"
KEYS = "keys/"
SCOPES = "scopes/"
SNAPSHOTS = "snapshots/"

_TIME = "%Y%m%dT%H%M%SZ"
_TEXT = "%Y-%m-%dT%H:%M:%SZ"
_SNAPSHOT = re.compile(
    r"snapshots/(?P<scope>[A-Za-z0-9._-]+)/(?P<instance>[0-9a-z][0-9a-z-]{0,63})/(?P<time>\d{8}T\d{6}Z)-(?P<id>[0-9a-f]{32})"
)
_SCOPE = re.compile(r"all|i-[0-9a-z][0-9a-z-]{0,63}|n-[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_HEX64 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class SnapshotName:
    """What the name of a manifest's object says: enough to list, not to restore."""

    scope: str
    instance: str
    time: datetime
    id: str

    @property
    def key(self) -> str:
        """The object's name."""
        return f"{snapshots(self.scope)}{self.instance}/{self.time.astimezone(UTC).strftime(_TIME)}-{self.id}"


def scope_of(share: Share, *, instance: str, namespace: str) -> str:
    """The scope in which an instance's blobs are shared, by `shareBlobs`."""
    match share:
        case "none":
            return f"i-{instance}"
        case "namespace":
            return f"n-{namespace}"
        case "all":
            return "all"


def is_scope(text: str) -> bool:
    """Whether `text` can be the name of a scope."""
    return _SCOPE.fullmatch(text) is not None


def generation(scope: str) -> str:
    """The number that a prune raises."""
    return f"{SCOPES}{scope}/generation"


def packs(scope: str) -> str:
    """The folder of packs, with a slash."""
    return f"{SCOPES}{scope}/packs/"


def pack(scope: str, pack_id: bytes) -> str:
    """One pack; `pack_id` is the SHA-256 of the object."""
    text = pack_id.hex()
    return f"{packs(scope)}{text[:2]}/{text}"


def indexes(scope: str) -> str:
    """The folder of indexes, with a slash."""
    return f"{SCOPES}{scope}/indexes/"


def index(scope: str, index_id: bytes) -> str:
    """One index; `index_id` is the SHA-256 of the object."""
    return f"{indexes(scope)}{index_id.hex()}"


def marks(scope: str) -> str:
    """The folder of marks, with a slash."""
    return f"{SCOPES}{scope}/marks/"


def mark(scope: str, mark_id: bytes) -> str:
    """One mark; `mark_id` is the SHA-256 of the object."""
    return f"{marks(scope)}{mark_id.hex()}"


def snapshots(scope: str) -> str:
    """The folder of manifests, with a slash."""
    return f"{SNAPSHOTS}{scope}/"


def last_id(key: str) -> bytes | None:
    """The id at the end of the name of a pack, an index or a mark; None for a name that is none of ours."""
    text = key.rsplit("/", 1)[-1]
    return bytes.fromhex(text) if _HEX64.fullmatch(text) else None


def scope_in(key: str) -> str | None:
    """The scope that an object belongs to; None for a name that is none of ours."""
    parts = key.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "scopes" and is_scope(parts[1]) else None


def parse_snapshot(key: str) -> SnapshotName | None:
    """What a manifest's name says; None for a name that is none of ours."""
    found = _SNAPSHOT.fullmatch(key)
    if found is None:
        return None
    try:
        time = datetime.strptime(found["time"], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return SnapshotName(found["scope"], found["instance"], time, found["id"])


def time_text(time: datetime) -> str:
    """`2026-01-02T03:04:05Z`, as manifests and JSON objects write it."""
    return time.astimezone(UTC).strftime(_TEXT)


def parse_time(text: str) -> datetime:
    """Read back what `time_text` wrote.

    Raises:
        ValueError: it is none.
    """
    return datetime.strptime(text, _TEXT).replace(tzinfo=UTC)
