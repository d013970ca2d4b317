# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a manifest, as values: a fault each, and one error that carries them all.

Faults hold no value of a field that may be a secret: it is replaced before the fault is made. Raised by
`mooring.api.loader`; the command line prints `str(error)` or its JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from mooring.errors import UsageError

MAX_RENDERED = 50
"""How many faults the text of an error shows; the error itself carries them all."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in a manifest.

    Attributes:
        source: the file's name as the user gave it.
        line: counted from 1; 0 where the fault has no place.
        column: counted from 1, in characters; 0 where the fault has no place.
        path: `spec.ingress.hosts[0]`; empty for the document or file as a whole.
        value: the bad value as short text, `***` where it may be a secret, None where showing it helps nobody.
        message: what is wrong, without the value.
        allowed: what could stand there instead; empty where that cannot be listed.
        nearest: the known name that is closest to what was written.
    """

    source: str
    line: int
    column: int
    path: str
    message: str
    value: str | None = None
    allowed: tuple[str, ...] = ()
    nearest: str | None = None

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}:{self.column}" if self.line else self.source
        text = f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"
        if self.value is not None:
            text += f" (got {self.value})"
        if self.nearest is not None:
            text += f'; did you mean "{self.nearest}"?'
        if self.allowed:
            text += f"; allowed: {', '.join(self.allowed)}"
        return text


class ManifestError(UsageError):
    """A manifest cannot be read; nothing was changed.

    Args:
        faults: all that is wrong, in the order of the file; at least one.

    Attributes:
        faults: the same, as a tuple.
    """

    code = "MOOR-100"
    reason = "InvalidManifest"
    default_resolution = "Correct the named lines and run the command again; `mooring schema` gives editors all fields."

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        lines = [str(fault) for fault in self.faults[:MAX_RENDERED]]
        hidden = len(self.faults) - len(lines)
        if hidden:
            lines.append(f"… and {hidden} more")
        sources = ", ".join(dict.fromkeys(fault.source for fault in self.faults))
        count = f"{len(self.faults)} fault" + ("" if len(self.faults) == 1 else "s")
        super().__init__(f"{sources}: {count} in the manifest.", details="\n".join(lines))

    def __str__(self) -> str:
        return self.details

    def to_json(self) -> dict[str, Any]:
        """The error object with `faults`: a list of {source, line, column, path, message, value, allowed, nearest}."""
        return {**super().to_json(), "faults": [asdict(fault) for fault in self.faults]}
