# SPDX-License-Identifier: Apache-2.0
"""What runs: states, and the table that leads from one to the next."""

from mooring.domain.lifecycle.table import (
    TABLE,
    Output,
    Snapshot,
    State,
    Transition,
    explain,
    is_settled,
    next_state,
    output,
)

__all__ = ["TABLE", "Output", "Snapshot", "State", "Transition", "explain", "is_settled", "next_state", "output"]
