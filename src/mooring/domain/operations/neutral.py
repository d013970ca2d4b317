# SPDX-License-Identifier: Apache-2.0
"""The steps that keep a copy from acting on the world, and prove it: part of each plan that makes, upgrades or is one. Pure.

What the release says of its add-ons is read in the release, which reaches nothing; it goes into the document of the task that
neutralizes; another task, which knows nothing of how it was done, proves it. Nothing is undone: what fails closes the plan, and
the plan's own undo throws the copy away or leaves it held.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from mooring.domain.instance.environment import mail_sink, own_address
from mooring.domain.instance.neutralize_tasks import read_release_task
from mooring.domain.instance.subject import PinnedRelease, Subject
from mooring.domain.instance.tasks import owner_connection, owner_task, task_stem
from mooring.domain.model.identity import Ref
from mooring.domain.operations.plan import NO_HOLD, Hold, Step, Take
from mooring.domain.work.common import Fence
from mooring.domain.work.neutralize import SINK_HOST, SINK_PORT, DatabaseNeutralize, DatabaseVerifyNeutral, ReleaseCode

READ_RELEASE = "read-release"
NEUTRALIZE = "neutralize"
PROVE = "verify-neutral"
# Filled from the step `READ_RELEASE`.
_UNREAD = ReleaseCode("", False, 0, "")


def neutral_steps(
    operation: Ref,
    operation_id: str,
    subject: Subject,
    *,
    role: Literal["building", "current"],
    base_url: str | None,
    first: bool = False,
    release: PinnedRelease | None = None,
    hold: Hold = NO_HOLD,
) -> tuple[Step, ...]:
    """Read the release, neutralize, prove.

    Args:
        subject: the instance that the copy is for; its `database` is the copy.
        role: whether the copy was built beside, or is the instance's present data.
        base_url: where the copy answers, as far as it was seen.
        first: with `current`: also where it was never neutralized; the caller knows that it is no production.
        release: another release than the instance's present one, to which the data was upgraded.
        hold: in force meanwhile.
    """
    sink = mail_sink(subject)
    host, port = (sink.host, sink.port) if sink is not None else (SINK_HOST, SINK_PORT)
    address = own_address(subject, base_url)
    extra = subject.spec.neutralize
    neutralize = DatabaseNeutralize(
        connection=owner_connection(subject),
        fence=Fence(operation_id, 1),
        instance=subject.identity.instance,
        database=subject.database,
        release=_UNREAD,
        base_url=address,
        statements=extra.sql if extra is not None else (),
        role=role,
        first=first,
        sink_host=host,
        sink_port=port,
    )
    prove = DatabaseVerifyNeutral(
        connection=owner_connection(subject), database=subject.database, base_url=address, sink_host=host
    )
    task = owner_task(subject, task_stem(operation, NEUTRALIZE), neutralize)
    return (
        Step(
            READ_RELEASE,
            "Which add-ons there are, and what they neutralize, the release says itself.",
            read_release_task(subject, task_stem(operation, READ_RELEASE), release=release),
            hold,
            attempts=2,
        ),
        Step(
            NEUTRALIZE,
            "Nothing of it may act on the world outside: no mail, no charge, no job.",
            replace(task, takes=(Take(("release",), READ_RELEASE),)),
            hold,
            attempts=2,
        ),
        Step(
            PROVE,
            "That nothing can act is asked of the data, whatever was done to it.",
            owner_task(subject, task_stem(operation, PROVE), prove),
            hold,
            attempts=2,
        ),
    )
