# SPDX-License-Identifier: Apache-2.0
"""The tasks that neutralize a copy of an instance's, as values: what the release says, what is done, what is proved. Pure.

The first runs in the release and reaches nothing; its result is a `ReleaseCode`, which the second's document carries. Called by
the plans of operations that make or upgrade a copy.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mooring.domain.instance.conf import addon_paths
from mooring.domain.instance.subject import PinnedRelease, Subject
from mooring.domain.instance.tasks import addon_mounts
from mooring.domain.operations.plan import RunTask
from mooring.domain.task import TaskSpec
from mooring.domain.work.neutralize_script import render_neutralize_argv

_DEADLINE = timedelta(minutes=10)


def read_release_task(subject: Subject, stem: str, *, release: PinnedRelease | None = None) -> RunTask:
    """Asks a release which add-ons it holds and what they neutralize: no password, no data, no way to anything.

    Args:
        stem: of the task's name.
        release: another release than the instance's present one.
    """
    pinned = release or subject.release
    facts = pinned.facts
    task = TaskSpec(
        name=stem,
        place=subject.ref,
        identity=subject.identity,
        image=pinned.release,
        argv=render_neutralize_argv(addon_paths(replace(subject, release=pinned)).ordered),
        mounts=addon_mounts(subject),
        folders=tuple(replace(folder, uid=facts.uid, gid=facts.gid) for folder in subject.folders),
        env=(("HOME", "/tmp"),),  # noqa: S108 - a container's own /tmp
        user=(facts.uid, facts.gid),
        deadline=_DEADLINE,
    )
    return RunTask(task)
