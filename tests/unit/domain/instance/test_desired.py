# SPDX-License-Identifier: Apache-2.0
"""What is wanted of a target for five instances, as files that are reviewed; and what holds take away."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from mooring.domain.instance.desired import decide_desired, nothing
from mooring.domain.instance.subject import ServerAccess, Subject, dump_subject, load_subject
from mooring.domain.instance.tasks import odoo_task, reachable
from mooring.domain.lifecycle import State, output
from mooring.domain.model.desired import Desired, Folder, fingerprint
from mooring.domain.model.release import ENGINE_RELEASE
from mooring.domain.model.secret import SecretRef, version_name
from mooring.domain.operations.plan import NO_HOLD, Hold
from tests.unit.domain.instance.subjects import release, subject

GOLDEN = Path(__file__).parents[3] / "golden" / "desired"
MINE = SecretRef("default", "mydb")
EXTERNAL = ServerAccess(
    None, None, "db.example.com", 6432, sslmode="verify-full", admin=None, root_certificate=MINE, max_connections=100
)

CASES: dict[str, Subject] = {
    "default": subject(),
    "staging": subject(environment="Staging", replicas=2, workers=0),
    "acme": subject(
        replicas=2,
        resources={"cpu": "2", "memory": "4Gi"},
        ingress={"hosts": ["shop.example.com", "WWW.example.com"], "tls": {"acmeEmail": "ops@example.com"}},
    ),
    "external": subject(
        server=EXTERNAL,
        owner_secret=MINE,
        more_versions={version_name(MINE, "password"): "v-mine", version_name(MINE, "sslrootcert"): "v-root"},
        database={"external": {"host": "db.example.com", "port": 6432, "secretRef": {"name": "mydb"}}},
    ),
    "addons": subject(
        pinned=release("18.0", "18.0"),
        folders=(Folder("/mnt/mooring-addons/0", "/srv/addons", "d1ge57"),),
        volumes=("extra",),
        addons=[{"path": "/srv/addons"}, {"volume": "extra"}],
        cron={"replicas": 0},
        service={"port": 18069},
    ),
}


def golden_text(one: Subject) -> str:
    """Everything that a target is given, as JSON."""
    value = asdict(decide_desired(one, output(State.RUNNING), NO_HOLD))
    return json.dumps(value, indent=1, default=str) + "\n"


@pytest.mark.parametrize("name", CASES)
def test_desired_matches_its_golden_file(name: str) -> None:
    text = golden_text(CASES[name])
    path = GOLDEN / f"{name}.json"
    if os.environ.get("MOORING_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), "MOORING_GOLDEN=1 rewrites the golden files"


def test_golden_desired_files_all_have_a_case() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_desired_of_a_subject_that_was_written_down_is_the_same(name: str) -> None:
    again = load_subject(json.loads(json.dumps(dump_subject(CASES[name]))))
    assert golden_text(again) == golden_text(CASES[name])


@pytest.mark.parametrize(
    ("hold", "roles"),
    [
        pytest.param(NO_HOLD, ["web", "cron"], id="none"),
        pytest.param(Hold(web=True, cron=True), [], id="all"),
        pytest.param(Hold(cron=True), ["web"], id="cron"),
        pytest.param(Hold(release="sha256:x"), ["web", "cron"], id="release"),
    ],
)
@pytest.mark.parametrize("state", State)
def test_desired_is_what_the_state_asks_for_less_what_is_held(state: State, hold: Hold, roles: list[str]) -> None:
    desired = decide_desired(subject(), output(state), hold)
    asked = [role for role, wanted in (("web", output(state).web), ("cron", output(state).cron)) if wanted]
    assert [one.role for one in desired.workloads] == [role for role in asked if role in roles]
    assert [one.role for one in desired.volumes] == ["filestore"]


def test_desired_of_a_spec_with_no_replicas_has_no_web() -> None:
    desired = decide_desired(subject(replicas=0), output(State.RUNNING), NO_HOLD)
    assert [one.role for one in desired.workloads] == ["cron"]


def test_nothing_keeps_who_it_is_and_asks_for_no_object() -> None:
    desired = nothing(decide_desired(subject(), output(State.RUNNING), NO_HOLD))
    assert (desired.workloads, desired.volumes, desired.endpoints, desired.network) == ((), (), (), False)
    assert desired.identity == subject().identity


@pytest.mark.parametrize("role", ["web", "cron"])
def test_rotated_password_changes_what_every_process_is_made_from(role: str) -> None:
    rotated = replace(
        subject(), versions={**subject().versions, version_name(subject().owner_secret, "password"): "v2"}
    )
    before, after = (decide_desired(one, output(State.RUNNING), NO_HOLD) for one in (subject(), rotated))

    def stamp(desired: Desired) -> str:
        return next(fingerprint(one) for one in desired.workloads if one.role == role)

    assert stamp(before) != stamp(after)


@pytest.mark.parametrize("name", CASES)
def test_desired_shows_no_secret_and_no_process_of_root(name: str) -> None:
    desired = decide_desired(CASES[name], output(State.RUNNING), NO_HOLD)
    for one in desired.workloads:
        assert one.user[0] > 0
        assert all(file.mode == 0o600 for file in one.files if list(file.secrets()))
        assert not any("password" in f"{key}{value}".lower() for key, value in one.env)


def test_staging_reaches_nothing_outside() -> None:
    assert decide_desired(CASES["staging"], output(State.RUNNING), NO_HOLD).policy.egress == "none"


OPEN = {"neutralize": {"allowEgress": ["api.example.com:443", "SFTP.example.com:22", "api.example.com:443"]}}


def test_staging_has_a_mail_sink_that_stays_while_the_others_are_held_and_goes_with_the_instance() -> None:
    one = CASES["staging"]
    held = decide_desired(one, output(State.RUNNING), Hold(web=True, cron=True))
    assert [(box.role, box.replicas, box.image) for box in held.workloads] == [("mail", 1, ENGINE_RELEASE)]
    assert [volume.role for volume in held.volumes] == ["filestore", "mail"]
    assert decide_desired(one, output(State.STOPPED), NO_HOLD).workloads == ()


@pytest.mark.parametrize(
    ("environment", "external", "allowed"),
    [
        pytest.param("Staging", False, ["api.example.com:443", "sftp.example.com:22"], id="staging"),
        pytest.param(
            "Staging",
            True,
            ["db.example.com:6432", "api.example.com:443", "sftp.example.com:22"],
            id="external database",
        ),
        pytest.param("Production", False, [], id="production is open, or was promoted"),
    ],
)
def test_odoo_of_a_staging_instance_reaches_its_database_and_what_the_spec_opens(
    environment: str, external: bool, allowed: list[str]
) -> None:
    spec: dict[str, Any] = {"stagingOf": {"name": "live"}, **OPEN}
    one = subject(environment=environment, **spec)
    one = replace(one, server=EXTERNAL) if external else one
    policy = decide_desired(one, output(State.RUNNING), NO_HOLD).policy
    assert [f"{place.host}:{place.port}" for place in policy.allow] == allowed
    assert policy.egress == ("none" if environment == "Staging" else "open")
    run, probe = odoo_task(one, "update", ("odoo",)).task, odoo_task(one, "probe", ("odoo",), probe=True).task
    assert (run.allow, run.egress) == (reachable(one), False)
    assert [place.host for place in probe.allow] == (["db.example.com"] if external else [])
