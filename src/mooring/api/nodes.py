# SPDX-License-Identifier: Apache-2.0
"""YAML text to a tree of nodes that know their line and column, read so that no input can do harm.

Works on the parser's events, so nothing is built before it was counted: size, depth and number of nodes (aliases
counted as often as they are used) are bounded, tags are refused, and plain words are read by YAML 1.2's core rules:
only `true`, `false`, `null` and numbers are not text, so that `no`, `12:30` and `2026-01-31` stay what the user wrote.
Knows no kind and no field; `mooring.api.loader` calls it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from mooring.api.errors import Fault
from mooring.api.scalars import resolve_scalar

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 100_000
_STRUCTURE_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq", "!")
_TEXT_TAGS = ("tag:yaml.org,2002:str", "!")

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_QUOTED = re.compile(r"'[^']{2,}'|\"[^\"]{2,}\"")


@dataclass(slots=True, eq=False)
class Node:
    """A value of a document and its place.

    Attributes:
        line: of its first character, from 1; 0 where it came from no text.
        column: of its first character, from 1.
        value: a scalar, a list of nodes, or a dictionary of nodes by key.
        keys: places (line, column) of a dictionary's keys.
        size: how many nodes it has with itself, aliases counted as often as used.
        broken: whether a fault was already found in it.
    """

    line: int
    column: int
    value: Any = None
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    size: int = 1
    broken: bool = False

    def plain(self) -> Any:
        """The same without places: dictionaries, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value


def node_of(value: Any) -> Node:
    """The tree of a plain value, without places. `value` must be a tree of text-keyed mappings, lists and scalars."""
    if isinstance(value, Mapping):
        return Node(0, 0, {str(key): node_of(child) for key, child in value.items()})
    if isinstance(value, list | tuple):
        return Node(0, 0, [node_of(child) for child in value])
    return Node(0, 0, value)


def parse_documents(data: bytes, *, source: str) -> tuple[list[Node], list[Fault]]:
    """Read all documents of a file.

    Args:
        data: the file's bytes.
        source: its name, for the faults.

    Returns:
        The roots of the documents that were read whole, without those that are empty; and what is wrong. A fault of
        syntax or size ends the reading: documents before it are returned.
    """
    text, fault = _decode(data, source)
    if fault is not None:
        return [], [fault]
    return _Composer(source).read(text)


def _decode(data: bytes, source: str) -> tuple[str, Fault | None]:
    if len(data) > MAX_BYTES:
        message = f"the file is larger than 1 MiB ({len(data)} bytes); a manifest is not"
        return "", Fault(source, 0, 0, "", message)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", errors="replace")
        message = f"not UTF-8 text: byte 0x{data[error.start]:02x} at offset {error.start}; save the file as UTF-8"
        return "", Fault(source, *_end_of(before), "", message)
    found = _UNPRINTABLE.search(text)
    if found:
        message = f"character U+{ord(found[0]):04X} must not be in a manifest"
        return "", Fault(source, *_end_of(text[: found.start()]), "", message)
    return text, None


def _end_of(text: str) -> tuple[int, int]:
    """Line and column of what follows `text`."""
    return text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1


