# SPDX-License-Identifier: Apache-2.0
"""Points in time as RFC 3339 text: read strictly, kept in UTC, written back with `Z`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)


def format_time(moment: datetime) -> str:
    """An aware time as RFC 3339 text in UTC, such as `2026-01-31T22:00:00Z`; parts of a second only where there are."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """The time in UTC that RFC 3339 text means. Raises ValueError for anything else, also without a time zone."""
    if not _RFC3339.fullmatch(text):
        raise ValueError("expected a time with its time zone such as 2026-01-31T22:00:00Z")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("no such time; expected one such as 2026-01-31T22:00:00Z") from None


class _TimestampReader:
    @staticmethod
    def _validate(value: object) -> datetime:
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(UTC)
        try:
            return parse_time(value if isinstance(value, str) else "")
        except ValueError as error:
            raise PydanticCustomError("mooring_text", "{text}", {"text": str(error)}) from None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(format_time)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


Timestamp = Annotated[datetime, _TimestampReader]
