# SPDX-License-Identifier: Apache-2.0
"""Which operations of one instance exclude each other, which wait, and which run side by side.

The matrix is data: one row for what runs, one column for what is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

from mooring.domain.operations.plan import OperationType


class Verdict(Enum):
    """What happens with the operation that is asked for."""

    PARALLEL = "parallel"
    QUEUE = "queue"
    REFUSE = "refuse"


_T = OperationType
# They leave what is current alone: users, and whoever looks at them, need not know.
READS = frozenset({_T.BACKUP, _T.VERIFY, _T.EXPIRE})
REPLACES_DATA = frozenset({_T.PROVISION, _T.INIT, _T.RESTORE, _T.REFRESH, _T.MIGRATE, _T.NEUTRALIZE, _T.ROLLBACK})
CHANGES_CODE = frozenset({_T.UPGRADE, _T.DEPLOY})
RUNS = frozenset({_T.STOP, _T.START, _T.RESTART})
SWITCHES = frozenset({_T.PROMOTE, _T.RELEASE_HOLD})


def verdict(running: OperationType, asked: OperationType) -> Verdict:
    """What happens with `asked` while `running` runs.

    - Nothing starts beside or behind a deletion; a deletion waits for what runs.
    - Two reads run side by side: a backup never stops anything. What removes an old pair only waits for others, and nothing
      that may return to a pair begins beside it.
    - While data is replaced, reading it or replacing it again is refused: its result would be a surprise. Making the place
      for it replaces none: what is asked for together with a new instance comes after.
    - Everything else waits its turn.
    """
    if running is _T.DELETE:
        return Verdict.REFUSE
    if running in READS and asked in READS:
        return Verdict.REFUSE if running is asked else Verdict.PARALLEL
    if running in READS and asked in RUNS:
        return Verdict.PARALLEL
    if running is not _T.PROVISION and running in REPLACES_DATA and (asked in READS or asked in REPLACES_DATA):
        return Verdict.REFUSE
    return Verdict.QUEUE


MATRIX: Mapping[tuple[OperationType, OperationType], Verdict] = {
    (running, asked): verdict(running, asked) for running in OperationType for asked in OperationType
}


def decide_start(running: Iterable[OperationType], asked: OperationType) -> Verdict:
    """The strictest verdict over everything that runs."""
    verdicts = {MATRIX[one, asked] for one in running}
    for strict in (Verdict.REFUSE, Verdict.QUEUE):
        if strict in verdicts:
            return strict
    return Verdict.PARALLEL
