# SPDX-License-Identifier: Apache-2.0
"""Leads one instance to where it is wanted, pass by pass: executing, or following whoever executes."""

from __future__ import annotations

import contextlib

from mooring.control.errors import UnknownInstance
from mooring.control.events import Event
from mooring.control.expire import forget_old
from mooring.control.follow import Followed, begin_following, follow_events
from mooring.control.operations import list_operations
from mooring.control.outcomes import OUTCOME, recorded_error
from mooring.control.reconcile import Pass, reconcile
from mooring.control.send import send_due
from mooring.control.services import Services
from mooring.control.watch import rest
from mooring.domain.instance.ledger import load_ledger
from mooring.domain.lifecycle import State
from mooring.domain.model.identity import Ref
from mooring.drivers.lock_store import Holder
from mooring.errors import MooringError, Retry, TimeoutExceeded

TROUBLE_PATIENCE_S = 60.0
AT_ONCE_S = 0.01


async def drive(services: Services, ref: Ref, *, command: str, timeout_s: float, live: bool = True) -> Pass:
    """Bring `ref` to a settled state.

    With an agent alive, or another process at work on it, it follows; else it executes itself.

    Args:
        command: what this process is called, for others.
        timeout_s: seconds after which it gives up waiting; what runs in the world goes on, and the next call resumes.
        live: the first pass bypasses caches and compares files.

    Raises:
        UnknownInstance: there is no such document.
        TimeoutExceeded: it did not settle in time.
        MooringError: it settled in a state that is not the wanted one, or the world is in trouble.
    """
    until = services.clock.monotonic() + timeout_s
    lock = services.locks.execution(ref)
    told: Holder | None = None
    follower: Followed | None = None
    trouble_since: float | None = None
    while True:
        agent = services.locks.agent().holder()
        holder = agent or lock.try_acquire(command=command, now=services.clock.now())
        if holder is None:
            with lock:
                return await _execute(services, ref, until=until, live=live)
        if told is None:
            services.emit(Event(ref, "warning", f"{ref} is being worked on by {holder}; following."))
            told, follower = holder, await begin_following(services, ref)
        found = await _look(services, ref)
        if follower is not None:
            follower = await follow_events(services, ref, follower)
        if found is not None and found.settled and (agent is not None or lock.holder() is None):
            if found.error is not None:
                raise found.error
            return found
        trouble_since = None if found is None else trouble_since or services.clock.monotonic()
        if trouble_since is not None and services.clock.monotonic() - trouble_since > TROUBLE_PATIENCE_S:
            if found is not None and found.error is not None:
                raise found.error
            trouble_since = None
        _check_time(services, ref, until)
        await services.clock.sleep(0.5)


async def _execute(services: Services, ref: Ref, *, until: float, live: bool) -> Pass:
    trouble_since: float | None = None
    first = True
    while True:
        try:
            result = await reconcile(services, ref, live=first and live, asked=first)
            first, trouble_since = False, None
        except MooringError as error:
            if error.retry is Retry.NEVER:
                raise
            trouble_since = trouble_since or services.clock.monotonic()
            if services.clock.monotonic() - trouble_since > TROUBLE_PATIENCE_S:
                raise
            _check_time(services, ref, until)
            await services.clock.sleep(1.0)
            continue
        if not result.gone:
            await send_due(services, ref)
        if result.settled:
            if result.error is not None:
                raise result.error
            if not result.gone:
                await forget_old(services, ref)
            return result
        _check_time(services, ref, until)
        with contextlib.suppress(MooringError):  # the next pass meets it again, and says it
            await rest(services, ref, seconds=max(result.requeue_s or 0.0, AT_ONCE_S))


async def _look(services: Services, ref: Ref) -> Pass | None:
    """What the record says of the last pass over the present spec; None while more is to come.

    A pass that ended with an error which waiting may mend has an error, and is not settled.
    """
    doc = await services.documents.get(ref)
    if doc is None:
        return Pass(State.DELETING, "Deleted", settled=True, requeue_s=None, gone=True)
    ledger = load_ledger(doc.status.get("ledger"))
    outcome = doc.status.get(OUTCOME) or {}
    operations = await list_operations(services, ref)
    asked = any(not one.ended and not one.stuck and one.due(services.clock.now()) for one in operations)
    if asked or outcome.get("generation") != doc.generation:
        return None
    error = recorded_error(doc.status)
    settled = outcome.get("settled") is True and (error is not None or doc.deleted_at is None)
    if not settled and error is None:
        return None
    return Pass(ledger.state, str(doc.status.get("phase", "")), settled=settled, requeue_s=None, error=error)


def _check_time(services: Services, ref: Ref, until: float) -> None:
    if services.clock.monotonic() > until:
        raise TimeoutExceeded(f"{ref} did not settle in time.")


__all__ = ["UnknownInstance", "drive"]
