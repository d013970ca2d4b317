# SPDX-License-Identifier: Apache-2.0
"""Strict JSON for frozen dataclasses: camelCase keys, nothing unknown, nothing of a wrong type.

Reads and writes the documents and results of tasks. It knows only the field types that they use: text, whole numbers,
truth values, `X | None`, `Literal`, `tuple[X, ...]`, `Mapping[str, X]` and dataclasses. It never does I/O.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, Union

from mooring.domain.work.errors import InvalidDocument

VERSION = 1


class Shape:
    """A part of a document: a frozen dataclass that JSON can carry."""

    def to_json(self) -> dict[str, Any]:
        """Every field, under its camelCase name."""
        if not dataclasses.is_dataclass(self):
            raise TypeError(f"{type(self).__name__} is not a dataclass")
        return {camel(item.name): _dump(getattr(self, item.name)) for item in dataclasses.fields(self)}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read back what `to_json` wrote. All faults at once.

        Raises:
            InvalidDocument: a key is unknown or missing, or a value has a wrong type.
        """
        faults: list[str] = []
        made = _load(cls, value, "document", faults)
        if faults or not isinstance(made, cls):
            raise InvalidDocument(f"{cls.__name__}: {'; '.join(faults)}.")
        return made


class Document(Shape):
    """The whole input of one task; `v` is the version of its shape."""

    TASK: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """`v` and every field."""
        return {"v": VERSION, **super().to_json()}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read back what `to_json` wrote.

        Raises:
            InvalidDocument: see `Shape.from_json`; also when `v` is another version than this program's.
        """
        if not isinstance(value, Mapping):
            raise InvalidDocument(f"{cls.__name__}: an object is expected, not {type(value).__name__}.")
        version = value.get("v")
        if version != VERSION or isinstance(version, bool):
            raise InvalidDocument(f"{cls.__name__}: version {version!r} of the document, this program reads {VERSION}.")
        return super().from_json({key: item for key, item in value.items() if key != "v"})


def camel(name: str) -> str:
    """`password_file` becomes `passwordFile`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _dump(value: object) -> Any:
    match value:
        case Shape():
            return value.to_json()
        case Mapping():
            return {str(key): _dump(item) for key, item in value.items()}
        case tuple() | list():
            return [_dump(item) for item in value]
        case _:
            return value


def _load(kind: Any, value: object, path: str, faults: list[str]) -> Any:
    origin = typing.get_origin(kind)
    if origin in (Union, types.UnionType):
        inner = [item for item in typing.get_args(kind) if item is not type(None)]
        return None if value is None else _load(inner[0], value, path, faults)
    if origin is Literal:
        allowed = typing.get_args(kind)
        if isinstance(value, str) and value in allowed:
            return value
        faults.append(f"{path} is {value!r}, allowed are {', '.join(map(str, allowed))}")
        return None
    if origin is tuple:
        return _load_tuple(typing.get_args(kind)[0], value, path, faults)
    if origin is Mapping:
        return _load_mapping(typing.get_args(kind)[1], value, path, faults)
    if dataclasses.is_dataclass(kind):
        return _load_shape(kind, value, path, faults)
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    faults.append(f"{path} must be {kind.__name__}, not {type(value).__name__}")
    return None


def _load_tuple(kind: Any, value: object, path: str, faults: list[str]) -> Any:
    if not isinstance(value, list | tuple):
        faults.append(f"{path} must be a list, not {type(value).__name__}")
        return None
    return tuple(_load(kind, item, f"{path}[{index}]", faults) for index, item in enumerate(value))


def _load_mapping(kind: Any, value: object, path: str, faults: list[str]) -> Any:
    if not isinstance(value, Mapping):
        faults.append(f"{path} must be an object, not {type(value).__name__}")
        return None
    return {str(key): _load(kind, item, f"{path}.{key}", faults) for key, item in value.items()}


def _load_shape(kind: Any, value: object, path: str, faults: list[str]) -> Any:
    if not isinstance(value, Mapping):
        faults.append(f"{path} must be an object, not {type(value).__name__}")
        return None
    hints = typing.get_type_hints(kind)
    known = {camel(item.name): item for item in dataclasses.fields(kind)}
    before = len(faults)
    faults.extend(f"{path}.{key} is unknown" for key in value if key not in known)
    given: dict[str, Any] = {}
    for key, item in known.items():
        if key in value:
            given[item.name] = _load(hints[item.name], value[key], f"{path}.{key}", faults)
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            faults.append(f"{path}.{key} is missing")
    if len(faults) > before:
        return None
    try:
        return kind(**given)
    except ValueError as fault:
        faults.append(f"{path}: {fault}")
        return None
