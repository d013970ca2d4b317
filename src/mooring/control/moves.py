# SPDX-License-Identifier: Apache-2.0
"""Refuses to move the data of an instance that is seen to run here, whatever a person said of it. Reads records only.

What runs elsewhere nobody here can see: that is what the person's word is for. Called when an operation is accepted.
"""

from __future__ import annotations

from mooring.api.enums import RestoreMode
from mooring.api.instance import OdooInstanceSpec
from mooring.control.operations import Operation
from mooring.control.services import Services
from mooring.control.work import Work
from mooring.domain.instance.ledger import load_ledger
from mooring.domain.operations.plan import OperationType
from mooring.domain.operations.restore import decide_mode
from mooring.domain.work.copy_errors import SourceRuns


async def refuse_running_source(services: Services, work: Work, operation: Operation) -> None:
    """Look for the instance whose data is to be moved among those of this installation.

    Raises:
        SourceRuns: it is there, has data and is not stopped.
    """
    if operation.type is not OperationType.RESTORE or decide_mode(operation.doc.spec) is not RestoreMode.MOVE:
        return
    word = operation.doc.spec["source"].get("snapshotOf")
    for doc in await services.documents.list("OdooInstance") if word else ():
        named = doc.id == word or (doc.ref.name, doc.ref.namespace) == (word, work.doc.ref.namespace)
        if not named or doc.ref == work.doc.ref:
            continue
        ledger, spec = load_ledger(doc.status.get("ledger")), OdooInstanceSpec.model_validate(doc.spec)
        if ledger.initialized and not ledger.stopped and spec.replicas:
            raise SourceRuns(f"{doc.ref} is not stopped: it and {work.doc.ref} would be one and the same to the world.")
