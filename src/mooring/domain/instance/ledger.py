# SPDX-License-Identifier: Apache-2.0
"""What Mooring remembers of an instance between passes: the part of its status that decisions read.

It is small on purpose: what can be seen is not remembered. Losing it loses no data; `mooring adopt` writes it anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from mooring.domain.instance.health import Watch
from mooring.domain.instance.kept import Kept
from mooring.domain.instance.refreshed import Refreshed
from mooring.domain.instance.subject import PinnedRelease, dump_release, load_release
from mooring.domain.instance.verified import Verified
from mooring.domain.lifecycle import State
from mooring.domain.operations.plan import OperationType


@dataclass(frozen=True)
class Previous:
    """What a rollback returns to.

    Attributes:
        digest: of the release.
        operation: the operation that kept its data aside.
        kind: that operation's type.
        cron_held: why cron was held back then; empty where it was not.
        cron_held_since: since when, RFC 3339.
        data: data was kept aside, too; False where no module was updated, and the release alone goes back.
    """

    digest: str
    operation: str
    kind: OperationType = OperationType.UPGRADE
    cron_held: str = ""
    cron_held_since: str = ""
    data: bool = True


@dataclass(frozen=True)
class Backups:
    """What is remembered of an instance's backups; times as RFC 3339 text in UTC, empty for never.

    Attributes:
        since: when the schedule was first seen.
        began: when the last backup that the schedule asked for began.
        ended: when the last one ended, however it was asked for.
        result: how: `Complete`, `Incomplete` or `Failed`.
        snapshot: id of the last snapshot.
        good: when the last complete one ended.
        external: attachments of the last one that are kept outside the filestore, and so are not in it.
    """

    since: str = ""
    began: str = ""
    ended: str = ""
    result: str = ""
    snapshot: str = ""
    good: str = ""
    external: int = 0


@dataclass(frozen=True)
class Ledger:
    """The memory of one instance.

    Attributes:
        state: of the lifecycle.
        environment: settled once; empty before.
        database: settled once; empty before.
        provisioned: where: `server/database`; empty before.
        owner_version: of the owner role's password that the server knows; empty before.
        initialized: Odoo's tables are there, and proved.
        wanted_source: the release as the spec named it when it was pinned.
        wanted: digest of that pin.
        runs: digest of the release that the data belongs to; empty before init.
        releases: what is known of each digest in use.
        stopped: a person stopped it.
        latched: operation type → generation of the spec at which it failed; of a rollback, at which it was asked for.
        retries: operation type → number of attempts since the last success, for back-off.
        previous: what a rollback returns to.
        backups: what is remembered of its backups.
        verified: what is remembered of the last verification of one.
        refreshed: what is remembered of the last refresh of a staging copy.
        kept: the pairs of database and filestore that were replaced and are still there.
        cron_held: why cron stays away until a person releases it; empty where it does not.
        cron_held_since: when its data went back in time, RFC 3339; what waits since before may have been sent already.
        watch: a release that users were let into, while it may still prove bad; None while there is none.
        done: ids of the operations that ran, newest last, at most 100: a record that comes again runs nothing.
    """

    state: State = State.PROVISIONING
    environment: str = ""
    database: str = ""
    provisioned: str = ""
    owner_version: str = ""
    initialized: bool = False
    wanted_source: str = ""
    wanted: str = ""
    runs: str = ""
    releases: Mapping[str, PinnedRelease] = field(default_factory=dict)
    stopped: bool = False
    latched: Mapping[str, int] = field(default_factory=dict)
    retries: Mapping[str, int] = field(default_factory=dict)
    previous: Previous | None = None
    backups: Backups = Backups()
    verified: Verified = field(default_factory=Verified)
    refreshed: Refreshed = field(default_factory=Refreshed)
    kept: tuple[Kept, ...] = ()
    cron_held: str = ""
    cron_held_since: str = ""
    watch: Watch | None = None
    done: tuple[str, ...] = ()

    def release(self, digest: str) -> PinnedRelease | None:
        """The release with this digest, if it is known."""
        return self.releases.get(digest)

    def latch(self, operation: str, generation: int) -> Ledger:
        """The same with `operation` failed for the spec's `generation`."""
        return replace(self, latched={**self.latched, operation: generation})

    def unlatch(self, operation: str) -> Ledger:
        """The same with `operation` free to run again."""
        return replace(self, latched={key: value for key, value in self.latched.items() if key != operation})

    def with_release(self, pinned: PinnedRelease) -> Ledger:
        """The same, knowing `pinned`, and forgetting releases that nothing refers to."""
        keep = {self.runs, self.wanted, self.previous.digest if self.previous else "", pinned.release.digest}
        known = {digest: one for digest, one in self.releases.items() if digest in keep}
        return replace(self, releases={**known, pinned.release.digest: pinned})

    def finished(self, operation_id: str) -> Ledger:
        """The same with this operation in the list of those that ran."""
        return replace(self, done=(*(one for one in self.done if one != operation_id), operation_id)[-100:])


def dump_ledger(ledger: Ledger) -> dict[str, Any]:
    """JSON of the ledger."""
    value: dict[str, Any] = {item.name: getattr(ledger, item.name) for item in fields(ledger)}
    value["state"] = ledger.state.value
    value["releases"] = {digest: dump_release(one) for digest, one in ledger.releases.items()}
    value["latched"] = dict(ledger.latched)
    value["retries"] = dict(ledger.retries)
    value["done"] = list(ledger.done)
    value["backups"] = asdict(ledger.backups)
    value["verified"] = asdict(ledger.verified)
    value["refreshed"] = asdict(ledger.refreshed)
    value["kept"] = [asdict(one) for one in ledger.kept]
    value["watch"] = asdict(ledger.watch) if ledger.watch else None
    value["previous"] = asdict(ledger.previous) if ledger.previous else None
    return value


def load_ledger(value: Mapping[str, Any] | None) -> Ledger:
    """What `dump_ledger` wrote; an empty ledger for nothing. Unknown keys of a later version are passed over."""
    if not value:
        return Ledger()
    known = {item.name for item in fields(Ledger)}
    given = {key: item for key, item in value.items() if key in known}
    given["state"] = State(given.get("state", State.PROVISIONING))
    given["releases"] = {digest: load_release(one) for digest, one in given.get("releases", {}).items()}
    given["done"] = tuple(given.get("done", ()))
    known = {item.name for item in fields(Backups)}
    given["backups"] = Backups(**{key: item for key, item in given.get("backups", {}).items() if key in known})
    known = {item.name for item in fields(Verified)}
    given["verified"] = Verified(**{key: item for key, item in given.get("verified", {}).items() if key in known})
    known = {item.name for item in fields(Refreshed)}
    given["refreshed"] = Refreshed(**{key: item for key, item in given.get("refreshed", {}).items() if key in known})
    given["kept"] = tuple(Kept(one["operation"], one["since"]) for one in given.get("kept", ()))
    given["watch"] = Watch(**given["watch"]) if given.get("watch") else None
    previous = given.get("previous")
    given["previous"] = (
        Previous(
            previous["digest"],
            previous["operation"],
            OperationType(previous.get("kind", "Upgrade")),
            str(previous.get("cron_held", "")),
            str(previous.get("cron_held_since", "")),
            previous.get("data", True) is True,
        )
        if previous
        else None
    )
    return Ledger(**given)
