# SPDX-License-Identifier: Apache-2.0
"""What happens with each operation while another runs, written out."""

from __future__ import annotations

from itertools import product

import pytest

from mooring.domain.operations.conflicts import (
    CHANGES_CODE,
    MATRIX,
    READS,
    REPLACES_DATA,
    RUNS,
    SWITCHES,
    Verdict,
    decide_start,
    verdict,
)
from mooring.domain.operations.plan import PHASES, OperationType

T = OperationType
LETTERS = {"=": Verdict.PARALLEL, "q": Verdict.QUEUE, "X": Verdict.REFUSE}

# A row for what runs, a column for what is asked for, both in this order:  = side by side, q queued, X refused.
# fmt: off
ORDER = (
    T.PROVISION, T.INIT, T.UPGRADE, T.BACKUP, T.RESTORE, T.REFRESH, T.MIGRATE, T.STOP, T.START, T.RESTART,
    T.ROLLBACK, T.PROMOTE, T.RELEASE_HOLD, T.VERIFY, T.NEUTRALIZE, T.DEPLOY, T.EXPIRE, T.DELETE,
)
EXPECTED = """
            Pr In Up Ba Rs Rf Mi Sp St Rt Rb Pm Rh Ve Ne Dp Ex De
Provision   q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q
Init        X  X  q  X  X  X  X  q  q  q  X  q  q  X  X  q  X  q
Upgrade     q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q
Backup      q  q  q  X  q  q  q  =  =  =  q  q  q  =  q  q  =  q
Restore     X  X  q  X  X  X  X  q  q  q  X  q  q  X  X  q  X  q
Refresh     X  X  q  X  X  X  X  q  q  q  X  q  q  X  X  q  X  q
Migrate     X  X  q  X  X  X  X  q  q  q  X  q  q  X  X  q  X  q
Stop        q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q
Start       q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q
Restart     q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q
Rollback    X  X  q  X  X  X  X  q  q  q  X  q  q  X  X  q  X  q
Promote     q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q
ReleaseHold q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q
Verify      q  q  q  =  q  q  q  =  =  =  q  q  q  X  q  q  =  q
Neutralize  X  X  q  X  X  X  X  q  q  q  X  q  q  X  X  q  X  q
Deploy      q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q  q
Expire      q  q  q  =  q  q  q  =  =  =  q  q  q  =  q  q  X  q
Delete      X  X  X  X  X  X  X  X  X  X  X  X  X  X  X  X  X  X
"""
# fmt: on


def _expected() -> dict[tuple[OperationType, OperationType], Verdict]:
    rows = [line.split() for line in EXPECTED.strip().splitlines()[1:]]
    return {(T(row[0]), asked): LETTERS[letter] for row in rows for asked, letter in zip(ORDER, row[1:], strict=True)}


def test_matrix_is_the_table_written_here() -> None:
    assert set(ORDER) == set(OperationType)
    differences = {pair: MATRIX[pair] for pair, wanted in _expected().items() if MATRIX[pair] is not wanted}
    assert differences == {}


def test_matrix_has_a_verdict_for_every_pair() -> None:
    pairs = product(OperationType, OperationType)
    assert set(MATRIX) == set(pairs)
    assert all(one is verdict(*pair) for pair, one in MATRIX.items())


def test_groups_hold_every_operation_once_but_delete() -> None:
    groups = [READS, REPLACES_DATA, CHANGES_CODE, RUNS, SWITCHES]
    assert sorted(one for group in groups for one in group) == sorted(set(OperationType) - {T.DELETE})


def test_every_operation_has_a_phase_of_its_own() -> None:
    assert set(PHASES) == set(OperationType)
    assert len(set(PHASES.values())) == len(PHASES)


@pytest.mark.parametrize("running", OperationType, ids=str)
def test_no_operation_runs_beside_itself(running: OperationType) -> None:
    assert MATRIX[running, running] is not Verdict.PARALLEL


def test_only_reads_run_beside_anything() -> None:
    beside = {running for (running, _), one in MATRIX.items() if one is Verdict.PARALLEL}
    assert beside == READS


def test_two_reads_agree_whichever_came_first() -> None:
    assert all(MATRIX[one, other] is MATRIX[other, one] for one, other in product(READS, repeat=2))


def test_two_that_replace_data_refuse_each_other() -> None:
    replacing = REPLACES_DATA - {T.PROVISION}
    assert {MATRIX[one, other] for one in replacing for other in REPLACES_DATA} == {Verdict.REFUSE}


def test_what_is_asked_for_together_with_a_new_instance_waits_for_its_place() -> None:
    assert {MATRIX[T.PROVISION, asked] for asked in OperationType} == {Verdict.QUEUE}


@pytest.mark.parametrize("asked", OperationType, ids=str)
def test_nothing_starts_behind_a_deletion_and_a_deletion_waits(asked: OperationType) -> None:
    assert MATRIX[T.DELETE, asked] is Verdict.REFUSE
    assert asked is T.DELETE or MATRIX[asked, T.DELETE] is Verdict.QUEUE


@pytest.mark.parametrize(
    ("running", "asked", "wanted"),
    [
        pytest.param([], T.RESTORE, Verdict.PARALLEL, id="nothing-runs"),
        pytest.param([T.BACKUP], T.VERIFY, Verdict.PARALLEL, id="beside-a-read"),
        pytest.param([T.BACKUP, T.VERIFY], T.STOP, Verdict.PARALLEL, id="beside-two-reads"),
        pytest.param([T.BACKUP, T.STOP], T.VERIFY, Verdict.QUEUE, id="one-queues"),
        pytest.param([T.BACKUP, T.STOP], T.BACKUP, Verdict.REFUSE, id="one-refuses-one-queues"),
        pytest.param([T.STOP, T.BACKUP], T.BACKUP, Verdict.REFUSE, id="order-does-not-matter"),
        pytest.param([T.VERIFY, T.DELETE], T.BACKUP, Verdict.REFUSE, id="one-refuses-one-beside"),
    ],
)
def test_decide_start_takes_the_strictest(running: list[OperationType], asked: OperationType, wanted: Verdict) -> None:
    assert decide_start(running, asked) is wanted
    assert decide_start(iter(running), asked) is wanted
