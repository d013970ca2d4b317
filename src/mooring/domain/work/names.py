# SPDX-License-Identifier: Apache-2.0
"""Names of the databases that tasks make beside an instance's own, and the key of its lock. Pure.

They derive from the instance id and the operation, so that a run after a kill finds what the one before it left.
"""

from __future__ import annotations

import hashlib
from typing import Literal


def beside(instance: str, *, role: Literal["building", "safety", "previous"], operation: str) -> str:
    """`mooring_safety_` and 16 hex digits: a database's name in `role`, for this operation of this instance."""
    digest = hashlib.sha256(f"{instance}\0{operation}".encode()).hexdigest()[:16]
    return f"mooring_{role}_{digest}"


def lock_key(instance: str) -> int:
    """The key of the advisory lock of an instance: a signed 64-bit number."""
    digest = hashlib.sha256(f"mooring\0{instance}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
