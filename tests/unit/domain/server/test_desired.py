# SPDX-License-Identifier: Apache-2.0
"""The workload of a managed server: its data, its password, and that it is asked over TCP as everybody asks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mooring.api.common import ManagedPostgres
from mooring.domain.model.desired import SecretSpec
from mooring.domain.model.identity import Identity, Ref, child
from mooring.domain.model.release import ResolvedRelease
from mooring.domain.model.secret import SecretKey
from mooring.domain.server.desired import (
    PASS_FILE,
    PASSWORD_FILE,
    ServerSubject,
    decide_server,
    server_host,
    server_probe_task,
    server_secret,
)

REF = Ref("DatabaseServer", "default", "default")
IMAGE = ResolvedRelease("postgres:17", "postgres@sha256:1", "sha256:0123456789abcdef")


def subject(**spec: object) -> ServerSubject:
    """A server with this spec."""
    return ServerSubject(
        REF,
        Identity("here", "server-1"),
        ManagedPostgres.model_validate(spec),
        IMAGE,
        (999, 998),
        SecretKey(server_secret(REF), "password", "v1"),
    )


def test_server_is_one_process_of_the_images_own_user_on_its_volume() -> None:
    desired = decide_server(subject(version=16, storageSize="20Gi"))
    (workload,) = desired.workloads
    assert (workload.replicas, workload.user, workload.ports) == (1, (999, 998), (5432,))
    (volume,) = desired.volumes
    assert (volume.role, volume.size_bytes) == ("database", 20 << 30)
    assert [(one.volume, one.uid, one.gid, one.mode) for one in workload.mounts] == [("database", 999, 998, 0o700)]
    assert desired.secrets == (SecretSpec(server_secret(REF), ("user", "password")),)
    assert desired.policy.egress == "none"
    assert not desired.endpoints


def test_server_keeps_its_password_in_files_alone() -> None:
    (workload,) = decide_server(subject()).workloads
    holders = {file.path for file in workload.files if list(file.secrets())}
    assert holders == {PASSWORD_FILE}
    assert all((file.mode, file.uid) == (0o600, 999) for file in workload.files)
    assert not any("v1" in one for one in workload.argv)


def test_server_is_asked_over_tcp_with_a_login() -> None:
    (workload,) = decide_server(subject()).workloads
    assert workload.probe is not None
    assert {"--host=127.0.0.1", "--port=5432", "--command=SELECT 1", f"PGPASSFILE={PASS_FILE}"} <= set(
        workload.probe.argv
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(subject(), subject(parameters={"work_mem": "64MB"}), id="parameters"),
        pytest.param(subject(), subject(resources={"memory": "2Gi"}), id="memory"),
        pytest.param(subject(), replace(subject(), image=replace(IMAGE, digest="sha256:2")), id="image"),
        pytest.param(
            subject(), replace(subject(), password=SecretKey(server_secret(REF), "password", "v2")), id="password"
        ),
    ],
)
def test_server_that_is_changed_is_made_anew(one: ServerSubject, other: ServerSubject) -> None:
    assert decide_server(one).workloads != decide_server(other).workloads


def test_server_has_the_address_that_its_one_replica_is_reached_under() -> None:
    assert server_host(REF) == child(REF, "database")
    assert subject(parameters={"max_connections": 321}).max_connections == 321


def test_image_is_asked_for_its_users_by_a_task_that_changes_nothing() -> None:
    task = server_probe_task(REF, Identity("here", "server-1"), IMAGE)
    assert (task.argv, task.mounts, task.files, task.image) == (("cat", "/etc/passwd"), (), (), IMAGE)
    assert task.name == server_probe_task(REF, Identity("here", "server-1"), IMAGE).name
