# SPDX-License-Identifier: Apache-2.0
"""The contract of `mooring.targets.base`: one test a promise, on the simulated target and on a real engine."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from mooring.domain.model.desired import Desired, Destination, File, Mount, Policy, SecretSpec, Volume
from mooring.domain.model.identity import Identity, Ref, child
from mooring.domain.model.observed import Found, Observed
from mooring.domain.model.release import Release
from mooring.domain.model.secret import SecretKey, SecretRef
from mooring.domain.task import Upload
from mooring.drivers.errors import NoSuchObject
from mooring.errors import MooringError
from mooring.targets.errors import AddressNotRelayed, Foreign, NotRunning, TaskBusy
from tests.contract.target_bench import (
    USER,
    Bench,
    Missing,
    SimBench,
    desired,
    ended,
    message,
    settle,
    task,
    workload,
)


def name_of(bench: Bench, role: str = "web", index: int = 0) -> str:
    return f"{child(bench.ref, role)}-{index}"


async def test_observe_of_nothing_is_empty(bench: Bench) -> None:
    seen = await bench.target.observe(bench.ref)
    assert (dict(seen.workloads), dict(seen.volumes), seen.tasks) == ({}, {}, ())


async def test_converge_from_nothing_makes_everything_and_diff_is_empty(bench: Bench) -> None:
    want = desired(bench, workload(bench, replicas=2), volumes=(Volume("filestore"),))
    seen = await settle(bench, want)
    assert seen.workload("web").ready == 2
    assert seen.volumes["filestore"].identity == bench.identity
    assert bench.target.diff(want, seen) == type(bench.target.diff(want, seen))()


async def test_roles_that_are_missing_are_made_although_one_of_them_cannot_be(bench: Bench) -> None:
    lost = replace(workload(bench, "cron"), image=replace(bench.release, reference=f"sha256:{'0' * 64}"))
    want = desired(bench, lost, workload(bench), volumes=(Volume("filestore"),))
    with contextlib.suppress(MooringError):  # a simulated image cannot be lost
        await bench.target.converge(want, await bench.target.observe(bench.ref))
    assert (await bench.target.observe(bench.ref)).workload("web").replicas


async def test_diff_before_converge_names_what_converge_does(bench: Bench) -> None:
    want = desired(bench, workload(bench))
    seen = await bench.target.observe(bench.ref)
    planned = [change.object for change in bench.target.diff(want, seen)]
    done = [change.object for change in await bench.target.converge(want, seen)]
    assert planned == done
    assert f"container {name_of(bench)}" in done


async def test_converge_of_what_is_there_touches_nothing(bench: Bench) -> None:
    want = desired(bench, workload(bench))
    before = await settle(bench, want)
    assert list(await bench.target.converge(want, before)) == []
    after = await bench.target.observe(bench.ref, live=True)
    assert after.workload("web").replicas[0].started_at == before.workload("web").replicas[0].started_at


async def test_scaling_up_leaves_running_replicas_alone(bench: Bench) -> None:
    before = await settle(bench, desired(bench, workload(bench)))
    after = await settle(bench, desired(bench, workload(bench, replicas=2)))
    assert after.workload("web").running == 2
    assert after.workload("web").replicas[0].started_at == before.workload("web").replicas[0].started_at


async def test_scaling_down_removes_the_last_replicas(bench: Bench) -> None:
    await settle(bench, desired(bench, workload(bench, replicas=2)))
    seen = await settle(bench, desired(bench, workload(bench)))
    assert [item.name for item in seen.workload("web").replicas] == [name_of(bench)]


async def test_change_replaces_one_replica_at_a_time(bench: Bench) -> None:
    await settle(bench, desired(bench, workload(bench, replicas=2)))
    want = desired(bench, workload(bench, replicas=2, version="2"))
    lowest = 2
    for _ in range(300):
        seen = await bench.target.observe(bench.ref, live=True)
        lowest = min(lowest, seen.workload("web").ready)
        await bench.target.converge(want, seen)
        if not bench.target.diff(want, seen) and seen.workload("web").ready == 2:
            break
        await bench.clock.sleep(0.1)
    else:
        pytest.fail("the change was not rolled out")
    assert lowest == 1


async def test_change_that_never_gets_ready_leaves_the_other_replica_serving(bench: Bench) -> None:
    before = await settle(bench, desired(bench, workload(bench, replicas=2)))
    want = desired(bench, workload(bench, replicas=2, version="2", ready=False))
    for _ in range(25):
        await bench.target.converge(want, await bench.target.observe(bench.ref))
        await bench.clock.sleep(0.1)
    seen = await bench.target.observe(bench.ref, live=True)
    old = {item.fingerprint for item in before.workload("web").replicas}
    assert sum(item.ready and item.fingerprint in old for item in seen.workload("web").replicas) == 1


async def test_unwanted_role_is_gone_and_its_volume_stays(bench: Bench) -> None:
    kept = replace(workload(bench), mounts=(Mount("filestore", "/var/lib/store", 1234, 1234),))
    await settle(bench, desired(bench, kept, volumes=(Volume("filestore"),)))
    seen = await settle(bench, desired(bench, volumes=(Volume("filestore"),)))
    assert "web" not in seen.workloads
    assert "filestore" in seen.volumes
    assert "filestore" in (await settle(bench, desired(bench))).volumes


async def test_converge_does_not_wait_for_the_grace_period(bench: Bench) -> None:
    stubborn = replace(workload(bench), argv=("sh", "-c", "trap '' TERM; while :; do sleep 0.2; done"), stop_grace_s=3)
    await settle(bench, desired(bench, stubborn))
    began = bench.clock.monotonic()
    await bench.target.converge(desired(bench), await bench.target.observe(bench.ref))
    assert bench.clock.monotonic() - began < 1.5
    seen = await bench.target.observe(bench.ref, live=True)
    assert seen.workload("web").running == 1
    assert [change.action for change in bench.target.diff(desired(bench), seen)] == ["stop"]
    assert list(await bench.target.converge(desired(bench), seen)) == []


async def test_replica_removed_by_hand_is_made_again(bench: Bench) -> None:
    want = desired(bench, workload(bench))
    await settle(bench, want)
    await bench.remove_by_hand(name_of(bench))
    assert (await settle(bench, want)).workload("web").ready == 1


async def test_replica_stopped_by_hand_is_started_again(bench: Bench) -> None:
    want = desired(bench, workload(bench))
    await settle(bench, want)
    await bench.kill_process(name_of(bench))
    seen = await bench.target.observe(bench.ref, live=True)
    assert seen.workload("web").running == 0
    assert (await settle(bench, want)).workload("web").ready == 1


async def test_replica_detached_by_hand_is_made_anew_as_its_connections_are_dead(bench: Bench) -> None:
    want = desired(bench, workload(bench))
    before = await settle(bench, want)
    await bench.detach_by_hand(name_of(bench))
    changes = bench.target.diff(want, await bench.target.observe(bench.ref))
    assert [change.action for change in changes] == ["replace"]
    after = await settle(bench, want)
    assert after.workload("web").replicas[0].started_at != before.workload("web").replicas[0].started_at


async def test_file_edited_by_hand_is_seen_live_and_repaired(bench: Bench) -> None:
    want = desired(bench, workload(bench))
    before = await settle(bench, want)
    await bench.edit_by_hand(name_of(bench))
    seen = await bench.target.observe(bench.ref, live=True)
    assert [change.action for change in bench.target.diff(want, seen)] == ["replace"]
    for _ in range(100):
        seen = await bench.target.observe(bench.ref, live=True)
        await bench.target.converge(want, seen)
        if not bench.target.diff(want, seen):
            break
        await bench.clock.sleep(0.1)
    assert seen.workload("web").replicas[0].started_at != before.workload("web").replicas[0].started_at


async def test_rotated_secret_rolls_the_processes_once(bench: Bench) -> None:
    await settle(bench, desired(bench, workload(bench)))
    rotated = desired(bench, workload(bench, version="2"))
    seen = await bench.target.observe(bench.ref)
    assert [change.action for change in bench.target.diff(rotated, seen)] == ["replace"]
    await settle(bench, rotated)


async def test_missing_secret_starts_nothing(bench: Bench) -> None:
    bench.secrets.values.clear()
    want = desired(bench, workload(bench))
    with pytest.raises(Missing):
        await bench.target.converge(want, await bench.target.observe(bench.ref))
    assert (await bench.target.observe(bench.ref, live=True)).workload("web").running == 0


async def test_missing_declared_secret_starts_nothing(bench: Bench) -> None:
    spec = SecretSpec(SecretRef("default", "app"), ("absent",))
    want = replace(desired(bench, workload(bench)), secrets=(spec,))
    with pytest.raises(Missing):
        await bench.target.converge(want, await bench.target.observe(bench.ref))
    assert (await bench.target.observe(bench.ref, live=True)).workload("web").running == 0


async def test_replica_that_dies_at_start_shows_its_exit(bench: Bench) -> None:
    want = desired(bench, replace(workload(bench), argv=("false",)))
    await bench.target.converge(want, await bench.target.observe(bench.ref))
    replica = (await bench.target.observe(bench.ref, live=True)).workload("web").replicas[0]
    for _ in range(50):
        if replica.exit_code == 1:
            break
        await bench.clock.sleep(0.1)
        replica = (await bench.target.observe(bench.ref, live=True)).workload("web").replicas[0]
    assert (replica.exit_code, replica.ready) == (1, False)


@pytest.mark.parametrize("kind", ["container", "volume", "network"])
async def test_stranger_with_our_name_is_refused_and_nothing_changes(bench: Bench, kind: str) -> None:
    name = {
        "container": name_of(bench),
        "volume": child(bench.ref, "filestore"),
        "network": child(bench.ref, "network"),
    }[kind]
    await bench.add_stranger(kind, name)
    want = desired(bench, workload(bench), volumes=(Volume("filestore"),))
    seen = await bench.target.observe(bench.ref)
    assert {change.consequence for change in bench.target.diff(want, seen)} == {"refused"}
    with pytest.raises(Foreign, match=name):
        await bench.target.converge(want, seen)
    assert await bench.stranger_there(kind, name)
    assert (await bench.target.observe(bench.ref, live=True)).workload("web").running == 0


async def test_another_instance_id_is_refused(bench: Bench) -> None:
    await settle(bench, desired(bench, workload(bench), volumes=(Volume("filestore"),)))
    other = replace(desired(bench, workload(bench)), identity=replace(bench.identity, instance="another"))
    with pytest.raises(Foreign):
        await bench.target.converge(other, await bench.target.observe(bench.ref))


async def test_killed_controller_is_followed_by_one_that_finishes(bench: Bench) -> None:
    want = desired(bench, workload(bench, replicas=2))
    await bench.target.converge(want, await bench.target.observe(bench.ref))
    bench.again()
    assert (await settle(bench, want)).workload("web").ready == 2


async def test_policy_change_is_carried_out(bench: Bench) -> None:
    await settle(bench, desired(bench, workload(bench)))
    want = desired(bench, workload(bench), policy=Policy("none"))
    assert bench.target.diff(want, await bench.target.observe(bench.ref))
    assert (await settle(bench, want)).workload("web").ready == 1


async def test_nothing_wanted_leaves_only_volumes(bench: Bench) -> None:
    await settle(bench, desired(bench, workload(bench), volumes=(Volume("filestore"),)))
    nothing = Desired(bench.ref, bench.identity, network=False)
    seen = await settle(bench, nothing)
    assert {item.kind for item in seen.objects.values()} == {"volume"}


async def test_remove_volumes_deletes_the_data_of_this_id(bench: Bench) -> None:
    await settle(bench, desired(bench, volumes=(Volume("filestore"),)))
    await settle(bench, Desired(bench.ref, bench.identity, network=False))
    removed = await bench.target.remove_volumes(bench.ref, bench.identity.instance)
    assert list(removed) == [child(bench.ref, "filestore")]
    assert dict((await bench.target.observe(bench.ref, live=True)).volumes) == {}


async def test_remove_volumes_of_another_id_is_refused(bench: Bench) -> None:
    await settle(bench, desired(bench, volumes=(Volume("filestore"),)))
    with pytest.raises(Foreign):
        await bench.target.remove_volumes(bench.ref, "another")
    assert "filestore" in (await bench.target.observe(bench.ref, live=True)).volumes


async def test_task_of_an_image_ends_as_its_process_does(bench: Bench) -> None:
    spec = bench.script(task(bench), exit_code=0, lines=["hello"], seconds=0.3)
    await bench.target.start(spec)
    assert (await bench.target.task(spec.name)).phase in {"pending", "running"}
    assert spec.name in (await bench.target.observe(bench.ref)).tasks
    assert await ended(bench, spec.name) == "succeeded"
    state = await bench.target.task(spec.name)
    assert (state.exit_code, state.log_tail) == (0, "hello")
    assert (await bench.target.observe(bench.ref, live=True)).tasks == ()


async def test_task_that_fails_says_how(bench: Bench) -> None:
    spec = bench.script(task(bench), exit_code=3, lines=["oh no"], seconds=0)
    await bench.target.start(spec)
    assert await ended(bench, spec.name) == "failed"
    state = await bench.target.task(spec.name)
    assert state.exit_code == 3
    assert state.error is not None
    assert set(state.error) >= {"code", "reason", "brief", "resolution"}
    assert "oh no" in state.log_tail


async def test_engine_task_gives_progress_and_result(bench: Bench) -> None:
    lines = [message(type="progress", step="copy", done=1, total=2), message(type="result", result={"rows": 7})]
    spec = bench.script(task(bench, engine=True), exit_code=0, lines=lines, seconds=1)
    await bench.target.start(spec)
    state = await bench.target.task(spec.name)
    for _ in range(50):
        if state.progress is not None:
            break
        await bench.clock.sleep(0.05)
        state = await bench.target.task(spec.name)
    assert state.progress is not None
    assert (state.progress.step, state.progress.done, state.progress.total) == ("copy", 1, 2)
    assert await ended(bench, spec.name) == "succeeded"
    assert (await bench.target.task(spec.name)).result == {"rows": 7}


async def test_engine_task_without_a_result_failed_whatever_its_exit_code(bench: Bench) -> None:
    spec = bench.script(task(bench, engine=True), exit_code=0, lines=["nothing done"], seconds=0)
    await bench.target.start(spec)
    assert await ended(bench, spec.name) == "failed"


async def test_engine_task_that_fails_gives_its_own_error(bench: Bench) -> None:
    fault = {"code": "MOOR-999", "reason": "Test", "brief": "b", "details": "", "resolution": "r"}
    spec = bench.script(task(bench, engine=True), exit_code=1, lines=[message(type="error", error=fault)], seconds=0)
    await bench.target.start(spec)
    assert await ended(bench, spec.name) == "failed"
    error = (await bench.target.task(spec.name)).error
    assert error is not None
    assert error["code"] == "MOOR-999"


async def test_task_started_twice_runs_once(bench: Bench) -> None:
    spec = bench.script(task(bench), exit_code=0, lines=["once"], seconds=0.5)
    await bench.target.start(spec)
    await bench.target.start(spec)
    bench.again()
    await bench.target.start(spec)
    assert await ended(bench, spec.name) == "succeeded"
    await bench.target.start(spec)
    assert (await bench.target.task(spec.name)).log_tail == "once"


async def test_task_name_of_another_attempt_is_refused(bench: Bench) -> None:
    spec = bench.script(task(bench), exit_code=0, lines=[], seconds=0)
    await bench.target.start(spec)
    with pytest.raises(Foreign):
        await bench.target.start(replace(spec, fence=2))


async def test_task_name_taken_by_a_stranger_is_refused(bench: Bench) -> None:
    spec = task(bench)
    await bench.add_stranger("container", spec.name)
    with pytest.raises(Foreign):
        await bench.target.start(spec)
    assert await bench.stranger_there("container", spec.name)


async def test_unknown_task_is_absent_and_forgotten_without_a_word(bench: Bench) -> None:
    assert (await bench.target.task("no-such-task")).phase == "absent"
    await bench.target.cancel("no-such-task")
    await bench.target.forget("no-such-task")


async def test_cancelled_task_leaves_no_process_and_failed(bench: Bench) -> None:
    spec = bench.script(task(bench), exit_code=0, lines=[], seconds=0.2)
    spec = replace(spec, argv=("sh", "-c", "trap 'exit 143' TERM; sleep 60 & wait"))
    if isinstance(bench, SimBench):
        bench.script(spec, exit_code=0, lines=[], seconds=60)
    await bench.target.start(spec)
    with pytest.raises(TaskBusy):
        await bench.target.forget(spec.name)
    began = bench.clock.monotonic()
    await bench.target.cancel(spec.name)
    await bench.target.cancel(spec.name)
    assert bench.clock.monotonic() - began < 1
    assert await ended(bench, spec.name) == "failed"
    await bench.target.forget(spec.name)
    await bench.target.forget(spec.name)
    assert (await bench.target.task(spec.name)).phase == "absent"


async def test_task_gets_what_a_person_brings_and_what_it_leaves_is_read(bench: Bench, tmp_path: Path) -> None:
    source = tmp_path / "given"
    source.mkdir()
    parts = [os.urandom(3 << 20), b"", b"end"]
    for number, part in enumerate(parts):
        (source / str(number)).write_bytes(part)
    (source / "0").chmod(0o600)  # the task reads it as itself, whoever may here
    spec = bench.script_copy(replace(task(bench), uploads=(Upload("/given", str(source), *USER),)))
    await bench.target.start(spec)
    assert await ended(bench, spec.name) == "succeeded"
    assert b"".join([piece async for piece in bench.target.read_task_file(spec.name, "/tmp/left")]) == b"".join(parts)
    with pytest.raises(NoSuchObject):
        [piece async for piece in bench.target.read_task_file(spec.name, "/tmp/nothing")]
    await bench.target.forget(spec.name)
    with pytest.raises(NoSuchObject):
        [piece async for piece in bench.target.read_task_file(spec.name, "/tmp/left")]


async def test_task_past_its_deadline_is_stopped(bench: Bench) -> None:
    spec = task(bench, deadline_s=1)
    spec = bench.script(spec, exit_code=0, lines=[], seconds=60)
    spec = replace(spec, argv=("sh", "-c", "trap 'exit 143' TERM; sleep 60 & wait"))
    await bench.target.start(spec)
    assert await ended(bench, spec.name) == "failed"
    error = (await bench.target.task(spec.name)).error
    assert error is not None
    assert error["reason"] == "TaskDeadlineExceeded"


ALLOWED = (Destination("db.example.com", 5432), Destination("192.0.2.7", 5432, "PGHOSTADDR"))


def ways(seen: Observed) -> list[str]:
    return sorted(item.name for item in seen.objects.values() if item.kind == "relay")


async def test_task_that_may_reach_a_few_places_leaves_no_way_out_behind(bench: Bench) -> None:
    want = desired(bench, workload(bench))
    await settle(bench, want)
    spec = bench.script(replace(task(bench), allow=ALLOWED), exit_code=0, lines=["done"], seconds=1)
    await bench.target.start(spec)
    seen = await bench.target.observe(bench.ref)
    assert (seen.tasks, bench.target.diff(want, seen)) == ((spec.name,), type(bench.target.diff(want, seen))())
    assert await ended(bench, spec.name) == "succeeded"
    seen = await bench.target.observe(bench.ref, live=True)
    assert (ways(seen), list(bench.target.diff(want, seen))) == ([], [])
    await bench.target.forget(spec.name)


async def test_way_of_a_task_that_a_killed_controller_never_started_is_found_and_removed(bench: Bench) -> None:
    want = desired(bench, workload(bench))
    await settle(bench, want)
    spec = bench.script(replace(task(bench), allow=ALLOWED), exit_code=0, lines=["done"], seconds=0)
    await bench.die_before_the_task(spec)
    seen = await bench.target.observe(bench.ref)
    orphans = ways(seen)
    assert orphans != []
    assert [change.object for change in bench.target.diff(want, seen)] == [f"container {name}" for name in orphans]
    await bench.target.converge(want, seen)
    seen = await bench.target.observe(bench.ref)
    assert (ways(seen), list(bench.target.diff(want, seen))) == ([], [])


async def test_task_whose_start_was_cut_short_starts_with_its_ways_made_anew(bench: Bench) -> None:
    spec = bench.script(replace(task(bench), allow=ALLOWED), exit_code=0, lines=["done"], seconds=0)
    await bench.die_before_the_task(spec)
    await bench.target.start(spec)
    assert await ended(bench, spec.name) == "succeeded"
    assert ways(await bench.target.observe(bench.ref)) == []


async def test_way_of_a_task_whose_end_nobody_saw_goes_with_its_owner(bench: Bench) -> None:
    await settle(bench, desired(bench))
    spec = bench.script(replace(task(bench), allow=ALLOWED), exit_code=0, lines=["done"], seconds=0)
    await bench.target.start(spec)
    for _ in range(50):
        if not (await bench.target.observe(bench.ref)).tasks:
            break
        await bench.clock.sleep(0.1)
    assert ways(await bench.target.observe(bench.ref)) != []
    seen = await settle(bench, Desired(bench.ref, bench.identity, network=False))
    assert ways(seen) == []
    assert not any(item.kind in {"network", "container"} for item in seen.objects.values())


async def test_address_that_no_variable_tells_is_refused_and_starts_nothing(bench: Bench) -> None:
    spec = replace(task(bench), allow=(Destination("192.0.2.7", 5432),))
    with pytest.raises(AddressNotRelayed, match=r"192\.0\.2\.7:5432"):
        await bench.target.start(spec)
    assert (await bench.target.task(spec.name)).phase == "absent"
    assert ways(await bench.target.observe(bench.ref)) == []


@pytest.mark.parametrize("then", [(), ALLOWED[1:]], ids=["nothing", "another place"])
async def test_change_of_what_workloads_may_reach_is_carried_out(bench: Bench, then: tuple[Destination, ...]) -> None:
    before = await settle(bench, desired(bench, workload(bench), policy=Policy("none", ALLOWED)))
    want = desired(bench, workload(bench), policy=Policy("none", then))
    assert bench.target.diff(want, await bench.target.observe(bench.ref))
    after = await settle(bench, want)
    assert after.workload("web").ready == 1
    assert after.workload("web").replicas[0].started_at != before.workload("web").replicas[0].started_at
    again = await settle(bench, Desired(bench.ref, bench.identity, network=False))
    assert not any(item.kind != "volume" for item in again.objects.values())


async def test_inventory_finds_owners_by_what_is_on_their_objects(bench: Bench) -> None:
    await settle(bench, desired(bench, workload(bench), volumes=(Volume("filestore"),)))
    found = [item for item in await bench.target.inventory() if item.ref == bench.ref]
    assert len(found) == 1
    assert (found[0].identity, found[0].workloads, found[0].volumes) == (bench.identity, ("web",), ("filestore",))
    assert found[0].release is not None
    assert found[0].release.reference == bench.release.reference


async def found_of(bench: Bench) -> Found:
    return next(item for item in await bench.target.inventory() if item.ref == bench.ref)


async def test_memory_and_notes_outlive_the_processes_and_follow_what_is_wanted(bench: Bench) -> None:
    first = replace(desired(bench, workload(bench)), notes=(("spec", '{"a": 1}'),), memory='{"n":1}')
    await settle(bench, first)
    assert (dict((await found_of(bench)).notes), (await found_of(bench)).memory) == ({"spec": '{"a": 1}'}, '{"n":1}')
    started = (await bench.target.observe(bench.ref)).workload("web").replicas[0].started_at

    seen = await settle(bench, replace(first, memory='{"n":2}'))
    assert (await found_of(bench)).memory == '{"n":2}'
    assert seen.workload("web").replicas[0].started_at == started

    await settle(bench, replace(first, workloads=(), memory='{"n":2}'))
    found = await found_of(bench)
    assert (found.workloads, dict(found.notes), found.memory) == ((), {"spec": '{"a": 1}'}, '{"n":2}')


async def test_memory_goes_when_nothing_is_wanted_any_more(bench: Bench) -> None:
    want = replace(desired(bench, workload(bench), volumes=(Volume("filestore"),)), memory='{"n":1}')
    await settle(bench, want)
    await settle(bench, Desired(bench.ref, bench.identity, network=False))
    found = await found_of(bench)
    assert (found.volumes, found.memory, dict(found.notes)) == (("filestore",), "", {})


async def test_inventory_says_which_versions_of_secrets_run(bench: Bench) -> None:
    slot = SecretKey(SecretRef("default", "known"), "password", "v-1")
    await settle(bench, desired(bench, replace(workload(bench), files=(File("/etc/known", (slot,)),))))
    assert dict((await found_of(bench)).versions) == {"default/known/password": "v-1"}


async def test_resolve_pins_an_image_that_is_there(bench: Bench) -> None:
    first = await bench.target.resolve(Release(image="caddy:2"))
    assert first == await bench.target.resolve(Release(image="caddy:2"))
    assert first.source == "caddy:2"
    assert first.digest


async def test_file_of_an_image_is_read_without_a_process_and_nothing_is_left(bench: Bench) -> None:
    content = await bench.target.read_image_file(bench.release, "/etc/passwd", place=bench.ref, identity=bench.identity)
    assert content is None or b"root:" in content
    seen = await bench.target.observe(bench.ref)
    assert (dict(seen.objects), seen.tasks) == ({}, ())


async def test_changes_name_the_owner_that_changed(bench: Bench) -> None:
    seen: list[Ref] = []

    async def listen() -> None:
        async for ref in bench.target.changes():
            seen.append(ref)  # noqa: PERF401 - it never ends, and what came so far is looked at

    listener = asyncio.create_task(listen())
    try:
        for _ in range(10):
            await asyncio.sleep(0.05)
        await bench.target.converge(desired(bench, workload(bench)), await bench.target.observe(bench.ref))
        for _ in range(100):
            if bench.ref in seen:
                break
            await asyncio.sleep(0.05)
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
    assert set(seen) == {bench.ref}


async def test_attach_without_a_replica_is_refused(bench: Bench) -> None:
    with pytest.raises(NotRunning):
        await bench.target.attach(bench.ref, ["true"], role="web", tty=False)


async def test_logs_without_a_replica_are_refused(bench: Bench) -> None:
    with pytest.raises(NotRunning):
        async for _ in bench.target.logs(bench.ref, role="web", follow=False, lines=5):
            pass


def test_identity_of_benches_is_their_own() -> None:
    assert SimBench().identity == Identity("install-sim", "id-sim")
