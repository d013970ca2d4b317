# SPDX-License-Identifier: Apache-2.0
"""What an operation was accepted with: all that its plan is made from. Pure.

Made by `mooring.control.begin`, kept with the operation's document, read by `mooring.domain.operations.build`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mooring.api.enums import RestoreMode
from mooring.domain.instance.archive import ArchiveAccess
from mooring.domain.instance.repository import RepositoryAccess
from mooring.domain.instance.subject import PinnedRelease, Subject
from mooring.domain.model.identity import Ref
from mooring.domain.operations.drill import Scratch
from mooring.domain.operations.plan import OperationType
from mooring.domain.operations.restore import decide_mode


@dataclass(frozen=True)
class Accepted:
    """What an operation was accepted with; stays the same until it ends.

    Attributes:
        ref: its document.
        id: its id.
        spec: what was asked for, camelCase as in the document.
        subject: the instance then; None for the deletion of one that never got so far.
        to: the release it leads to.
        admin_user: role that may create databases.
        replicas: what has to be ready at the end.
        base_url: where users reach the instance, by a name that they keep.
        address: where it answers, by any name; None while nobody saw it.
        free_bytes: free space where the data is; None where nobody knows.
        previous: id of the operation whose copies a rollback returns to.
        previous_kind: its type.
        generation: of the instance's spec then; a failure is latched for it. 0 where it was not written down.
        repository: where snapshots are, for the types that need one.
        initialized: Odoo was in the database then: there is something to return to.
        scratch: what the server of a drill is made of; None without one.
        template: id of the template that a new database may be copied from; empty without one.
        previous_data: whether that operation's copies hold data; else the release alone goes back.
        held_since: when the data went back in time, RFC 3339; empty where it did not, or nobody knows.
        source: the instance that is copied, as it was then; None for the types that copy none.
        archive: the archive that it reads or writes, apart from any repository.
    """

    ref: Ref
    id: str
    type: OperationType
    spec: Mapping[str, Any]
    subject: Subject | None
    to: PinnedRelease | None = None
    admin_user: str = ""
    replicas: tuple[tuple[str, int], ...] = ()
    base_url: str | None = None
    free_bytes: int | None = None
    previous: str = ""
    generation: int = 0
    repository: RepositoryAccess | None = None
    previous_kind: OperationType = OperationType.UPGRADE
    initialized: bool = True
    scratch: Scratch | None = None
    template: str = ""
    held_since: str = ""
    source: Subject | None = None
    previous_data: bool = True
    address: str | None = None
    archive: ArchiveAccess | None = None

    @property
    def neutral(self) -> bool:
        """Whether the data that it brings is neutral: a copy's, of an instance or of an archive."""
        return self.source is not None or decide_mode(self.spec) is RestoreMode.COPY
