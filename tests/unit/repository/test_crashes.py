# SPDX-License-Identifier: Apache-2.0
"""A kill between any two writes, and a prune beside a backup in every order of their requests: nothing is lost."""

from __future__ import annotations

import contextlib
import itertools
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from mooring.domain.repository.manifest import StreamRef
from mooring.drivers.objects.store import ObjectStore
from mooring.engine.repository.check import check_scope
from mooring.engine.repository.errors import PruneRefused, ReuseLost
from mooring.engine.repository.ports import Cut
from mooring.engine.repository.prune import prune_scope
from mooring.engine.repository.repository import Repository, open_repository
from mooring.engine.repository.snapshots import Snapshot, delete_snapshots
from tests.support.gated_store import Killed, Stage, WatchedStore, dying_store
from tests.support.repositories import SCOPE, manifest, memory_repository, memory_store
from tests.unit.repository.test_round_trip import content_of, read, write

LATER = timedelta(days=2)
OLD = [content_of(seed, 3_000, shrinks=False) for seed in range(4)]
SHARED = content_of(50, 3_000, shrinks=False)
NEW = [content_of(seed, 3_000, shrinks=False) for seed in range(60, 64)]


def opened(store: ObjectStore, cache: Path | None = None) -> Repository:
    return open_repository(store, passphrase=None, cache=cache)


def forget(repository: Repository, number: int) -> None:
    snapshots, _ = repository.snapshots(scope=SCOPE)
    delete_snapshots(repository.store, repository.cache, [snapshots[number]])


def assert_whole(store: ObjectStore, expected: dict[str, list[bytes]]) -> None:
    """Every snapshot that is there can be read, the expected ones among them, and a check finds nothing."""
    repository = opened(store)
    snapshots, damaged = repository.snapshots(scope=SCOPE)
    assert damaged == []
    report = check_scope(repository, SCOPE, read_share=1)
    assert report.good, report
    found = {snapshot.id: snapshot for snapshot in snapshots}
    for snapshot_id, contents in expected.items():
        refs = [addon.stream for addon in found[snapshot_id].manifest.addons]
        assert read(repository, refs) == contents


def backup(
    repository: Repository, contents: list[bytes], *, number: int, over: list[StreamRef] | None = None
) -> Snapshot:
    """A backup as callers do it: again when a prune took something. `over` are streams to take over from the newest."""
    for _ in range(5):
        known, _ = repository.snapshots(scope=SCOPE)
        with contextlib.suppress(ReuseLost), repository.session(SCOPE, workers=1) as session:
            taken: list[StreamRef] = []
            if over is not None and known:
                session.take_over(known[-1])
                taken = [addon.stream for addon in known[-1].manifest.addons]
            taken += [session.write([content], cut=Cut.FIXED) for content in contents[len(taken) :]]
            made = manifest(taken, number=number)
            return session.commit(lambda _, made=made: made)  # type: ignore[misc]
    raise AssertionError("five times in a row")


def test_a_backup_killed_between_any_two_writes_leaves_the_others_whole_and_the_next_succeeds(tmp_path: Path) -> None:
    finished = False
    for writes in itertools.count():
        store = memory_store()
        memory_repository(store=store)
        first = backup(opened(store), OLD, number=0)
        cache = tmp_path / str(writes)
        try:
            backup(opened(dying_store(store, writes=writes), cache), [*OLD[:2], *NEW], number=1)
            finished = True
        except Killed:
            pass
        assert_whole(store, {first.id: OLD})
        third = backup(opened(store, cache), [*NEW, SHARED], number=2)
        assert_whole(store, {first.id: OLD, third.id: [*NEW, SHARED]})
        if finished:
            break
    assert writes >= 3


def garbage_store() -> tuple[ObjectStore, Snapshot, Snapshot]:
    """Packs of all sorts: unused, mostly unused, in use; one named by an earlier prune, whose grace is over."""
    store = memory_store()
    memory_repository(store=store)
    repository = opened(store)
    write(repository, OLD)
    write(repository, [*NEW, content_of(99, 300, shrinks=False)], number=1)
    kept = backup(repository, [OLD[0], SHARED], number=2)
    forget(repository, 0)
    forget(repository, 0)
    prune_scope(repository, SCOPE)
    again = backup(opened(store), [NEW[0], SHARED, *OLD[1:]], number=3)
    write(opened(store), [content_of(77, 2_000, shrinks=False)], number=4)
    forget(repository, -1)
    return store, kept, again


