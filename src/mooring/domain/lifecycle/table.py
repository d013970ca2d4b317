# SPDX-License-Identifier: Apache-2.0
"""The lifecycle of an instance: everything that decides what runs stands in `TABLE` and `OUTPUTS`.

The lifecycle says what runs; operations change data. The two meet in three facts of the snapshot: whether the database is
initialized, whether an init or an upgrade of exactly this spec failed (latched), and whether a person asked for a stop.
`next_state` reads the table from the top and takes the first row that leads from the present state and whose guard holds;
no row is no change. Since nearly all rows lead from everywhere, the state follows the world whatever was missed between.

The diagram in the documentation is generated from this table, and a test walks every state with every outcome of every
guard: each snapshot leads to one state, every state can be reached, and none is without a way on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What runs."""

    PROVISIONING = "Provisioning"
    INITIALIZING = "Initializing"
    INIT_FAILED = "InitFailed"
    STARTING = "Starting"
    RUNNING = "Running"
    DEGRADED = "Degraded"
    STOPPED = "Stopped"
    UPGRADE_FAILED = "UpgradeFailed"
    DELETING = "Deleting"


@dataclass(frozen=True)
class Snapshot:
    """What the guards read; one moment, from the documents and one observation.

    Attributes:
        deleting: deletion was asked for.
        provisioned: the server answers and the instance's database and role are there.
        initialized: Odoo's tables are there; once true it stays true, whatever the server says now.
        init_wanted: `spec.init.enabled`.
        init_latched: init failed and neither the spec changed nor did a person ask again.
        upgrade_latched: the same for an upgrade.
        stop_wanted: `replicas: 0`, or a Stop that no Start ended.
        ready: every wanted replica of web and cron answers.
        server_ready: the database server answers.
        data_present: the volumes and the database that the instance had are there.
    """

    deleting: bool = False
    provisioned: bool = False
    initialized: bool = False
    init_wanted: bool = True
    init_latched: bool = False
    upgrade_latched: bool = False
    stop_wanted: bool = False
    ready: bool = False
    server_ready: bool = True
    data_present: bool = True


Guard = Callable[[Snapshot], bool]
EVERYWHERE = frozenset(State)


def deletion_asked(seen: Snapshot) -> bool:
    """Deletion was asked for."""
    return seen.deleting


def nothing_to_initialize_yet(seen: Snapshot) -> bool:
    """The database is not there yet, or is empty and is to stay so until data is restored into it."""
    return not seen.initialized and (not seen.provisioned or not seen.init_wanted)


def init_failed_and_is_latched(seen: Snapshot) -> bool:
    """Init failed for this spec."""
    return not seen.initialized and seen.init_latched


def empty_database_waits_for_init(seen: Snapshot) -> bool:
    """An empty database, and init is wanted."""
    return not seen.initialized and seen.provisioned and seen.init_wanted


def stop_is_wanted(seen: Snapshot) -> bool:
    """A person, or `replicas: 0`, wants it stopped."""
    return seen.initialized and seen.stop_wanted


def upgrade_failed_and_is_latched(seen: Snapshot) -> bool:
    """An upgrade to this release failed; what ran before runs."""
    return seen.initialized and seen.upgrade_latched


def everything_answers(seen: Snapshot) -> bool:
    """Every wanted replica answers, on a server that answers."""
    return seen.initialized and seen.ready and seen.server_ready and seen.data_present


def something_stopped_answering(seen: Snapshot) -> bool:
    """It served, and now a part of it does not."""
    return seen.initialized and not (seen.ready and seen.server_ready and seen.data_present)


def data_is_there(seen: Snapshot) -> bool:
    """An initialized instance that nothing above keeps from running."""
    return seen.initialized


@dataclass(frozen=True)
class Transition:
    """One row: from any of `sources` to `target` when `guard` holds."""

    sources: frozenset[State]
    target: State
    guard: Guard


TABLE: tuple[Transition, ...] = (
    Transition(EVERYWHERE, State.DELETING, deletion_asked),
    Transition(EVERYWHERE, State.INIT_FAILED, init_failed_and_is_latched),
    Transition(EVERYWHERE, State.PROVISIONING, nothing_to_initialize_yet),
    Transition(EVERYWHERE, State.INITIALIZING, empty_database_waits_for_init),
    Transition(EVERYWHERE, State.STOPPED, stop_is_wanted),
    Transition(EVERYWHERE, State.UPGRADE_FAILED, upgrade_failed_and_is_latched),
    Transition(EVERYWHERE, State.RUNNING, everything_answers),
    Transition(frozenset({State.RUNNING, State.DEGRADED}), State.DEGRADED, something_stopped_answering),
    Transition(EVERYWHERE, State.STARTING, data_is_there),
)


