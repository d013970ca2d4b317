# SPDX-License-Identifier: Apache-2.0
"""The kind `OdooOperation`: what a person asks for that has no kind of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from mooring.api.base import Broken, RuledModel, described, find_not_one_of
from mooring.api.common import GitSource
from mooring.api.enums import MaintenanceTime, OperationType
from mooring.api.jobs import OperationSpec
from mooring.api.meta import Resource
from mooring.api.texts import Flag, ImageReference, ResourceName, Share, SnapshotId

_TARGETS: Mapping[OperationType, tuple[bool, tuple[str, ...]]] = {
    OperationType.STOP: (False, ()),
    OperationType.START: (False, ()),
    OperationType.RESTART: (False, ()),
    OperationType.ROLLBACK: (False, ("image", "git", "snapshot")),
    OperationType.PROMOTE: (False, ()),
    OperationType.RELEASE_HOLD: (False, ()),
    OperationType.MIGRATE: (True, ("server",)),
    OperationType.VERIFY: (False, ("snapshot",)),
    OperationType.NEUTRALIZE: (False, ()),
    OperationType.DEPLOY: (True, ("image", "git")),
}
"""For each type: whether `to` is needed, and which of its fields may be given."""


class OperationTarget(RuledModel):
    """What an operation leads to: exactly one of the fields."""

    image: ImageReference | None = Field(default=None, description="A release as an image (Deploy, Rollback).")
    git: GitSource | None = Field(default=None, description="A release as a git repository (Deploy, Rollback).")
    snapshot: SnapshotId | None = Field(default=None, description="A snapshot's identity (Rollback, Verify).")
    server: ResourceName | None = Field(default=None, description="Name of a DatabaseServer (Migrate).")

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """One target."""
        yield from find_not_one_of(given, ("image", "git", "snapshot", "server"), needed=True, where="to")


class OdooOperationSpec(OperationSpec, RuledModel):
    """What is asked for."""

    type: OperationType = described(
        "`Stop` keeps the instance stopped until `Start`; `Restart` starts its processes anew; `Rollback` returns to the "
        "release before or to `to`; `Promote` makes a staging copy the real one; `ReleaseHold` lets scheduled jobs run "
        "again after data went back in time; `Migrate` moves the database to the server `to`; `Verify` checks backups; "
        "`Neutralize` makes a copy harmless; `Deploy` brings the release `to`."
    )
    to: OperationTarget | None = Field(
        default=None,
        description="Deploy and Migrate need it, Rollback and Verify may have it (left out: the release before; the newest "
        "backup), the others have none.",
    )
    cancel_older: Flag | None = Field(
        default=None,
        description="ReleaseHold: whether mail, messages, mailings and queue jobs that wait since before the data went back "
        "are cancelled first. Left out: they are sent.",
    )
    read_data: Share | None = Field(
        default=None,
        description="Verify: share of the backup's content that is read and compared, in percent. Left out: only what is there "
        "and how large it is.",
    )
    restore: Flag | None = Field(
        default=None,
        description="Verify: whether the backup is restored on a database server of its own, neutralized, compared and tried, "
        "and all of that removed.",
    )
    maintenance: MaintenanceTime = Field(
        default=MaintenanceTime.NOW,
        description="`now`, or `window`: when the instance's next maintenance window opens.",
    )

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """`to` is there where the type needs it, fits the type, and each field is absent where it means nothing."""
        written = given.get("type")
        kind = next((one for one in OperationType if one == written), None)
        if kind is None:
            return
        if "cancel_older" in given and kind is not OperationType.RELEASE_HOLD:
            yield Broken(f"{kind} has no cancelOlder; leave it out", field="cancel_older")
        if "read_data" in given and kind is not OperationType.VERIFY:
            yield Broken(f"{kind} has no readData; leave it out", field="read_data")
        if "restore" in given and kind is not OperationType.VERIFY:
            yield Broken(f"{kind} has no restore; leave it out", field="restore")
        needed, names = _TARGETS[kind]
        if "to" not in given:
            if needed:
                yield Broken(f"{kind} needs to", allowed=tuple(f"to.{name}" for name in names))
            return
        if not names:
            yield Broken(f"{kind} has no to; leave it out", field="to")
            return
        target = given["to"]
        if isinstance(target, OperationTarget):
            target = target.model_dump(exclude_none=True)
        if isinstance(target, Mapping):
            strange = [name for name in OperationTarget.model_fields if name in target and name not in names]
            if strange:
                yield Broken(f"{kind} does not take {strange[0]}", field="to", allowed=names)


class OdooOperation(Resource):
    """What a person asks for that has no kind of its own."""

    kind: Literal["OdooOperation"] = Field(default="OdooOperation", description="What the document describes.")
    spec: OdooOperationSpec = described("What is asked for.")
