# SPDX-License-Identifier: Apache-2.0
"""Kinds of text and number that fields hold: names, hosts, URLs, schedules and the like, each with its rule.

Each is an annotated type: pydantic reads it, the JSON Schema shows its pattern, and its message says what is expected.
No text holds a control character (so no line break) unless its type says so. Imported by the models only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from mooring.api import checks

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class Text:
    """How a text must look.

    Attributes:
        expected: what is expected, in words, for the message.
        pattern: a regular expression (ECMAScript-compatible) for the whole text.
        shortest: characters, at least.
        longest: characters, at most.
        check: a further rule; returns the text in its canonical form or raises ValueError with what is wrong.
        shown_pattern: a pattern for the schema alone, where `check` says better what is wrong.
        lines: whether line breaks and tabs may be in it.
    """

    expected: str
    pattern: str | None = None
    shortest: int = 1
    longest: int = 1024
    check: Callable[[str], str] | None = None
    shown_pattern: str | None = None
    lines: bool = False

    def validate(self, value: str) -> str:
        """The text in its canonical form; PydanticCustomError where it breaks the rule."""
        if not self.lines and (found := _CONTROL.search(value)):
            what = "a line break" if found[0] in "\r\n\x85\u2028\u2029" else "a control character"
            self._refuse(f"contains {what}; expected {self.expected}")
        if len(value) < self.shortest:
            self._refuse(f"is empty; expected {self.expected}" if not value else f"too short; expected {self.expected}")
        if len(value) > self.longest:
            self._refuse(f"is longer than {self.longest} characters; expected {self.expected}")
        if self.pattern is not None and not re.search(self.pattern, value, re.ASCII):
            self._refuse(f"expected {self.expected}")
        if self.check is None:
            return value
        try:
            return self.check(value)
        except ValueError as error:
            self._refuse(str(error))
            raise AssertionError("unreachable") from error

    @staticmethod
    def _refuse(text: str) -> None:
        raise PydanticCustomError("mooring_text", "{text}", {"text": text})

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.validate, core_schema.str_schema(strict=True))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        shown: dict[str, Any] = {"type": "string"}
        if self.shortest:
            shown["minLength"] = self.shortest
        shown["maxLength"] = self.longest
        if self.pattern or self.shown_pattern:
            shown["pattern"] = self.pattern or self.shown_pattern
        return shown


Line = Annotated[str, Text("one line of text")]
OptionalLine = Annotated[str, Text("one line of text", shortest=0, longest=4096)]
LongText = Annotated[str, Text("text", shortest=0, longest=262_144, lines=True)]
SqlText = Annotated[str, Text("an SQL statement", longest=65_536, lines=True)]

ResourceName = Annotated[
    str,
    Text(
        "a name of at most 40 lower-case letters, digits and hyphens that starts with a letter and ends with none of "
        "the hyphens",
        pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$",
        longest=40,
    ),
]
Namespace = Annotated[
    str,
    Text(
        "a namespace of at most 63 lower-case letters, digits and hyphens, with a letter or digit at both ends",
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        longest=63,
    ),
]
AllowedNamespace = Annotated[
    str,
    Text(
        "a namespace, or * for all",
        pattern=r"^(\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)$",
        longest=63,
    ),
]
ObjectName = Annotated[
    str,
    Text(
        "the name of an object: lower-case letters, digits, hyphens and dots, with a letter or digit at both ends",
        pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$",
        longest=253,
    ),
]
SecretKey = Annotated[
    str, Text("a key: letters, digits, hyphens, underscores and dots", pattern=r"^[-._a-zA-Z0-9]+$", longest=253)
]
QualifiedKey = Annotated[
    str,
    Text(
        "a key such as team or example.com/team",
        pattern=r"^([a-z0-9]([-.a-z0-9]*[a-z0-9])?/)?[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$",
        longest=317,
    ),
]
LabelValue = Annotated[
    str,
    Text(
        "a label's value: at most 63 letters, digits, hyphens, underscores and dots, with a letter or digit at both ends",
        pattern=r"^([A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?)?$",
        shortest=0,
        longest=63,
    ),
]
VolumeName = Annotated[
    str,
    Text("a volume's name", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", longest=253),
]
EnvName = Annotated[
    str, Text("a variable's name: letters, digits and underscores", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", longest=255)
]
ModuleName = Annotated[
    str,
    Text(
        "an Odoo module's technical name: lower-case letters, digits and underscores, starting with a letter",
        pattern=r"^[a-z][a-z0-9_]*$",
        longest=128,
    ),
]
Language = Annotated[
    str,
    Text(
        "a language such as fr, fr_FR or sr@latin",
        pattern=r"^[a-z]{2,3}(_([A-Z]{2}|[A-Z][a-z]{3}|[0-9]{3}))?(@[A-Za-z]{2,12})?$",
        longest=24,
    ),
]
Country = Annotated[str, Text("a country's two capital letters, such as FR", pattern=r"^[A-Z]{2}$", longest=2)]
ImageReference = Annotated[
    str,
    Text(
        "an image such as odoo:18.0, registry.example.com/team/odoo:18.0 or odoo@sha256:…",
        longest=512,
        pattern=(
            r"^([A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?(:[0-9]{1,5})?/)?"
            r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
            r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[a-f0-9]{64})?$"
        ),
    ),
]
GitUrl = Annotated[
    str,
    Text(
        "a git repository: https://…, ssh://…, file:///… or git@HOST:PATH, without a password",
        pattern=(
            r"^(https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[^\s@]+|ssh://([A-Za-z0-9._-]+@)?[A-Za-z0-9.-]+(:[0-9]{1,5})?/\S+"
            r"|file:///\S+|[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^\s:-]\S*)$"
        ),
        longest=2048,
    ),
]
GitRef = Annotated[str, Text("a branch, tag or commit", longest=255, check=checks.git_ref)]
HostName = Annotated[
    str,
    Text(
        "a host name such as shop.example.com",
        longest=253,
        shown_pattern=r"^[A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?$",
        check=checks.host_name,
    ),
]
ServerAddress = Annotated[str, Text("a host name or an IP address", longest=253, check=checks.server_address)]
HttpUrl = Annotated[
    str, Text("a URL that starts with https:// or http://", longest=2048, pattern=r"^https?://", check=checks.http_url)
]
RepositoryUrl = Annotated[
    str,
    Text(
        "s3://BUCKET/FOLDER, gs://BUCKET/FOLDER, azure://CONTAINER/FOLDER or file:///FOLDER",
        longest=2048,
        pattern=r"^(s3://|gs://|azure://|file:///)",
        check=checks.repository_url,
    ),
]
ArchiveUrl = Annotated[
    str,
    Text(
        "the address of an archive: https://…, s3://…, gs://…, azure://… or file:///…",
        longest=2048,
        pattern=r"^(https?://|s3://|gs://|azure://|file:///)",
        check=checks.archive_url,
    ),
]
AbsolutePath = Annotated[
    str, Text("a whole path that starts with /, without ..", longest=4096, pattern=r"^/", check=checks.absolute_path)
]
UrlPath = Annotated[str, Text("a path that starts with /", longest=1024, pattern=r"^/[!-~]*$")]
Email = Annotated[
    str,
    Text(
        "an e-mail address", longest=254, pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$"
    ),
]
Schedule = Annotated[
    str,
    Text(
        "a schedule of five fields (minute, hour, day, month, weekday) such as 0 2 * * *",
        longest=100,
        check=checks.schedule,
    ),
]
TimeZone = Annotated[
    str,
    Text(
        "a time zone such as Europe/Paris or UTC",
        longest=64,
        pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$",
        check=checks.time_zone,
    ),
]
Destination = Annotated[
    str,
    Text("HOST, HOST:PORT, an address or a network such as 10.1.0.0/16", longest=260, check=checks.destination),
]
DatabaseName = Annotated[
    str,
    Text(
        "a database name: letters, digits, underscores, hyphens and dots, starting with a letter or underscore",
        longest=63,
        pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$",
        check=checks.database_name,
    ),
]
ParameterName = Annotated[
    str, Text("a PostgreSQL parameter", longest=63, pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$")
]
OptionKey = Annotated[
    str,
    Text(
        "an option of odoo.conf: lower-case letters, digits and underscores", longest=128, pattern=r"^[a-z][a-z0-9_]*$"
    ),
]
Tag = Annotated[
    str, Text("a tag: letters, digits, _ . : = / -", longest=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:=/-]*$")
]
InstanceWord = Annotated[
    str,
    Text(
        "the name or the id of an instance: lower-case letters, digits and hyphens",
        longest=63,
        pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
    ),
]
SnapshotId = Annotated[
    str, Text("a snapshot's identity, or latest", longest=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$")
]

Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Share = Annotated[int, Field(strict=True, ge=0, le=100)]
Replicas = Annotated[int, Field(strict=True, ge=0, le=100)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
