# SPDX-License-Identifier: Apache-2.0
"""Amounts as users write them: processor time, bytes and lengths of time, each with one strict reading.

Kubernetes' quantities (`500m`, `2`, `2Gi`, `1500M`) become exact integers and `24h`-like lengths of time become seconds;
nothing is rounded, and what does not fit is refused. Used by the models; `domain` reads `.millicores`, `.bytes`, `.seconds`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_DECIMAL = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
_DURATION_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_MAX_BYTES = 2**63 - 1
_MAX_MILLICORES = 1_000_000_000
_MAX_SECONDS = 100 * 366 * 86_400


class _Written:
    """Shared pydantic glue: a value that is read from text or a number and written back as its canonical text."""

    __slots__ = ()

    json_schema: ClassVar[dict[str, Any]] = {}

    @classmethod
    def parse(cls, value: object) -> Self:
        raise NotImplementedError

    @classmethod
    def _validate(cls, value: object) -> Self:
        if isinstance(value, cls):
            return value
        try:
            return cls.parse(value)
        except ValueError as error:
            raise PydanticCustomError("mooring", "{text}", {"text": str(error)}) from None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(cls.json_schema)


def _number_text(value: object, what: str) -> str:
    """The text of a number or string; booleans, maps and lists are refused."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"expected {what}")  # noqa: TRY004 - pydantic reads ValueError
    text = str(value).strip()
    if len(text) > 40:
        raise ValueError(f"expected {what}")
    return text


def _exact(number: str, factor: int) -> int | None:
    """`number` times `factor`, or None where that is no whole number."""
    product = Decimal(number) * factor
    return int(product) if product == product.to_integral_value() else None


@dataclass(frozen=True, slots=True)
class Cpu(_Written):
    """Processor time: `2` are two cores, `500m` half a core.

    Attributes:
        millicores: thousandths of a core, more than 0.
    """

    millicores: int

    json_schema: ClassVar[dict[str, Any]] = {
        "anyOf": [
            {"type": "string", "pattern": r"^((0|[1-9][0-9]*)m|(0|[1-9][0-9]*)(\.[0-9]{1,3})?)$"},
            {"type": "number", "exclusiveMinimum": 0},
        ]
    }

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read `2`, `0.5`, `"500m"`. Raises ValueError for anything else, for 0 and for less than a thousandth."""
        what = "processor time such as 2, 0.5 or 500m"
        text = _number_text(value, what)
        match = re.fullmatch(r"(0|[1-9][0-9]{0,11})m|((?:0|[1-9][0-9]{0,8})(?:\.[0-9]+)?)", text, re.ASCII)
        if match is None:
            raise ValueError(f"expected {what}")
        millicores = int(match[1]) if match[1] else _exact(match[2], 1000)
        if millicores is None:
            raise ValueError("processor time has no part smaller than a thousandth of a core (1m)")
        if not 0 < millicores <= _MAX_MILLICORES:
            raise ValueError("processor time must be more than 0 and at most a million cores")
        return cls(millicores)

    def __str__(self) -> str:
        whole, rest = divmod(self.millicores, 1000)
        return f"{self.millicores}m" if rest else str(whole)


@dataclass(frozen=True, slots=True)
class Size(_Written):
    """An amount of memory or storage: `2Gi` is two times 1024³ bytes, `2G` two times 1000³, `2` is two bytes.

    Attributes:
        bytes: more than 0.
        binary: whether it is written back with a unit of 1024; no part of equality.
    """

    bytes: int
    binary: bool = field(default=True, compare=False)

    json_schema: ClassVar[dict[str, Any]] = {
        "anyOf": [
            {"type": "string", "pattern": r"^(0|[1-9][0-9]*)(\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|Ei|k|M|G|T|P|E)?$"},
            {"type": "integer", "exclusiveMinimum": 0},
        ]
    }

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read `2Gi`, `1.5G`, `1048576`. Raises ValueError for anything else, for 0 and for parts of a byte."""
        what = "an amount such as 2Gi, 512Mi or 10G"
        text = _number_text(value, what)
        match = re.fullmatch(r"((?:0|[1-9][0-9]{0,18})(?:\.[0-9]{1,18})?)([A-Za-z]{0,2})", text, re.ASCII)
        if match is None:
            raise ValueError(f"expected {what}")
        number, unit = match[1], match[2]
        factor = 1 if not unit else _BINARY.get(unit) or _DECIMAL.get(unit)
        if factor is None:
            units = ", ".join([*_BINARY, *_DECIMAL])
            raise ValueError(f"unknown unit; expected {what} (units: {units}, or none for bytes)")
        size = _exact(number, factor)
        if size is None:
            raise ValueError("an amount is a whole number of bytes")
        if not 0 < size <= _MAX_BYTES:
            raise ValueError("an amount must be more than 0 and less than 8Ei")
        return cls(size, unit not in _DECIMAL)

    def __str__(self) -> str:
        units = _BINARY if self.binary else _DECIMAL
        for unit, factor in reversed(units.items()):
            if self.bytes % factor == 0:
                return f"{self.bytes // factor}{unit}"
        return str(self.bytes)


@dataclass(frozen=True, slots=True)
class Duration(_Written):
    """A length of time: `90s`, `10m`, `24h`, `14d`, `2w`, or several units from long to short as in `1h30m`.

    A day is 24 hours. There are no months or years: their length varies.

    Attributes:
        seconds: 0 or more, at most a hundred years.
        written: as the user wrote it; no part of equality.
    """

    seconds: int
    written: str = field(default="", compare=False)

    json_schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": r"^([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$",
        "minLength": 2,
    }

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read `24h`. Raises ValueError for anything else, also for a number without a unit."""
        what = "a length of time such as 90s, 10m, 24h or 14d"
        if not isinstance(value, str):
            raise ValueError(f"expected {what}, with its unit")  # noqa: TRY004 - pydantic reads ValueError
        pattern = "".join(f"(?:([0-9]{{1,10}}){unit})?" for unit in _DURATION_UNITS)
        match = re.fullmatch(pattern, value, re.ASCII)
        if match is None or not value:
            raise ValueError(f"expected {what}")
        seconds = sum(
            int(count) * factor for count, factor in zip(match.groups("0"), _DURATION_UNITS.values(), strict=True)
        )
        if seconds > _MAX_SECONDS:
            raise ValueError("a length of time is at most a hundred years")
        return cls(seconds, value)

    @property
    def timedelta(self) -> timedelta:
        """The same for `datetime` arithmetic."""
        return timedelta(seconds=self.seconds)

    def __str__(self) -> str:
        return self.written or f"{self.seconds}s"
