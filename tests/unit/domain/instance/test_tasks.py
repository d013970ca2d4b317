# SPDX-License-Identifier: Apache-2.0
"""What an instance's tasks and processes reach of the world."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mooring.domain.instance.desired import decide_desired
from mooring.domain.instance.subject import ServerAccess, Subject
from mooring.domain.instance.tasks import admin_task, filestore_task, odoo_task, owner_connection, owner_task
from mooring.domain.lifecycle import State, output
from mooring.domain.model.desired import Destination, Policy
from mooring.domain.model.secret import SecretRef
from mooring.domain.operations.plan import NO_HOLD, RunTask
from mooring.domain.work.database import DatabaseVerify
from tests.unit.domain.instance.subjects import subject

ADMIN = SecretRef("default", "pg-admin")


def elsewhere(host: str, **more: Any) -> Subject:
    return replace(subject(**more), server=ServerAccess(None, None, host, 6432, sslmode="verify-full", admin=ADMIN))


def tasks(one: Subject) -> list[RunTask]:
    document = DatabaseVerify(connection=owner_connection(one), database=one.database, expect=("base",), series="14.0")
    return [
        admin_task(one, "admin", document),
        owner_task(one, "owner", document),
        odoo_task(one, "migrate", ("odoo",)),
        odoo_task(one, "probe", ("odoo",), probe=True),
    ]


@pytest.mark.parametrize(
    ("host", "variable"),
    [
        pytest.param("db.example.com", "", id="a name stays true"),
        pytest.param("192.0.2.7", "PGHOSTADDR", id="an address is told by libpq's variable"),
        pytest.param("2001:db8::7", "PGHOSTADDR", id="IPv6"),
    ],
)
def test_tasks_reach_the_server_of_others_and_nothing_else(host: str, variable: str) -> None:
    allowed = (Destination(host, 6432, variable),)
    for run in tasks(elsewhere(host)):
        assert (run.task.egress, run.task.allow) == (False, allowed), run.task.name


def test_tasks_of_a_managed_server_reach_nothing_outside() -> None:
    for run in tasks(subject()):
        assert (run.task.egress, run.task.allow) == (False, ()), run.task.name


def test_task_on_files_reaches_nothing_outside_wherever_the_database_is() -> None:
    one = elsewhere("db.example.com")
    document = DatabaseVerify(connection=owner_connection(one), database=one.database, expect=("base",), series="14.0")
    run = filestore_task(one, "files", document)
    assert (run.task.egress, run.task.allow, run.task.links) == (False, (), ())


@pytest.mark.parametrize(
    ("one", "policy"),
    [
        pytest.param(elsewhere("db.example.com"), Policy(), id="production"),
        pytest.param(
            elsewhere("db.example.com", environment="Staging"),
            Policy("none", (Destination("db.example.com", 6432),)),
            id="staging on a server of others",
        ),
        pytest.param(subject(environment="Staging"), Policy("none"), id="staging on a managed server"),
    ],
)
def test_processes_of_a_staging_instance_reach_their_database_alone(one: Subject, policy: Policy) -> None:
    assert decide_desired(one, output(State.RUNNING), NO_HOLD).policy == policy
