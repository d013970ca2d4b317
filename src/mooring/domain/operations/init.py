# SPDX-License-Identifier: Apache-2.0
"""Init: Odoo installs its first modules, and SQL proves that it did."""

from __future__ import annotations

from mooring.domain.instance.subject import Subject
from mooring.domain.instance.tasks import (
    USER_PASSWORD_FILE,
    odoo_task,
    owner_connection,
    owner_task,
    task_stem,
)
from mooring.domain.model.identity import Ref
from mooring.domain.odoo.argv import argv_init
from mooring.domain.operations.plan import Gone, Hold, OperationType, Plan, Step
from mooring.domain.work.common import Fence
from mooring.domain.work.database import DatabaseFinishInit

INSTALL = "install-modules"
FINISH = "finish"


def plan_init(
    operation: Ref,
    operation_id: str,
    subject: Subject,
    *,
    modules: tuple[str, ...],
    demo: bool,
    language: str,
    base_url: str | None,
) -> Plan:
    """Install, then verify and finish in one task. Installing again continues what a kill interrupted, so nothing is undone.

    Args:
        operation: the operation's document.
        operation_id: its id, for fences.
        modules: what is installed; at least one.
        demo: with demonstration data.
        language: of the first user and company.
        base_url: where users reach it; None leaves it to Odoo.
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
    )
    return Plan(
        OperationType.INIT,
        (
            Step("stop", "No other process may work on the database.", Gone(("web", "cron")), hold),
            Step(
                INSTALL,
                f"Odoo installs {', '.join(modules)}.",
                odoo_task(subject, task_stem(operation, INSTALL), argv),
                hold,
                attempts=2,
            ),
            Step(
                FINISH,
                "Odoo's exit code proves nothing; then password, language and address of a new instance are its own.",
                owner_task(subject, task_stem(operation, FINISH), finish, admin_password=True),
                hold,
                attempts=2,
            ),
        ),
    )
