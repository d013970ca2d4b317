# SPDX-License-Identifier: Apache-2.0
"""Upgrade: from one release to another of the same series, with the data of before at hand until users are let in.

The order carries the safety: what changed is found out, and a backup taken, while users work; everything stops and is seen to
be gone; database and filestore are copied beside; only then the new release migrates; SQL proves it and a probe behind the hold
serves a page. The step `switch` is the point of no return: from it on users may write, and only a person throws away what they
wrote. The copies of the upgrade before are dropped when this one has succeeded; earlier only where there is no room for both.

Where no module is to be updated or installed Odoo does not migrate, and nothing is copied. Where the release is the same
besides, nothing is stopped either.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mooring.domain.instance.conf import EVENTED_PORT, WEB_PORT, decide_instance_sizing
from mooring.domain.instance.module_tasks import HASH, TOUCHED, find_changed, store_step
from mooring.domain.instance.subject import DATA_DIR, PinnedRelease, Subject
from mooring.domain.instance.tasks import (
    admin_connection,
    admin_task,
    filestore_task,
    odoo_task,
    owner_connection,
    owner_task,
    task_stem,
)
from mooring.domain.model.identity import Ref
from mooring.domain.odoo.argv import CONFIG_PATH, argv_update
from mooring.domain.operations.neutral import neutral_steps
from mooring.domain.operations.plan import Gone, Hold, Note, OperationType, Option, Plan, Ready, Step, When
from mooring.domain.work.common import Fence
from mooring.domain.work.copies import DatabaseDrop, DatabaseReturn, DatabaseSafetyCopy
from mooring.domain.work.database import DatabaseVerify
from mooring.domain.work.filestore import FilestoreDrop, FilestoreReturn, FilestoreSafetyCopy
from mooring.domain.work.modules import Selection
from mooring.domain.work.serve_probe import render_odoo_argv, render_probe_argv

SWITCH = "switch"
START = "start"
MIGRATE = "migrate"
COPIES = ("copy-database", "copy-filestore")
PROBE_DEADLINE = timedelta(minutes=10)


CHANGED = "changed"
ALL = "all"


def plan_upgrade(
    operation: Ref,
    operation_id: str,
    subject: Subject,
    to: PinnedRelease,
    *,
    admin_user: str,
    modules: tuple[str, ...],
    install: tuple[str, ...] = (),
    replicas: tuple[tuple[str, int], ...],
    free_bytes: int | None = None,
    backup: Plan | None = None,
    base_url: str | None = None,
) -> Plan:
    """The plan from `subject.release` to `to`.

    Args:
        operation: the operation's document.
        operation_id: its id: the safety copies carry it.
        to: the new release; may be the present one, to update modules.
        admin_user: role that may copy databases.
        modules: what `-u` is given: names; `all` for everything; `changed` for those whose files changed.
        install: what `-i` is given.
        free_bytes: where the data is; a copy that does not fit, even without the earlier ones, is refused before it is
            begun.
        replicas: what has to be ready at the end: ((role, count), …).
        base_url: where users reach it, as far as it was seen; a Staging instance is neutralized again, and told.
        backup: taken before anything stops, where anything is updated or installed; None where nobody asks for one.
    """
    fence = Fence(operation_id, 1)
    instance, database = subject.identity.instance, subject.database
    admin = admin_connection(subject, admin_user)
    hold = Hold(web=True, cron=True, release=subject.release.release.digest, reason="the instance is being upgraded")
    target = replace(subject, release=to)

    def stem(step: str) -> str:
        return task_stem(operation, step)

    drop_old = DatabaseDrop(
        connection=admin, fence=fence, instance=instance, roles=("safety", "previous"), spare=operation_id
    )
    drop_old_files = FilestoreDrop(
        fence=fence,
        instance=instance,
        data_dir=DATA_DIR,
        database=database,
        roles=("safety", "previous"),
        spare=operation_id,
    )
    copy = DatabaseSafetyCopy(
        connection=admin,
        fence=fence,
        instance=instance,
        database=database,
        disconnect=True,
        free_bytes=free_bytes,
        make_room=True,
    )
    give_back = DatabaseReturn(connection=admin, fence=fence, instance=instance, database=database)
    copy_files = FilestoreSafetyCopy(
        fence=fence, instance=instance, data_dir=DATA_DIR, database=database, make_room=True
    )
    give_back_files = FilestoreReturn(fence=fence, instance=instance, data_dir=DATA_DIR, database=database)
    named = tuple(sorted({*modules} - {CHANGED, ALL}))
    select: Selection = "all" if ALL in modules else "changed" if CHANGED in modules else "named"
    verify = DatabaseVerify(
        connection=owner_connection(subject),
        database=database,
        expect=tuple(sorted({"base", *install, *named})),
        series=to.facts.series,
    )
    update = odoo_task(
        subject,
        stem(MIGRATE),
        argv_update(to.odoo, database=database, modules=None, install=install, program=to.facts.program),
        release=to,
    )
    migrate = replace(update, options=(Option("--update", HASH, "update"),))
    serve = render_odoo_argv(to.facts.program, CONFIG_PATH, database=database, port=WEB_PORT)
    probe_argv = render_probe_argv(
        serve,
        port=WEB_PORT,
        deadline_s=int(PROBE_DEADLINE.total_seconds()) // 2,
        evented=EVENTED_PORT if decide_instance_sizing(target).web.workers else 0,
        evented_option=f"--{to.odoo.evented_port_option.replace('_', '-')}",
        pdf=True,
    )
    # An update writes its modules' own data again, and brings new modules that nobody neutralized.
    again = (
        neutral_steps(operation, operation_id, target, role="current", base_url=base_url, first=True, hold=hold)
        if subject.staging
        else ()
    )
    stay = Hold(release=subject.release.release.digest, reason="what changed is being found out")
    look = find_changed(operation, subject, release=to, hold=stay, select=select, also=named, install=install)
    touched = When(HASH, TOUCHED)
    # Another release has to run even where it brings no other module.
    moves = None if to.release.digest != subject.release.release.digest else touched
    before = () if backup is None else tuple(replace(step, hold=stay, when=touched) for step in backup.steps)
    return Plan(
        OperationType.UPGRADE,
        steps=(
            *look,
            *before,
            Step(
                "stop",
                "Cron and web must not write while data is copied and migrated.",
                Gone(("web", "cron")),
                hold,
                when=moves,
            ),
            Step(
                "copy-database",
                "A user's data is never the only copy that a step works on.",
                admin_task(subject, stem("copy-database"), copy),
                hold,
                attempts=2,
                when=touched,
            ),
            Step(
                "copy-filestore",
                "A user's files are never the only copy that a step works on.",
                filestore_task(subject, stem("copy-filestore"), copy_files),
                hold,
                attempts=2,
                when=touched,
            ),
            Step(
                "open-files",
                "From here on the filestore may change.",
                Note(),
                hold,
                undo=Step(
                    "return-filestore",
                    "The files of before come back.",
                    filestore_task(subject, stem("return-filestore"), give_back_files),
                    attempts=3,
                ),
                when=touched,
            ),
            Step(
                MIGRATE,
                f"Odoo updates {_words(select, named, install)} with {to.release.source}.",
                migrate,
                hold,
                undo=Step(
                    "return-database",
                    "The database of before comes back.",
                    admin_task(subject, stem("return-database"), give_back),
                    attempts=3,
                ),
                when=touched,
            ),
            *(replace(step, when=touched) for step in again),
            Step(
                "verify",
                "Odoo's exit code proves nothing.",
                owner_task(subject, stem("verify"), verify),
                hold,
                when=touched,
            ),
            Step(
                "probe",
                "A page is served before users are let in.",
                odoo_task(target, stem("probe"), probe_argv, probe=True, deadline=PROBE_DEADLINE),
                hold,
                when=moves,
            ),
            Step(
                SWITCH,
                "The data is the new release's.",
                Note(),
                replace(hold, release=to.release.digest),
                when=moves,
            ),
            Step(
                START,
                "Users are let in.",
                Ready(replicas),
                Hold(release=to.release.digest),
                deadline=timedelta(minutes=15),
                when=moves,
            ),
        ),
        cleanup=(
            replace(
                store_step(operation, subject, fence, only=(*named, *install) if select == "named" else None),
                when=touched,
            ),
            Step(
                "drop-old-copies",
                "What the earlier copies were for is over, and they take up room.",
                admin_task(subject, stem("drop-old-copies"), drop_old),
                attempts=2,
                after_success=True,
                when=moves,
            ),
            Step(
                "drop-old-files",
                "What the earlier copies were for is over, and they take up room.",
                filestore_task(subject, stem("drop-old-files"), drop_old_files),
                attempts=2,
                after_success=True,
                when=moves,
            ),
        ),
        point_of_no_return=SWITCH,
    )


def _words(select: Selection, named: tuple[str, ...], install: tuple[str, ...]) -> str:
    """What Odoo does, for people."""
    chosen = {"all": ["every module"], "changed": ["what changed", *named], "named": [*named]}[select]
    return ", ".join([*chosen, *(f"installs {name}" for name in install)])
