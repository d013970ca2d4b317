# SPDX-License-Identifier: Apache-2.0
"""Neutralize: a Staging instance's present data is kept from acting on the world once more, by a person's word. Pure.

What people switched on in it since is off again, and what the manifest's `neutralize.sql` says now is done. Nothing runs
meanwhile. The data is changed in one transaction, so there is nothing to take back: what fails leaves it as it was.
"""

from __future__ import annotations

from mooring.domain.instance.subject import Subject
from mooring.domain.model.identity import Ref
from mooring.domain.operations.exchange import READY_DEADLINE, ROLES
from mooring.domain.operations.neutral import neutral_steps
from mooring.domain.operations.plan import Gone, Hold, OperationType, Plan, Ready, Step


def plan_neutralize(
    operation: Ref,
    operation_id: str,
    subject: Subject,
    *,
    base_url: str | None,
    replicas: tuple[tuple[str, int], ...],
) -> Plan:
    """Stop, neutralize, prove, start.

    Args:
        operation: the operation's document.
        operation_id: its id, for the fence.
        subject: a Staging instance; `decide_refusal` keeps others away.
        base_url: where users reach it, as far as it was seen.
        replicas: what has to be ready at the end.
    """
    hold = Hold(web=True, cron=True, reason="it is being neutralized")
    return Plan(
        OperationType.NEUTRALIZE,
        (
            Step("stop", "Nobody may work on it while it is changed.", Gone(ROLES), hold),
            *neutral_steps(
                operation, operation_id, subject, role="current", base_url=base_url, first=subject.staging, hold=hold
            ),
            Step("start", "Every replica answers.", Ready(replicas), deadline=READY_DEADLINE),
        ),
    )
