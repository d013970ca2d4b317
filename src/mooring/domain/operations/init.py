# SPDX-License-Identifier: Apache-2.0
"""Init: Odoo installs its first modules, and SQL proves that it did."""

from __future__ import annotations

from mooring.domain.instance.module_tasks import HASH, hash_task, store_step
from mooring.domain.instance.subject import DATA_DIR, Subject
from mooring.domain.instance.tasks import (
    USER_PASSWORD_FILE,
    admin_connection,
    admin_task,
    odoo_task,
    owner_connection,
    owner_task,
    task_stem,
)
from mooring.domain.model.identity import Ref
from mooring.domain.odoo.argv import argv_init
from mooring.domain.operations.plan import Gone, Hold, Note, OperationType, Plan, Step, Take, When
from mooring.domain.templates.tasks import files_task
from mooring.domain.work.common import Fence
from mooring.domain.work.copies import DatabaseDrop
from mooring.domain.work.database import DatabaseFinishInit
from mooring.domain.work.modules import ModulesHash
from mooring.domain.work.templates import DatabaseEmpty, DatabaseFromTemplate

COPY = "copy-template"
INSTALL = "install-modules"
FINISH = "finish"
SERVE = "serve"
DROP = "drop-empty"


def plan_init(
    operation: Ref,
    operation_id: str,
    subject: Subject,
    *,
    modules: tuple[str, ...],
    demo: bool,
    language: str,
    base_url: str | None,
    template: str = "",
    admin_user: str = "",
) -> Plan:
    """Install, then verify and finish in one task. Installing again continues what a kill interrupted, so nothing is undone.

    Where there is a template, its copy comes first, and Odoo installs only where that could not be had. A copy that cannot be
    finished is taken back: a database with content is never copied over.

    Args:
        operation: the operation's document.
        operation_id: its id, for fences.
        modules: what is installed; at least one.
        demo: with demonstration data.
        language: of the first user and company.
        base_url: where users reach it; None leaves it to Odoo.
        template: id of the template that fits; empty where none does.
        admin_user: role that may create databases; for a template.
    """
    release = subject.release
    hold = Hold(web=True, cron=True, reason="the database is being initialized")
    argv = argv_init(
        release.odoo,
        database=subject.database,
        modules=modules,
        demo=demo,
        language=language,
        program=release.facts.program,
    )
    finish = DatabaseFinishInit(
        connection=owner_connection(subject),
        fence=Fence(operation_id, 1),
        instance=subject.identity.instance,
        database=subject.database,
        expect=tuple(sorted({"base", *modules})),
        series=release.facts.series,
        admin_password_file=USER_PASSWORD_FILE,
        language=language,
        country=subject.spec.init.country,
        base_url=base_url,
        freeze_base_url=base_url is not None,
        report_url="http://127.0.0.1:8069",
        unpack_into=DATA_DIR if template else None,
    )
    stem = task_stem(operation, FINISH)
    make = files_task if template else owner_task
    install = Step(
        INSTALL,
        f"Odoo installs {', '.join(modules)}.",
        odoo_task(subject, task_stem(operation, INSTALL), argv),
        hold,
        attempts=2,
        when=When(COPY, "install") if template else None,
    )
    end = Step(
        FINISH,
        "Odoo's exit code proves nothing; then password, language and address of a new instance are its own.",
        make(subject, stem, finish, admin_password=True),
        hold,
        attempts=2,
    )
    stop = Step("stop", "No other process may work on the database.", Gone(("web", "cron")), hold)
    copied = (_copy_template(operation, operation_id, subject, template, admin_user, hold),) if template else ()
    serve = Step(SERVE, "Odoo is in the database, and proved: it may serve.", Note(), hold)
    return Plan(
        OperationType.INIT,
        (stop, *copied, install, end, serve),
        cleanup=(
            *_remember(operation, subject, Fence(operation_id, 1), language),
            *((_drop_aside(operation, operation_id, subject, admin_user),) if template else ()),
        ),
        point_of_no_return=SERVE,
    )


def _remember(operation: Ref, subject: Subject, fence: Fence, language: str) -> tuple[Step, ...]:
    """Write down what the modules' files are, while it starts: the first upgrade compares with it."""
    ask = ModulesHash(languages=tuple(sorted({"en_US", language})))
    take = Take(("modules",), FINISH, "modules")
    task = hash_task(subject, task_stem(operation, HASH), ask, release=subject.release, takes=(take,))
    look = Step(HASH, "The release says what its modules' files are.", task, attempts=2, after_success=True)
    return look, store_step(operation, subject, fence)


def _drop_aside(operation: Ref, operation_id: str, subject: Subject, admin_user: str) -> Step:
    """The empty database that the copy replaced."""
    document = DatabaseDrop(
        connection=admin_connection(subject, admin_user),
        fence=Fence(operation_id, 1),
        instance=subject.identity.instance,
        roles=("previous",),
        operation=operation_id,
    )
    task = admin_task(subject, task_stem(operation, DROP), document)
    return Step(DROP, "The empty database that gave way to the copy is not needed.", task, attempts=2)


def _copy_template(
    operation: Ref, operation_id: str, subject: Subject, template: str, admin_user: str, hold: Hold
) -> Step:
    fence = Fence(operation_id, 1)
    connection = admin_connection(subject, admin_user)
    identity, database = subject.identity.instance, subject.database
    copy = DatabaseFromTemplate(connection, fence, identity, database, subject.owner, template)
    back = DatabaseEmpty(connection, fence, identity, database, subject.owner)
    empty = "empty-database"
    return Step(
        COPY,
        "A template of the same release and modules is there: its copy is what Odoo would install.",
        admin_task(subject, task_stem(operation, COPY), copy),
        hold,
        undo=Step(
            empty,
            "What cannot be finished gives way to an empty database.",
            admin_task(subject, task_stem(operation, empty), back),
            hold,
            attempts=3,
        ),
        attempts=2,
    )