class _StopReadingError(Exception):
    """The rest of the file cannot be read; the fault is noted."""


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been read yet."""

    node: Node
    anchor: str | None
    key: str | None = None
    key_place: tuple[int, int] | None = None
    skip: bool = False


class _Composer:
    """Builds nodes from events with a stack of its own, so that depth costs no recursion."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.faults: list[Fault] = []
        self.documents: list[Node] = []
        self.count = 0
        self.stack: list[_Open] = []
        self.anchors: dict[str, Node | None] = {}

    def read(self, text: str) -> tuple[list[Node], list[Fault]]:
        try:
            for event in _events(text):
                self._take(event)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            # What stands between quotes in the parser's words is the user's text, possibly a password.
            problem = _QUOTED.sub("…", error.problem or "cannot be read")
            self._note(mark, f"not YAML: {problem}")
        except yaml.YAMLError:
            self.faults.append(Fault(self.source, 0, 0, "", "not YAML: a character cannot be read"))
        except _StopReadingError:
            pass
        return self.documents, self.faults

    def _note(self, mark: Any, message: str) -> None:
        self.faults.append(Fault(self.source, *_place(mark), self._path(), message))

    def _path(self) -> str:
        path = ""
        for level in self.stack:
            if isinstance(level.node.value, list):
                path += f"[{len(level.node.value)}]"
            elif level.key is not None:
                path += f".{level.key}" if path else level.key
        return path[:200]

    def _take(self, event: Event) -> None:
        match event:
            case MappingStartEvent() | SequenceStartEvent():
                self._open(event)
            case MappingEndEvent() | SequenceEndEvent():
                level = self.stack.pop()
                if level.anchor is not None:
                    self.anchors[level.anchor] = level.node
                self._add(level.node, event)
            case ScalarEvent():
                node = self._scalar(event)
                if event.anchor is not None:
                    self.anchors[event.anchor] = node
                self._add(node, event)
            case AliasEvent():
                self._add(self._alias(event), event)
            case DocumentEndEvent():
                self.anchors.clear()
            case _:
                pass

    def _open(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        self._count(1, event)
        if len(self.stack) >= MAX_DEPTH:
            self._note(event.start_mark, f"nested more than {MAX_DEPTH} levels deep")
            raise _StopReadingError
        node = Node(*_place(event.start_mark))
        node.value = {} if isinstance(event, MappingStartEvent) else []
        if event.tag is not None and event.tag not in _STRUCTURE_TAGS:
            self._note(event.start_mark, "YAML tags (!…) are not read here; leave the tag out")
            node.broken = True
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self.stack.append(_Open(node, event.anchor))

    def _count(self, more: int, event: Event) -> None:
        self.count += more
        if self.count > MAX_NODES:
            self._note(event.start_mark, f"more than {MAX_NODES} values, counting aliases as often as they are used")
            raise _StopReadingError

    def _scalar(self, event: ScalarEvent) -> Node:
        self._count(1, event)
        node = Node(*_place(event.start_mark), event.value)
        if event.tag is None:
            if event.implicit[0] and not event.style:
                node.value = resolve_scalar(event.value)
        elif event.tag not in _TEXT_TAGS:
            self._note(event.start_mark, "YAML tags (!…) are not read here; leave the tag out")
            node.broken = True
        return node

    def _alias(self, event: AliasEvent) -> Node:
        name = event.anchor or ""
        target = self.anchors.get(name)
        if target is not None:
            self._count(target.size, event)
            return target
        if name in self.anchors:
            self._note(event.start_mark, "an alias (*…) stands inside what it repeats")
        else:
            self._note(event.start_mark, "an alias (*…) without its anchor (&…); put text that starts with * in quotes")
        return Node(*_place(event.start_mark), broken=True)

    def _add(self, node: Node, event: Event) -> None:
        """Put a finished node where it belongs: as a document, an item, a key or a value."""
        if not self.stack:
            if node.value is not None or node.broken:
                self.documents.append(node)
            return
        level = self.stack[-1]
        parent = level.node
        if isinstance(parent.value, list):
            parent.value.append(node)
            parent.size += node.size
        elif level.key_place is None:
            self._take_key(level, node, event)
        else:
            if not level.skip and level.key is not None:
                parent.value[level.key] = node
                parent.keys[level.key] = level.key_place
                parent.size += node.size
            level.key, level.key_place, level.skip = None, None, False

    def _take_key(self, level: _Open, node: Node, event: Event) -> None:
        level.key_place = (node.line, node.column)
        # An alias stands where it is written, not where its anchor is.
        if isinstance(event, AliasEvent):
            level.key_place = _place(event.start_mark)
        message = None
        if isinstance(node.value, dict | list):
            message = "a list or mapping cannot be a key"
        elif node.broken:
            level.skip = True
        elif not isinstance(node.value, str):
            message = "a key must be text; put it in quotes"
        elif node.value == "<<":
            message = "merge keys (<<) are not read here; write the fields out, or repeat a whole value by an alias"
        elif node.value in level.node.value:
            first = level.node.keys[node.value][0]
            level.key = node.value
            message = f"written twice; first on line {first}"
        else:
            level.key = node.value
        if message is not None:
            self.faults.append(Fault(self.source, *level.key_place, self._path(), message))
            level.skip = True


def _place(mark: Any) -> tuple[int, int]:
    """Line and column from 1 of one of the parser's marks; zeros where it has none."""
    return (0, 0) if mark is None else (mark.line + 1, mark.column + 1)


def _events(text: str) -> Iterator[Event]:
    """The parser's events; libyaml's where it is there, as it is some twenty times faster."""
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    yield from yaml.parse(text, Loader=loader)