@dataclass(frozen=True)
class Output:
    """What a state asks for, before any hold takes something away.

    Attributes:
        web: web replicas run.
        cron: cron replicas run.
        operation: the operation that the state starts by itself.
        settled: nothing will change by waiting: a command that waits for the wanted state ends here.
    """

    web: bool
    cron: bool
    operation: str | None = None
    settled: bool = False


OUTPUTS: Mapping[State, Output] = {
    State.PROVISIONING: Output(web=False, cron=False),
    State.INITIALIZING: Output(web=False, cron=False, operation="Init"),
    State.INIT_FAILED: Output(web=False, cron=False, settled=True),
    State.STARTING: Output(web=True, cron=True),
    State.RUNNING: Output(web=True, cron=True, settled=True),
    State.DEGRADED: Output(web=True, cron=True),
    State.STOPPED: Output(web=False, cron=False, settled=True),
    State.UPGRADE_FAILED: Output(web=True, cron=True, settled=True),
    State.DELETING: Output(web=False, cron=False, operation="Delete"),
}


def next_state(state: State, seen: Snapshot) -> State:
    """The state after `state`, given what was seen: the first row that applies, or `state` itself."""
    for row in TABLE:
        if state in row.sources and row.guard(seen):
            return row.target
    return state


def output(state: State) -> Output:
    """What `state` asks for."""
    return OUTPUTS[state]


def is_settled(state: State, seen: Snapshot) -> bool:
    """Whether nothing changes by waiting: an empty database may wait for data; what ran before an upgrade has to run again."""
    if state is State.PROVISIONING:
        return seen.provisioned and not seen.init_wanted
    if state is State.UPGRADE_FAILED:
        return seen.ready
    return OUTPUTS[state].settled


@dataclass(frozen=True)
class Explanation:
    """Why a state is not the wanted one, and the way out of it."""

    reason: str
    message: str
    way_out: str


def explain(state: State, seen: Snapshot) -> Explanation:
    """Say why the instance is in `state`; `reason` is CamelCase and becomes the reason of `Ready`."""
    match state:
        case State.PROVISIONING if seen.provisioned:
            return Explanation(
                "AwaitingData",
                "The database is empty and init is turned off.",
                "Set init.enabled, or restore data into it.",
            )
        case State.PROVISIONING if not seen.server_ready:
            return Explanation(
                "ServerNotReady", "The database server does not answer yet.", "Wait, or look at the server's log."
            )
        case State.PROVISIONING:
            return Explanation("Provisioning", "The database and its role are being made.", "Wait.")
        case State.INITIALIZING:
            return Explanation("Initializing", "Odoo installs its first modules.", "Wait.")
        case State.INIT_FAILED:
            return Explanation(
                "InitFailed",
                "Odoo could not install its first modules; the last operation has the end of its log.",
                "Correct the manifest and apply it, or `mooring operations retry`.",
            )
        case State.STARTING | State.DEGRADED | State.STOPPED | State.UPGRADE_FAILED if not seen.data_present:
            return Explanation(
                "DataMissing",
                "A volume or the database of this instance is gone; nothing is made in its place.",
                "Bring the data back, or restore a backup.",
            )
        case State.STARTING | State.DEGRADED | State.UPGRADE_FAILED if not seen.server_ready:
            return Explanation(
                "ServerNotReady", "The database server does not answer.", "Look at the server; Odoo comes back with it."
            )
        case State.STARTING:
            return Explanation("Starting", "The processes start.", "Wait, or look at `mooring logs`.")
        case State.RUNNING:
            return Explanation("Running", "Every replica answers.", "")
        case State.DEGRADED:
            return Explanation("ReplicaNotReady", "A replica does not answer.", "Look at `mooring logs`.")
        case State.STOPPED:
            return Explanation("Stopped", "It is stopped, as asked.", "`mooring start`, or set replicas.")
        case State.UPGRADE_FAILED if not seen.ready:
            return Explanation(
                "UpgradeFailed",
                "The upgrade failed; code and data are as before, and a replica does not answer yet.",
                "Look at `mooring logs`; correct the release and apply it, or `mooring operations retry`.",
            )
        case State.UPGRADE_FAILED:
            return Explanation(
                "UpgradeFailed",
                "The upgrade failed; code and data are as before, and it runs.",
                "Correct the release and apply it, or `mooring operations retry`.",
            )
        case State.DELETING:
            return Explanation("Deleting", "Its objects are being removed; its data follows the policy.", "Wait.")
