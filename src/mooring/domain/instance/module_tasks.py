# SPDX-License-Identifier: Apache-2.0
"""The steps that find out which modules' files changed, and write it down. Pure.

Three tasks: the database says what is installed and what was stored (engine), the release says what its files are (a script in
it), and after success the database is told (engine). Called by the plans of operations that run Odoo on a database.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mooring.domain.instance.conf import addon_paths
from mooring.domain.instance.subject import PinnedRelease, Subject
from mooring.domain.instance.tasks import addon_mounts, owner_connection, owner_task, task_stem
from mooring.domain.model.identity import Ref
from mooring.domain.operations.plan import Hold, RunTask, Step, Take
from mooring.domain.task import DOCUMENT_PATH, TaskSpec
from mooring.domain.work.common import Fence
from mooring.domain.work.modules import ModulesHash, ModulesRead, ModulesStore, Selection
from mooring.domain.work.modules_script import render_modules_argv

READ = "read-modules"
HASH = "hash-modules"
STORE = "store-checksums"
TOUCHED = "touched"
"""Key of the result of `HASH`: what Odoo has to work on."""
_DEADLINE = timedelta(minutes=20)


def hash_task(
    subject: Subject, stem: str, document: ModulesHash, *, release: PinnedRelease, takes: tuple[Take, ...] = ()
) -> RunTask:
    """Asks a release what its modules' files are: no password, no data, no way to anything.

    Args:
        stem: of the task's name.
        takes: what of the document earlier steps decide.
    """
    facts = release.facts
    task = TaskSpec(
        name=stem,
        place=subject.ref,
        identity=subject.identity,
        image=release.release,
        argv=render_modules_argv(addon_paths(replace(subject, release=release)).ordered, DOCUMENT_PATH),
        mounts=addon_mounts(subject),
        folders=tuple(replace(folder, uid=facts.uid, gid=facts.gid) for folder in subject.folders),
        env=(("HOME", "/tmp"),),  # noqa: S108 - a container's own /tmp
        user=(facts.uid, facts.gid),
        deadline=_DEADLINE,
    )
    return RunTask(task, document, takes=takes)


def find_changed(
    operation: Ref,
    subject: Subject,
    *,
    release: PinnedRelease,
    hold: Hold,
    database: str = "",
    select: Selection = "changed",
    also: tuple[str, ...] = (),
    install: tuple[str, ...] = (),
) -> tuple[Step, Step]:
    """The steps `READ` and `HASH`: what `-u` is to be given is under `update` in the second's result.

    Nothing is disturbed by them: they may run while users work.

    Args:
        operation: the operation's document.
        release: whose files count.
        hold: of both steps.
        database: another one than the instance's own, such as one that was just built.
        select: what is updated: what changed, the modules `also` alone, or everything.
        also: modules that are updated whether they changed or not.
        install: modules that are installed besides.
    """
    read = ModulesRead(connection=owner_connection(subject), database=database or subject.database)
    ask = ModulesHash(select=select, also=also, install=install)
    fields = {"modules": "modules", "languages": "languages", "patterns": "patterns", "known": "checksums"}
    takes = tuple(Take((field,), READ, key) for field, key in fields.items())
    return (
        Step(
            READ,
            "The database says which modules it has, and what their files were.",
            owner_task(subject, task_stem(operation, READ), read),
            hold,
            attempts=2,
        ),
        Step(
            HASH,
            f"{release.release.source} says what their files are: what changed is updated, and nothing else.",
            hash_task(subject, task_stem(operation, HASH), ask, release=release, takes=takes),
            hold,
            attempts=2,
        ),
    )


def store_step(operation: Ref, subject: Subject, fence: Fence, *, only: tuple[str, ...] | None = None) -> Step:
    """Writes down, after success, what `HASH` found before the update.

    Args:
        operation: the operation's document.
        only: modules that were updated, where not all were looked after.
    """
    document = ModulesStore(
        connection=owner_connection(subject),
        fence=fence,
        instance=subject.identity.instance,
        database=subject.database,
        only=only,
    )
    takes = (Take(("checksums",), HASH, "checksums"), Take(("missing",), HASH, "missing"))
    task = replace(owner_task(subject, task_stem(operation, STORE), document), takes=takes)
    return Step(STORE, "The next upgrade compares with it.", task, attempts=3, after_success=True)
