# SPDX-License-Identifier: Apache-2.0
"""An instance as one archive, given to whoever waits for it: a file or the standard output of the machine of the command.

It is no operation: there is nothing to take up again, and who gave up waiting has no use for the rest. The task takes the
instance's lock like any other, beside which no data is replaced. Called by `mooring backup --to`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from mooring.api.instance import OdooInstanceSpec
from mooring.control.errors import NotInitialized
from mooring.control.once import Sink, hand_over, run_once
from mooring.control.operations import list_operations
from mooring.control.servers import find_existing_server
from mooring.control.services import Services, new_id
from mooring.control.subjects import describe_subject
from mooring.domain.instance.ledger import load_ledger
from mooring.domain.instance.tasks import task_stem
from mooring.domain.model.identity import Identity
from mooring.domain.operations.conflicts import Verdict, decide_start
from mooring.domain.operations.export import Form, export_task
from mooring.domain.operations.plan import OperationType
from mooring.domain.work.common import Fence
from mooring.drivers.documents import Document
from mooring.errors import ConflictError, FailedError, Retry

OUTPUT = "/tmp/archive"  # noqa: S108 - a container's own /tmp


class ExportFailed(FailedError):
    """The task that writes an archive failed."""

    code = "MOOR-581"
    reason = "ExportFailed"
    default_resolution = "Follow the task's own words, then ask again; nothing of the instance was changed."


class ExportExcluded(ConflictError):
    """The instance's data is being replaced: an archive of it would be of neither."""

    code = "MOOR-582"
    reason = "ExportExcluded"
    retry = Retry.AFTER
    default_resolution = "Wait for the end of what runs (`mooring operations list NAME`), then ask again."


async def export_instance(
    services: Services, doc: Document, *, form: Form, with_filestore: bool, sink: Sink, timeout_s: float
) -> Mapping[str, Any]:
    """Write the archive of an instance to `sink`; the task's result.

    Args:
        doc: the instance's record.
        form: `zip` as Odoo's own, or `dump` of the database alone.
        timeout_s: seconds after which the task is ended.

    Raises:
        NotInitialized: there is no data yet.
        ExportExcluded: its data is being replaced.
        ExportFailed: the task failed; carries its words.
        MooringError: server, secret or release of the instance are not there.
    """
    ledger = load_ledger(doc.status.get("ledger"))
    release = ledger.release(ledger.runs)
    if not ledger.initialized or release is None:
        raise NotInitialized(f"{doc.ref} has no data yet.")
    running = [one.type for one in await list_operations(services, doc.ref) if one.phase == "Running"]
    if decide_start(running, OperationType.BACKUP) is not Verdict.PARALLEL:
        raise ExportExcluded(f"{', '.join(running)} of {doc.ref} is in progress.")
    spec = OdooInstanceSpec.model_validate(doc.spec)
    identity = Identity(services.installation, doc.id)
    server = await find_existing_server(services, doc.ref, spec)
    subject, _ = await describe_subject(services, doc.ref, identity, spec, ledger, release, server)
    number = new_id()
    run = export_task(
        subject,
        task_stem(doc.ref, f"export-{number[:6]}"),
        Fence(number, 1),
        form=form,
        with_filestore=with_filestore,
        output=OUTPUT,
    )
    task = replace(run.attempt(1), deadline=timedelta(seconds=timeout_s))
    then = partial(hand_over, services, task.name, OUTPUT, sink)
    state = await run_once(services, task, about=doc.ref, timeout_s=timeout_s, then=then)
    if state.phase == "succeeded" and isinstance(state.result, Mapping):
        return state.result
    fault = state.error or {}
    raise ExportFailed(
        str(fault.get("brief") or "The task ended without a result."),
        details="\n".join(text for text in (str(fault.get("details", "")), state.log_tail) if text),
        resolution=str(fault["resolution"]) if fault.get("resolution") else None,
    )
