# SPDX-License-Identifier: Apache-2.0
"""Plain YAML words to values by YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema).

Called by `mooring.api.nodes` for words without quotes and tag.
"""

from __future__ import annotations

import math
import re
from typing import Any, Self

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})|0o[0-7]{1,20}|0x[0-9a-fA-F]{1,15}", re.ASCII)
_FLOAT = re.compile(r"(?=.*[.eE])[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)


class WrittenFloat(float):
    """A number with a decimal point whose text is what the user wrote: `1.10` stays `1.10`."""

    written: str

    def __new__(cls, written: str) -> Self:
        """Read the text of a number; ValueError where it is none."""
        number = super().__new__(cls, written)
        number.written = written
        return number

    def __str__(self) -> str:
        return self.written


def resolve_scalar(text: str) -> Any:
    """None, a boolean, an integer, a `WrittenFloat` or the text itself.

    Narrower than the core schema where it surprises: integers with a leading zero or of more than 18 digits, infinities
    and what is no number stay text.
    """
    if text in {"", "~", "null", "Null", "NULL"}:
        return None
    if text in {"true", "True", "TRUE"}:
        return True
    if text in {"false", "False", "FALSE"}:
        return False
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    if len(text) <= 40 and _FLOAT.fullmatch(text):
        number = WrittenFloat(text)
        return number if math.isfinite(number) else text
    return text
