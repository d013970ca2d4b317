# SPDX-License-Identifier: Apache-2.0
"""What an upgrade cost is read from its journal."""

from __future__ import annotations

from typing import Any

from bench.upgrades import read_upgrade


def record(step: str, state: str, second: float, **more: Any) -> dict[str, Any]:
    """One of a journal."""
    return {"step": step, "attempt": 1, "at": f"2026-01-01T00:00:{second:06.3f}Z", "state": state, **more}


def test_journal_of_an_upgrade_gives_its_seconds_and_what_odoo_was_given() -> None:
    """Whole, until users were in, and each step that was carried out; one that was tried again counts from its last try."""
    found = read_upgrade(
        {
            "steps": [
                record("hash-modules", "intended", 1.0),
                record("hash-modules", "failed", 2.0, result={"code": "MOOR-000"}),
                record("hash-modules", "intended", 3.0),
                record("hash-modules", "done", 4.5, result={"touched": ["sale"]}),
                record("start", "intended", 5.0),
                record("start", "done", 7.0),
                record("drop-old-copies", "intended", 7.0),
                record("drop-old-copies", "done", 9.25),
            ]
        }
    )
    assert (found.whole_s, found.users_s, found.touched) == (8.25, 6.0, ["sale"])
    assert found.steps_s == {"hash-modules": 1.5, "start": 2.0, "drop-old-copies": 2.25}


def test_journal_of_an_upgrade_with_nothing_to_do_stops_no_users() -> None:
    """Without a start there is no time until users are in."""
    found = read_upgrade(
        {
            "steps": [
                record("hash-modules", "intended", 1.0),
                record("hash-modules", "done", 2.0, result={"touched": []}),
            ]
        }
    )
    assert (found.whole_s, found.users_s, found.touched) == (1.0, None, [])
