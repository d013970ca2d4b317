# SPDX-License-Identifier: Apache-2.0
"""The journal of an operation: a list of records in the status of its document, only ever appended to.

Appending is compare-and-swap twice over: the writer says how many records it knows, and the document's version must not move
between read and write. So of two runners that both believe they lead, one goes on and the other learns it before it acts.
It does not know what a record says; `mooring.domain.operations.journal` does. Used by the operation runner only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mooring.domain.model.identity import Ref
from mooring.drivers.documents import Document, Documents, VersionConflict
from mooring.errors import ConflictError, NotFoundError, Retry

STEPS = "steps"


class JournalConflict(ConflictError):
    """Somebody else wrote to the operation since its journal was read; nothing was appended."""

    code = "MOOR-507"
    reason = "JournalConflict"
    retry = Retry.NOW
    default_resolution = "Run the command again: it reads the journal anew and goes on from there."


class OperationGone(NotFoundError):
    """The operation's document does not exist (any more)."""

    code = "MOOR-509"
    reason = "OperationGone"
    default_resolution = "`mooring operations list` shows those there are; ask for a new one if it is still wanted."


class Journal:
    """Journals in a store of documents."""

    def __init__(self, documents: Documents) -> None:
        """Args: documents: where the operations' documents are."""
        self._documents = documents

    async def load(self, op: Ref) -> tuple[Mapping[str, Any], ...]:
        """The records so far, oldest first, each a JSON object.

        Raises:
            OperationGone: there is no such document.
        """
        return tuple((await self._document(op)).status.get(STEPS, ()))

    async def append(self, op: Ref, record: Mapping[str, Any], *, expect: int) -> Document:
        """Append one record; on the disk when this returns.

        Not safe to repeat blindly: after an error of the store, load and look.

        Args:
            op: the operation.
            record: a JSON object.
            expect: how many records the caller knows.

        Returns:
            The operation's document as stored.

        Raises:
            JournalConflict: there are more or fewer records, or another writer came between.
            OperationGone: there is no such document.
        """
        doc = await self._document(op)
        steps = list(doc.status.get(STEPS, ()))
        if len(steps) != expect:
            raise JournalConflict(f"The journal of {op} has {len(steps)} records where {expect} were expected.")
        status = {**doc.status, STEPS: [*steps, dict(record)]}
        try:
            return await self._documents.put_status(replace(doc, status=status), if_version=doc.version)
        except VersionConflict as error:
            raise JournalConflict(f"Another process wrote to {op} at the same moment.") from error

    async def _document(self, op: Ref) -> Document:
        doc = await self._documents.get(op)
        if doc is None:
            raise OperationGone(f"{op} does not exist.")
        return doc