def test_a_prune_killed_between_any_two_writes_loses_nothing_and_the_next_ones_finish() -> None:
    finished = False
    for writes in itertools.count():
        store, kept, again = garbage_store()
        expected = {kept.id: [OLD[0], SHARED], again.id: [NEW[0], SHARED, *OLD[1:]]}
        assert_whole(store, expected)
        try:
            prune_scope(opened(dying_store(store, writes=writes, ahead=LATER)), SCOPE)
            finished = True
        except Killed:
            pass
        assert_whole(store, expected)
        for day in (2, 3, 4):
            prune_scope(opened(WatchedStore(store, lambda _: None, ahead=day * LATER)), SCOPE)
        assert_whole(store, expected)
        report = prune_scope(opened(WatchedStore(store, lambda _: None, ahead=9 * LATER)), SCOPE)
        assert (report.named, report.waiting, report.refused) == ((), 0, [])
        if finished:
            break
    assert writes >= 8


def test_what_nobody_needs_is_gone_after_two_prunes_and_not_before_the_grace() -> None:
    store = memory_store()
    repository = memory_repository(store=store)
    write(repository, OLD)
    write(repository, NEW, number=1)
    forget(repository, 0)
    before = {info.key for info in store.list_below("scopes/") if "/packs/" in info.key}
    assert len(prune_scope(opened(store), SCOPE, dry_run=True).named) == 1
    assert len(prune_scope(opened(store), SCOPE).named) == 1
    waiting = prune_scope(opened(store), SCOPE)
    assert (waiting.named, waiting.waiting, waiting.deleted) == ((), 1, 0)
    hour_off = prune_scope(opened(WatchedStore(store, lambda _: None, ahead=timedelta(hours=1))), SCOPE)
    assert hour_off.deleted == 0
    assert {info.key for info in store.list_below("scopes/") if "/packs/" in info.key} == before
    done = prune_scope(opened(WatchedStore(store, lambda _: None, ahead=LATER)), SCOPE)
    assert (done.deleted, done.waiting) == (1, 0)
    assert len([info for info in store.list_below("scopes/") if "/packs/" in info.key]) == 1


