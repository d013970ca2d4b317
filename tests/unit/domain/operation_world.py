# SPDX-License-Identifier: Apache-2.0
"""A tiny world in which an operation runs: tasks by name, replicas that follow the hold, a clock, and kills.

It carries out each move of `advance` as the runner would, and fails the test as soon as a move breaks a safety rule.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.observed import Observed, Replica, WorkloadSeen
from mooring.domain.operations.advance import advance
from mooring.domain.operations.journal import StepRecord, dump_record, load_records
from mooring.domain.operations.moves import Cancel, Clear, Finished, Move, Purge, Record, Seen, Serve, Start, Wait
from mooring.domain.operations.plan import (
    NO_HOLD,
    Action,
    Hold,
    Note,
    OperationType,
    Plan,
    RunTask,
    Step,
)
from mooring.domain.operations.progress import current_task, hold
from mooring.domain.task import TaskSpec, TaskState

SHOP = Ref("OdooInstance", "default", "shop")
START = datetime(2026, 1, 1, tzinfo=UTC)
POLL = timedelta(seconds=30)
MOST_MOVES = 600

Outcome = Literal["ok", "fail", "never"]
Loss = Literal["before", "after"]


def task(stem: str) -> RunTask:
    """A task that does nothing but end."""
    return RunTask(TaskSpec(stem, SHOP, Identity("here", "shop-1"), ("true",)))


def step(
    name: str,
    *,
    action: Action | None = None,
    undo: bool = False,
    undo_attempts: int = 1,
    attempts: int = 1,
    hold: Hold = NO_HOLD,
) -> Step:
    """A step that runs the task `NAME`, taken back by the task `undo-NAME`."""
    back = Step(f"undo-{name}", "test", task(f"undo-{name}"), attempts=undo_attempts) if undo else None
    return Step(name, "test", action or task(name), hold=hold, undo=back, attempts=attempts)


def plan(*steps: Step, cleanup: tuple[Step, ...] = (), no_return: str | None = None) -> Plan:
    """A plan of these steps."""
    return Plan(OperationType.UPGRADE, steps, cleanup, no_return)


def note(name: str) -> Step:
    """A step without an effect outside."""
    return Step(name, "test", Note())


@dataclass
class World:
    """One operation and what it acts on.

    Attributes:
        outcomes: how each task ends, by its name with the attempt; `ok` if it is not named.
        cancel_at: number of the move from which a person wants it cancelled.
        kills: numbers of moves at which the runner dies: before it carried the move out, or after.
        dying: roles whose replicas end again and again.
        stubborn: roles whose replicas never go.
    """

    plan: Plan
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    cancel_at: int | None = None
    kills: Mapping[int, Loss] = field(default_factory=dict)
    dying: Collection[str] = ()
    stubborn: Collection[str] = ()
    retries: int = 0

    log: list[StepRecord] = field(default_factory=list)
    now: datetime = START
    moves: list[Move] = field(default_factory=list)
    made: Counter[str] = field(default_factory=Counter)
    tasks: dict[str, TaskState] = field(default_factory=dict)
    present: dict[str, bool] = field(default_factory=lambda: {"web": True, "cron": True})
    purged: bool = False
    live: bool = False

    def run(self) -> Finished:
        """Move until it is over."""
        for _ in range(MOST_MOVES):
            move = self.move()
            if isinstance(move, Finished):
                return move
        raise AssertionError(f"no end after {MOST_MOVES} moves: {self.states()}")

    def move(self) -> Move:
        """One pass of the runner: look, decide, carry out, or die on the way."""
        seen = self.look()
        move = advance(self.plan, self.log, seen, self.now)
        assert advance(self.plan, tuple(self.log), seen, self.now) == move, "not deterministic"
        kill = self.kills.get(len(self.moves))
        self.moves.append(move)
        self._check(move)
        if kill != "before":
            self._carry_out(move)
        if kill:
            self._restart()
        self.now += timedelta(milliseconds=1)
        return move

    def look(self) -> Seen:
        """What the runner sees in this pass."""
        name = current_task(self.log)
        known = {name: self.tasks[name]} if name in self.tasks else {}
        workloads = {role: WorkloadSeen(role, self._replicas(role)) for role in self.present}
        return Seen(
            Observed(SHOP, self.now, live=self.live, workloads=workloads),
            known,
            pending=any(self.present[role] is not wanted for role, wanted in self._wanted().items()),
            purged=self.purged,
            cancelled=self.cancel_at is not None and len(self.moves) >= self.cancel_at,
            retries=self.retries,
        )

    def states(self) -> list[str]:
        """The journal, one word pair a record."""
        return [f"{record.step} {record.state}" for record in self.log]

    def started(self) -> list[str]:
        """The tasks that were made, in order."""
        return list(self.made)

    def _carry_out(self, move: Move) -> None:
        self.purged = isinstance(move, Purge)
        self.live = False
        match move:
            case Record(record):
                self.log.append(record)
            case Start(spec):
                self._start(spec)
            case Cancel(name):
                self.tasks[name] = TaskState("failed", exit_code=143)
            case Wait():
                self.live = move.live
                self._time_passes()
            case Purge() | Finished():
                pass
            case Serve() | Clear():
                raise AssertionError("a drill's own server is carried out by the simulated machine alone")

    def _start(self, spec: TaskSpec) -> None:
        if spec.name in self.tasks:
            self.tasks[spec.name] = TaskState("running")
            return
        self.made[spec.name] += 1
        self.tasks[spec.name] = TaskState("pending")

    def _time_passes(self) -> None:
        self.now += POLL
        for role, wanted in self._wanted().items():
            self.present[role] = wanted or role in self.stubborn
        for name, state in self.tasks.items():
            if state.phase in ("pending", "running"):
                self.tasks[name] = self._end(name)

    def _end(self, name: str) -> TaskState:
        match self.outcomes.get(name, "ok"):
            case "ok":
                return TaskState("succeeded", exit_code=0, result={"of": name})
            case "fail":
                return TaskState(
                    "failed", exit_code=1, error={"reason": "Broke", "brief": name}, log_tail=f"log {name}"
                )
            case "never":
                error = {"reason": "Broke", "brief": name, "retry": "never"}
                return TaskState("failed", exit_code=1, error=error, log_tail=f"log {name}")

    def _restart(self) -> None:
        """The runner comes back later with nothing but the stored journal, while the world went on."""
        self.log = list(load_records(json.loads(json.dumps([dump_record(record) for record in self.log]))))
        self.purged = self.live = False
        self._time_passes()

    def _wanted(self) -> dict[str, bool]:
        now = hold(self.plan, self.log)
        return {"web": not now.web, "cron": not now.cron}

    def _replicas(self, role: str) -> tuple[Replica, ...]:
        if not self.present[role]:
            return ()
        dies = role in self.dying
        return (Replica(f"{role}-0", running=True, ready=not dies, restarts=3 * dies, log_tail="why" * dies),)

    def _check(self, move: Move) -> None:
        now = hold(self.plan, self.log)
        if isinstance(move, Finished):
            assert now == NO_HOLD or move.outcome == "stuck"
            return
        steps = {one.name: one for one in self.plan.steps}
        if self.log and self.log[-1].step in steps:
            last = self.log[-1]
            if last.state == "intended":
                assert covers(now, steps[last.step].hold), f"{now} is weaker than the hold of {last.step}"
            if last.state == "undoing":
                begun = [steps[one.step].hold for one in self.log if one.state == "intended" and one.step in steps]
                assert all(now.web >= one.web and now.cron >= one.cron for one in begun), "hold let go during undo"
        if isinstance(move, Start):
            busy = [name for name, state in self.tasks.items() if state.phase in ("pending", "running")]
            assert set(busy) <= {move.task.name}, f"{move.task.name} beside {busy}"
            ended = self.tasks.get(move.task.name, TaskState("absent")).phase in ("succeeded", "failed")
            assert not ended, f"{move.task.name} a second time"


def covers(now: Hold, needed: Hold) -> bool:
    """Whether `now` forbids at least what `needed` does."""
    release = not needed.release or now.release == needed.release
    return now.web >= needed.web and now.cron >= needed.cron and release


def run(of: Plan, **given: object) -> tuple[Finished, World]:
    """Run a plan to its end."""
    world = World(of, **given)  # type: ignore[arg-type]  # the fields of World, checked by its constructor
    return world.run(), world
