# SPDX-License-Identifier: Apache-2.0
"""Which operation begins next: one row a situation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mooring.domain.instance.ledger import Ledger, Previous
from mooring.domain.lifecycle import State, output
from mooring.domain.operations.build import BUILDERS
from mooring.domain.operations.choose import Asked, Begin, Choice, Create, Refuse, decide_next
from mooring.domain.operations.plan import OperationType
from tests.unit.domain.instance.subjects import ledger, release

PLACE = "DatabaseServer default/default_shop"
RUNS = release().release.digest
T = OperationType
EMPTY = replace(Ledger(), provisioned=PLACE)


def choose(state: State = State.RUNNING, **given: Any) -> Choice:
    """The choice for an instance that runs and lacks nothing, with these differences."""
    base: dict[str, Any] = {
        "ledger": ledger(),
        "output": output(state),
        "running": (),
        "stuck": False,
        "waiting": (),
        "place": PLACE,
        "rotated": False,
        "provisionable": True,
        "wanted": RUNS,
        "auto_upgrade": True,
        "generation": 3,
    }
    return decide_next(**{**base, **given})


def asked(kind: OperationType, *, due: bool = True) -> Asked:
    """A person asked for it."""
    return Asked("key", kind, due)


NOTHING: dict[str, dict[str, Any]] = {
    "nothing to do": {},
    "upgrade, failed for this spec": {"wanted": "sha256:new", "ledger": ledger(latched={"Upgrade": 3})},
    "upgrade, rolled back by a person": {"wanted": "sha256:new", "ledger": ledger(latched={"Rollback": 3})},
    "upgrade, not by itself": {"wanted": "sha256:new", "auto_upgrade": False},
    "upgrade, release unknown": {"wanted": ""},
    "upgrade, server away": {"wanted": "sha256:new", "provisionable": False},
    "upgrade, data gone": {"wanted": "sha256:new", "intact": False},
    "upgrade, another operation runs": {"wanted": "sha256:new", "running": (T.RESTART,)},
    "upgrade, another operation is stuck": {"wanted": "sha256:new", "stuck": True},
    "rotation, data gone": {"rotated": True, "intact": False},
    "provision, server away": {"state": State.PROVISIONING, "ledger": Ledger(), "provisionable": False},
    "init, latched": {"state": State.INIT_FAILED, "ledger": EMPTY},
    "asked, later": {"waiting": (asked(T.STOP, due=False),)},
    "asked, stuck": {"waiting": (asked(T.STOP),), "stuck": True},
    "asked, waits its turn": {"waiting": (asked(T.STOP),), "running": (T.UPGRADE,)},
    "upgrade asked, release unknown yet": {"waiting": (asked(T.UPGRADE),), "wanted": ""},
    "provision of a life that ended, release unknown yet": {
        "state": State.PROVISIONING,
        "ledger": Ledger(),
        "waiting": (asked(T.PROVISION),),
        "place": "",
        "provisionable": False,
    },
    "init of a life that ended, release unknown yet": {
        "state": State.INITIALIZING,
        "ledger": EMPTY,
        "waiting": (asked(T.INIT),),
        "place": "",
        "provisionable": False,
    },
    "deletion waits for what runs": {"state": State.DELETING, "running": (T.UPGRADE,)},
    "deletion that failed has its pause": {"state": State.DELETING, "deletable": False},
}


@pytest.mark.parametrize("given", NOTHING.values(), ids=NOTHING.keys())
def test_nothing_begins(given: dict[str, Any]) -> None:
    assert choose(**given) is None


CREATED: dict[str, tuple[dict[str, Any], OperationType]] = {
    "nothing there": ({"state": State.PROVISIONING, "ledger": Ledger()}, T.PROVISION),
    "database of another place": (
        {"state": State.PROVISIONING, "ledger": replace(Ledger(), provisioned="elsewhere")},
        T.PROVISION,
    ),
    "empty database": ({"state": State.INITIALIZING, "ledger": EMPTY}, T.INIT),
    "password rotated": ({"rotated": True}, T.PROVISION),
    "new release": ({"wanted": "sha256:new"}, T.UPGRADE),
    "new release after one that failed": (
        {"wanted": "sha256:new", "ledger": ledger(latched={"Upgrade": 2, "Rollback": 1})},
        T.UPGRADE,
    ),
    "new release while stopped": ({"state": State.STOPPED, "wanted": "sha256:new"}, T.UPGRADE),
    "deletion": ({"state": State.DELETING}, T.DELETE),
    "deletion past what is stuck": ({"state": State.DELETING, "stuck": True}, T.DELETE),
    "deletion without the data": ({"state": State.DELETING, "intact": False}, T.DELETE),
    "deletion without the release": ({"state": State.DELETING, "wanted": "", "blocked": "gone"}, T.DELETE),
}


@pytest.mark.parametrize(("given", "kind"), CREATED.values(), ids=CREATED.keys())
def test_state_asks_for_an_operation_by_itself(given: dict[str, Any], kind: OperationType) -> None:
    choice = choose(**given)
    assert isinstance(choice, Create)
    assert choice.type is kind


BEGUN: dict[str, dict[str, Any]] = {
    "stop": {"waiting": (asked(T.STOP),)},
    "stop while the release cannot be had": {"waiting": (asked(T.STOP),), "blocked": "gone", "wanted": ""},
    "stop while the data is gone": {"waiting": (asked(T.STOP),), "intact": False},
    "upgrade to the same release": {"waiting": (asked(T.UPGRADE),)},
    "upgrade although it failed": {"waiting": (asked(T.UPGRADE),), "ledger": ledger(latched={"Upgrade": 3})},
    "rollback": {"waiting": (asked(T.ROLLBACK),), "ledger": ledger(previous=Previous(RUNS, "op"))},
    "init after it failed": {"waiting": (asked(T.INIT),), "ledger": EMPTY, "state": State.INIT_FAILED},
    "the later one first waits for its time": {"waiting": (asked(T.STOP, due=False), asked(T.RESTART))},
}


@pytest.mark.parametrize("given", BEGUN.values(), ids=BEGUN.keys())
def test_what_a_person_asked_for_begins(given: dict[str, Any]) -> None:
    choice = choose(**given)
    assert isinstance(choice, Begin)
    assert choice.asked == next(one for one in given["waiting"] if one.due)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    **{f"{kind} during a deletion": ({"waiting": (asked(kind),), "state": State.DELETING}, "Deleting") for kind in T},
    **{f"{kind} is for later": ({"waiting": (asked(kind),)}, "NotSupported") for kind in T if kind not in BUILDERS},
    **{
        f"{kind} before there is data": ({"waiting": (asked(kind),), "ledger": Ledger()}, "NotInitialized")
        for kind in (T.UPGRADE, T.STOP, T.START, T.RESTART, T.ROLLBACK)
    },
    **{
        f"{kind} without its volume": (
            {"waiting": (asked(kind),), "intact": False, "ledger": ledger(previous=Previous(RUNS, "op"))},
            "DataMissing",
        )
        for kind in (T.UPGRADE, T.START, T.RESTART, T.ROLLBACK)
    },
    "nothing to return to": ({"waiting": (asked(T.ROLLBACK),)}, "NothingToReturnTo"),
    "init of what is initialized": ({"waiting": (asked(T.INIT),)}, "AlreadyInitialized"),
    "upgrade to what cannot be had": (
        {"waiting": (asked(T.UPGRADE),), "wanted": "", "blocked": "no registry has it"},
        "ReleaseNotAvailable",
    ),
    "rollback during a rollback": (
        {
            "waiting": (asked(T.ROLLBACK),),
            "running": (T.ROLLBACK,),
            "ledger": ledger(previous=Previous(RUNS, "op")),
        },
        "OperationExcluded",
    ),
}


@pytest.mark.parametrize(("given", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_carried_out_is_refused_with_its_reason(given: dict[str, Any], reason: str) -> None:
    choice = choose(**given)
    assert isinstance(choice, Refuse)
    assert choice.reason == reason
    assert choice.brief.endswith((".", "it"))