def side_by_side(turns: tuple[int, ...], *, first: int, takes_over: bool) -> tuple[int, int]:
    """A backup and two prunes, a grace apart, in the order that `turns` gives; requests of each.

    The only snapshot that holds what the backup needs is forgotten: before all, or, where the backup takes its content over,
    while the backup runs, by the prunes' host.
    """
    store = memory_store()
    memory_repository(store=store)
    repository = opened(store)
    refs = write(repository, OLD)
    if not takes_over:
        forget(repository, 0)
    stage = Stage(turns)
    made: list[Snapshot] = []
    faults: list[BaseException] = []

    def run_backup(actor: int) -> None:
        try:
            mine = opened(WatchedStore(store, stage.before(actor)))
            made.append(backup(mine, [*OLD, *NEW[:1]], number=5, over=refs if takes_over else None))
        except BaseException as fault:  # noqa: BLE001 - raised by the test
            faults.append(fault)
        finally:
            stage.end(actor)

    def run_prunes(actor: int) -> None:
        try:
            mine = opened(WatchedStore(store, stage.before(actor)))
            if takes_over:
                snapshots, _ = mine.snapshots(scope=SCOPE)
                delete_snapshots(
                    mine.store, mine.cache, [item for item in snapshots if item.manifest.time < "2026-03-01T12:05"]
                )
            for day in (1, 2):
                prune_scope(opened(WatchedStore(store, stage.before(actor), ahead=day * LATER)), SCOPE)
        except BaseException as fault:  # noqa: BLE001 - raised by the test
            faults.append(fault)
        finally:
            stage.end(actor)

    actors = (run_backup, run_prunes) if first == 0 else (run_prunes, run_backup)
    threads = [threading.Thread(target=actor, args=(number,)) for number, actor in enumerate(actors)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, (turns, first, faults)
    assert_whole(store, {made[0].id: [*OLD, NEW[0]]})
    for day in (3, 4):
        prune_scope(opened(WatchedStore(store, lambda _: None, ahead=day * LATER)), SCOPE)
    assert_whole(store, {made[0].id: [*OLD, NEW[0]]})
    backups, prunes = (stage.sent[0], stage.sent[1]) if first == 0 else (stage.sent[1], stage.sent[0])
    return backups, prunes


@pytest.mark.parametrize("takes_over", [False, True], ids=["finds-blobs", "takes-over"])
def test_a_backup_beside_prunes_loses_nothing_wherever_either_stops_for_the_other(takes_over: bool) -> None:
    alone, prunes = side_by_side((1000,), first=0, takes_over=takes_over)
    tried = 0
    # The backup stops after i requests and the prunes after j; then the backup ends, then the prunes.
    for i in range(alone + 1):
        for j in range(1, prunes + 4):
            side_by_side((i, j, 1000), first=0, takes_over=takes_over)
            tried += 1
    assert tried > 100


@pytest.mark.full
@pytest.mark.parametrize("takes_over", [False, True], ids=["finds-blobs", "takes-over"])
def test_a_backup_beside_prunes_loses_nothing_in_any_order_with_three_stops(takes_over: bool) -> None:
    alone, prunes = side_by_side((1000,), first=0, takes_over=takes_over)
    # The backup stops after i requests, the prunes after j, the backup after k more; then the prunes end, then the backup.
    for i, j, k in itertools.product(range(alone), range(1, prunes + 4), range(1, alone + 1)):
        if i + k <= alone:
            side_by_side((i, j, k, 1000), first=0, takes_over=takes_over)


def test_a_backup_killed_at_any_request_after_prunes_ran_beside_it_leaves_no_broken_snapshot() -> None:
    """Also between its manifest and its last look: what was named before the manifest was copied first."""
    for stop in range(8):
        for kill in range(stop, 30):
            store = memory_store()
            memory_repository(store=store)
            write(opened(store), OLD)
            forget(opened(store), 0)
            sent = [0]

            def before(
                _: str, store: ObjectStore = store, stop: int = stop, kill: int = kill, sent: list[int] = sent
            ) -> None:
                # The backup's generation is read at requests 2 and 7; a stop after that one is longer than a grace.
                if sent[0] == stop:
                    for day in (1, 2):
                        prune_scope(opened(WatchedStore(store, lambda _: None, ahead=day * LATER)), SCOPE)
                if sent[0] == kill:
                    raise Killed
                sent[0] += 1

            ended = False
            try:
                backup(opened(WatchedStore(store, before)), [*OLD, *NEW[:1]], number=5)
                ended = True
            except Killed:
                pass
            assert_whole(store, {})
            if ended:
                break


def test_two_backups_at_once_are_both_whole() -> None:
    store = memory_store()
    memory_repository(store=store)
    made: list[Snapshot] = []

    def run(number: int, contents: list[bytes]) -> None:
        made.append(backup(opened(store), contents, number=number))

    threads = [
        threading.Thread(target=run, args=(number, contents))
        for number, contents in enumerate(([*OLD, SHARED], [*NEW, SHARED]))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    by_number = sorted(made, key=lambda item: item.manifest.time)
    assert_whole(store, {by_number[0].id: [*OLD, SHARED], by_number[1].id: [*NEW, SHARED]})


def test_two_prunes_at_once_do_not_undo_each_other() -> None:
    store, kept, again = garbage_store()
    expected = {kept.id: [OLD[0], SHARED], again.id: [NEW[0], SHARED, *OLD[1:]]}

    def run(day: int) -> None:
        with contextlib.suppress(PruneRefused):
            prune_scope(opened(WatchedStore(store, lambda _: None, ahead=day * LATER)), SCOPE)

    threads = [threading.Thread(target=run, args=(day,)) for day in (1, 1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_whole(store, expected)


def test_a_prune_where_something_cannot_be_read_deletes_nothing() -> None:
    store, _, _ = garbage_store()
    [*_, index] = [info.key for info in store.list_below("scopes/") if "/indexes/" in info.key]
    store.put(index, store.get(index)[:-1])
    before = [info.key for info in store.list_below("scopes/")]
    with pytest.raises(PruneRefused, match="cannot be read"):
        prune_scope(opened(WatchedStore(store, lambda _: None, ahead=LATER)), SCOPE)
    assert [info.key for info in store.list_below("scopes/")] == before


def test_a_prune_where_content_in_use_is_missing_deletes_nothing() -> None:
    store, kept, _ = garbage_store()
    repository = opened(store)
    place = repository.catalog(SCOPE).table.find(bytes.fromhex(kept.manifest.addons[1].stream.id))
    assert place is not None
    gone = repository.catalog(SCOPE).table.packs[place.pack].id.hex()
    store.delete([f"scopes/{SCOPE}/packs/{gone[:2]}/{gone}"])
    before = [info.key for info in store.list_below("scopes/")]
    with pytest.raises(PruneRefused, match="is not there"):
        prune_scope(opened(WatchedStore(store, lambda _: None, ahead=LATER)), SCOPE)
    assert [info.key for info in store.list_below("scopes/")] == before


def test_a_grace_below_a_day_is_refused() -> None:
    store, _, _ = garbage_store()
    with pytest.raises(PruneRefused):
        prune_scope(opened(store), SCOPE, grace=timedelta(hours=1))
