# SPDX-License-Identifier: Apache-2.0
"""What the task that reads a release gets, and what it does not."""

from __future__ import annotations

from mooring.domain.instance.neutralize_tasks import read_release_task
from tests.unit.domain.instance.subjects import release, subject


def test_task_that_reads_a_release_gets_no_secret_no_data_and_no_way_out() -> None:
    run = read_release_task(subject(), "read")
    assert run.document is None
    assert (run.task.files, run.task.links, run.task.allow, run.task.egress, run.task.mounts) == ((), (), (), False, ())
    assert run.task.image == release().release
    assert run.task.user == (101, 101)
    assert run.task.argv[-1] == "/usr/lib/python3/dist-packages/odoo/addons"


def test_task_that_reads_a_release_sees_custom_add_ons_before_odoos_own() -> None:
    run = read_release_task(subject(volumes=("extra",)), "read")
    first, *_, last = run.task.argv[-1].split(",")
    assert first.endswith("/volume-extra")
    assert last == "/usr/lib/python3/dist-packages/odoo/addons"
    assert [mount.read_only for mount in run.task.mounts] == [True]


def test_task_that_reads_a_release_reads_the_one_that_comes_after_an_upgrade() -> None:
    after = release("15.0", "15.0")
    assert read_release_task(subject(), "read", release=after).task.image == after.release
