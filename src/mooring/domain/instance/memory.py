# SPDX-License-Identifier: Apache-2.0
"""What is written down beside an instance's data, so that it outlives the loss of every record. Pure.

Control lets the target keep it (`Desired.memory`) and changes it with the ledger; `mooring adopt` reads it back. It holds no
secret, and nothing that changes by itself while nothing happens.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from pydantic import ValidationError

from mooring.domain.instance.ledger import Ledger, dump_ledger, load_ledger
from mooring.domain.lifecycle import State

VERSION = 1
# Where they would be read, they are looked at anew or mean nothing any more.
_NOT_KEPT = ("state", "retries")


@dataclass(frozen=True)
class Memory:
    """What was known of an instance when it was written down.

    Attributes:
        ledger: without its state and its retries.
        generation: of the spec then: what is latched holds for one generation.
        operation: the operation in progress that changes data, such as `Upgrade shop-upgrade-…`; empty when there was none.
    """

    ledger: Ledger
    generation: int
    operation: str = ""


def dump_memory(memory: Memory) -> str:
    """JSON in one line; equal for equal memories."""
    known = {key: value for key, value in dump_ledger(memory.ledger).items() if key not in _NOT_KEPT}
    value = {"v": VERSION, "generation": memory.generation, "operation": memory.operation, "ledger": known}
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def load_memory(text: str) -> Memory | None:
    """What `dump_memory` wrote; None for anything else, such as a later version's."""
    try:
        value = json.loads(text)
        if value["v"] != VERSION:
            return None
        return Memory(load_ledger(value["ledger"]), int(value["generation"]), str(value["operation"]))
    except (ValueError, TypeError, KeyError, ValidationError):
        return None


def revive_ledger(memory: Memory, *, runs: bool) -> Ledger:
    """The ledger of an instance whose record is written again, as generation 1.

    Args:
        runs: its processes run: its data is proved. Else its database is looked at again before anything starts.
    """
    latched = {kind: 1 for kind, at in memory.ledger.latched.items() if at == memory.generation}
    kept = replace(memory.ledger, latched=latched, state=State.STARTING if runs else State.PROVISIONING)
    return kept if runs else replace(kept, provisioned="", initialized=False)
