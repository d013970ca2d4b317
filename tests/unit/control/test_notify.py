# SPDX-License-Identifier: Apache-2.0
"""The queue of notifications: in order, one at a time, tried again with growing pauses, and not for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mooring.control.notify import GIVE_UP_AFTER, KEEP, after_attempt, due, queue_notification
from mooring.domain.model.identity import Ref

SHOP = Ref("OdooInstance", "default", "shop")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def queued(count: int) -> list[dict[str, object]]:
    """So many, a second apart."""
    waiting: list[dict[str, object]] = []
    for number in range(count):
        at = NOW + timedelta(seconds=number)
        waiting = queue_notification(waiting, SHOP, before=f"P{number}", after=f"P{number + 1}", now=at)
    return waiting


def test_queue_holds_what_happened_oldest_first_with_ids_of_its_own() -> None:
    waiting = queued(3)
    assert [one["body"]["phase"] for one in waiting] == ["P1", "P2", "P3"]  # type: ignore[index]  # JSON
    assert len({one["id"] for one in waiting}) == 3


def test_queue_of_a_receiver_that_is_never_there_stays_bounded() -> None:
    waiting = queued(KEEP + 5)
    assert len(waiting) == KEEP
    assert waiting[-1]["body"]["phase"] == f"P{KEEP + 5}"  # type: ignore[index]  # JSON


def test_nothing_overtakes_the_first_while_it_waits_for_its_time() -> None:
    waiting = after_attempt(queued(2), sent=False, retry=True, now=NOW)
    assert due(waiting, NOW) is None
    assert due(waiting, NOW + timedelta(seconds=2)) == waiting[0]
    assert due([], NOW) is None


def test_what_was_sent_leaves_the_queue() -> None:
    waiting = queued(2)
    assert after_attempt(waiting, sent=True, retry=True, now=NOW) == waiting[1:]


def test_pauses_grow_until_it_is_given_up() -> None:
    waiting, now, pauses = queued(1), NOW, []
    while waiting:
        waiting = after_attempt(waiting, sent=False, retry=True, now=now)
        if waiting:
            at = datetime.fromisoformat(str(waiting[0]["notBefore"]))
            pauses.append((at - now).total_seconds())
            now = at
    assert pauses == sorted(pauses)
    assert len(pauses) == GIVE_UP_AFTER - 1
    assert pauses[0] == 1


def test_a_refusal_by_the_receivers_own_words_does_not_block_what_comes_after() -> None:
    waiting = queued(2)
    assert after_attempt(waiting, sent=False, retry=False, now=NOW) == waiting[1:]
