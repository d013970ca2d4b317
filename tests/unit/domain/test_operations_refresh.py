# SPDX-License-Identifier: Apache-2.0
"""The plan of a refresh: neutral before anything tries it, the source only read, updated where the releases differ."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mooring.domain.instance.live_tasks import SOURCE_DIR, SOURCE_PASSWORD_FILE
from mooring.domain.instance.subject import ServerAccess, Subject
from mooring.domain.instance.tasks import generated_secret
from mooring.domain.model.desired import Destination, Link
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.secret import SecretRef, version_name
from mooring.domain.operations.plan import Plan, RunTask, When
from mooring.domain.operations.refresh import plan_refresh
from mooring.domain.work.live_copy_errors import SourceNewer, SourceOutOfReach
from mooring.errors import MooringError
from tests.unit.domain.instance.subjects import SERVER, managed, release, subject

OPERATION = Ref("OdooStagingRefreshJob", "default", "staging-refresh-1")
STAGING = Ref("OdooInstance", "default", "staging")
CODE = {"series": "14.0", "native": False, "modules": 3, "packed": "eJw="}
BEGIN = ["build-database", "read-release", "neutralize", "verify-neutral", "build-filestore"]
REST = ["verify", "probe", "stop", "swap-database", "swap-filestore", "let-in", "start"]


def staging(**given: Any) -> Subject:
    secret = generated_secret(STAGING, "database")
    made = subject(
        environment="Staging",
        owner_secret=secret,
        stagingOf={"name": "shop"},
        **given,
    )
    versions = {**made.versions, version_name(secret, "password"): "v-own"}
    return replace(
        made,
        ref=STAGING,
        identity=Identity("here", "staging-1"),
        database="default_staging",
        owner="default_staging",
        versions=versions,
    )


def plan(to: Subject | None = None, source: Subject | None = None, **changes: Any) -> Plan:
    given: dict[str, Any] = {"admin_user": "mooring", "replicas": (("web", 1), ("cron", 1)), **changes}
    return plan_refresh(OPERATION, "op1", to or staging(), source or subject(), **given)


def names(made: Plan) -> list[str]:
    return [step.name for step in made.steps]


def action(made: Plan, name: str) -> RunTask:
    found = next(one for one in made.steps if one.name == name).action
    assert isinstance(found, RunTask)
    return found


def document(made: Plan, name: str) -> dict[str, Any]:
    task = action(made, name).attempt(1, {"read-release": CODE})
    value: dict[str, Any] = json.loads("".join(str(part) for part in task.files[-1].parts))
    return value


def external(host: str) -> ServerAccess:
    return ServerAccess(None, None, host, admin=SecretRef("default", "their-admin"))


def test_refresh_is_neutral_before_it_is_tried_and_tried_before_anything_stops() -> None:
    made = plan()
    assert names(made) == BEGIN + REST
    assert made.point_of_no_return == "let-in"
    held = [step.name for step in made.steps if step.hold]
    assert held == ["stop", "swap-database", "swap-filestore", "let-in"]


def test_refresh_from_another_release_updates_neutral_data_and_neutralizes_once_more() -> None:
    made = plan(staging(pinned=release("14.0-next")))
    again = ["read-modules", "hash-modules", "update-copy", "neutralize-again", "verify-neutral-again"]
    assert names(made) == BEGIN + again + REST
    update = action(made, "update-copy")
    building = document(made, "neutralize")["database"]
    assert building.startswith("mooring_building_")
    assert f"--database={building}" in update.task.argv or building in update.task.argv
    assert update.task.image is not None
    assert update.task.image.digest == "sha256:14.0-next"
    assert document(made, "neutralize-again")["again"] is True
    assert document(made, "neutralize")["again"] is False
    stems = [one.action.task.name for one in made.steps if isinstance(one.action, RunTask)]
    assert len(set(stems)) == len(stems)


def test_refresh_from_another_release_updates_only_modules_whose_files_differ() -> None:
    made = plan(staging(pinned=release("14.0-next")))
    building = document(made, "neutralize")["database"]
    assert document(made, "read-modules")["database"] == building
    known = {"modules": ["base", "sale"], "languages": ["en_US"], "patterns": [], "checksums": {"sale": "1"}}
    read = action(made, "hash-modules").attempt(1, {"read-modules": known})
    assert read.image is not None
    assert read.image.digest == "sha256:14.0-next"
    asked = json.loads("".join(str(part) for part in read.files[-1].parts))
    assert (asked["modules"], asked["known"], asked["select"]) == (["base", "sale"], {"sale": "1"}, "changed")
    found = {"hash-modules": {"update": ["sale"], "touched": ["sale"], "checksums": {"sale": "2"}, "missing": []}}
    argv = action(made, "update-copy").attempt(1, found).argv
    assert "--update=sale" in argv or argv[argv.index("--update") + 1] == "sale"
    assert "all" not in argv
    # Where no file differs nothing of it is done, and what is stored stays.
    asks = {step.name for step in (*made.steps, *made.cleanup) if step.when is not None}
    assert asks == {"update-copy", "neutralize-again", "verify-neutral-again", "store-checksums"}
    assert {step.when for step in (*made.steps, *made.cleanup) if step.when} == {When("hash-modules", "touched")}
    assert "store-checksums" not in [step.name for step in plan().cleanup]


@pytest.mark.parametrize("code", ["14.0", "14.0-next"])
def test_refresh_is_refused_where_a_module_would_go_back(code: str) -> None:
    made = plan(staging(pinned=release(code)))
    copied = {"build-database": {"modules": [{"name": "sale", "version": "14.0.2.0"}]}}
    verify = action(made, "verify").attempt(1, copied)
    asked = json.loads("".join(str(part) for part in verify.files[-1].parts))
    assert asked["notBelow"] == [{"name": "sale", "version": "14.0.2.0"}]
    assert names(made).index("verify") < names(made).index("stop")


def test_refresh_onto_other_addons_updates_too() -> None:
    assert "update-copy" in names(plan(staging(volumes=("more-addons",))))


def test_refresh_reads_its_source_as_the_sources_own_role_and_writes_as_its_own() -> None:
    task = action(plan(), "build-database").task
    value = document(plan(), "build-database")
    assert value["source"]["connection"]["user"] == "default_shop"
    assert value["source"]["connection"]["passwordFile"] == SOURCE_PASSWORD_FILE
    assert value["source"]["instance"] == "shop-1"
    assert (value["owner"], value["instance"]) == ("default_staging", "staging-1")
    keys = {file.path: [key.ref.name for key in file.secrets()] for file in task.files}
    assert keys[SOURCE_PASSWORD_FILE] == [generated_secret(subject().ref, "database").name]
    assert task.place == SERVER
    assert (task.links, task.allow) == ((), ())


def test_files_are_read_from_the_sources_volume_that_nothing_can_write_to() -> None:
    task = action(plan(), "build-filestore").task
    theirs = next(one for one in task.mounts if one.path == SOURCE_DIR)
    assert (theirs.read_only, theirs.foreign) == (True, True)
    assert document(plan(), "build-filestore")["sourceFilestore"] == f"{SOURCE_DIR}/filestore/default_shop"
    assert task.user == (101, 101)


def test_files_of_another_user_are_read_by_its_group() -> None:
    pinned = release()
    theirs = subject(pinned=replace(pinned, facts=replace(pinned.facts, uid=999, gid=998)))
    task = action(plan(source=theirs), "build-filestore").task
    assert (task.user, task.groups) == ((101, 101), (998,))


def test_files_that_are_skipped_mount_nothing_of_the_source() -> None:
    task = action(plan(skip_files=True), "build-filestore").task
    assert [one.path for one in task.mounts] == ["/var/lib/odoo"]
    assert document(plan(skip_files=True), "build-filestore")["method"] == "skip"


def test_copy_between_two_managed_servers_reaches_the_other_one_too() -> None:
    other = Ref("DatabaseServer", "default", "other")
    there = replace(managed(), ref=other, identity=Identity("here", "server-2"), host="other-database-0")
    task = action(plan(source=subject(server=there)), "build-database").task
    assert task.links == (Link(other, "database", 5432),)


def test_copy_from_a_server_that_others_run_reaches_it_alone() -> None:
    task = action(plan(source=subject(server=external("pg.example.com"))), "build-database").task
    assert task.allow == (Destination("pg.example.com", 5432),)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        pytest.param(subject(pinned=release("15.0", "15.0")), SourceNewer, id="another series"),
        pytest.param(
            replace(subject(), ref=Ref("OdooInstance", "other", "shop")), SourceOutOfReach, id="another namespace"
        ),
        pytest.param(subject(server=external("10.1.2.3")), SourceOutOfReach, id="another server by its address"),
    ],
)
def test_refresh_from_what_cannot_be_copied_is_refused(source: Subject, error: type[MooringError]) -> None:
    with pytest.raises(error):
        plan(source=source)


def test_what_was_built_goes_when_the_refresh_is_taken_back() -> None:
    made = plan()
    undone = {step.name: step.undo.name for step in made.steps if step.undo is not None}
    assert undone == {
        "build-database": "drop-built",
        "build-filestore": "drop-built-files",
        "swap-database": "swap-database-back",
        "swap-filestore": "swap-filestore-back",
    }
