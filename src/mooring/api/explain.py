# SPDX-License-Identifier: Apache-2.0
"""A validation error of pydantic as a fault with its place, in words for the user.

The place comes from the tree of nodes, the known names from the models. Never shows a value that may be a secret.
Called by `mooring.api.loader`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from pydantic_core import ErrorDetails

from mooring.api.base import Model
from mooring.api.errors import Fault
from mooring.api.nodes import Node

Location = Sequence[str | int]

_MASKED = re.compile(r"pass|secret|token|key|credential|private|extraenv|heartbeat|webhook", re.IGNORECASE)
_LOGIN = re.compile(r"(//|^[^/]*:)[^/]*@(?!sha256:)|://.*\?")
"""A user with a password, or a query, which may hold a token."""

_CHOICE = re.compile(r"'([^']*)'")
_EXPECTED = {
    "string_type": "expected text",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "int_parsing_size": "expected a smaller number",
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "dict_type": "expected a mapping",
    "mapping_type": "expected a mapping",
    "model_type": "expected a mapping",
    "model_attributes_type": "expected a mapping",
    "missing": "is needed",
    "extra_forbidden": "unknown field",
    "recursion_loop": "refers to itself",
    "invalid_key": "a key must be text; put it in quotes",
}


def nearest(word: object, known: Iterable[str]) -> str | None:
    """The known word that is closest to a written one, by spelling and regardless of case; None where none is close."""
    if not isinstance(word, str) or len(word) > 64:
        return None
    import difflib  # noqa: PLC0415 - most manifests hold no unknown word

    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def place_of(node: Node, location: Location) -> tuple[Node, tuple[int, int], tuple[int, int], bool]:
    """Follow a location as far as it was written.

    Returns:
        The deepest node that was written; its place; the place of its key (or of itself where it has none); and
        whether the location was followed to its end.
    """
    key_place = place = (node.line, node.column)
    for part in location:
        if part == "[key]":
            return node, key_place, key_place, True
        if isinstance(part, int) and isinstance(node.value, list) and 0 <= part < len(node.value):
            node = node.value[part]
            key_place = place = (node.line, node.column)
        elif isinstance(part, str) and isinstance(node.value, dict) and part in node.value:
            key_place = node.keys.get(part, place)
            node = node.value[part]
            place = (node.line, node.column)
        else:
            return node, place, key_place, False
    return node, place, key_place, True


def path_text(location: Location) -> str:
    """`spec.addons[0].path` for ("spec", "addons", 0, "path")."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part != "[key]":
            shown = part if len(part) <= 80 else part[:79] + "…"
            shown = "".join(one if one.isprintable() else "�" for one in shown)
            path += f".{shown}" if path else shown
    return path


def shown_value(value: Any, location: Location) -> str:
    """A value as short text; `***` where its path or its look says that it may be a secret."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if any(isinstance(part, str) and _MASKED.search(part) for part in location):
        return "***"
    if isinstance(value, str) and _LOGIN.search(value):
        return "***"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = json.dumps(text, ensure_ascii=False) if isinstance(value, str) else text
    return text if len(text) <= 80 else text[:79] + "…"


def explain(error: ErrorDetails, *, kind: type[Model], root: Node, source: str) -> Fault | None:
    """The fault that one error of pydantic stands for.

    Args:
        error: the error, with its location by alias.
        kind: the model that the document was read as.
        root: the document's tree.
        source: the file's name.

    Returns:
        The fault, or None where the same value already has one from reading YAML.
    """
    location = error["loc"]
    node, place, key_place, whole = place_of(root, location)
    if node.broken:
        return None
    code = error["type"]
    context = error.get("ctx", {})
    allowed = tuple(context.get("allowed", ()))
    message = _EXPECTED.get(code) or str(context.get("text") or error["msg"])
    close: str | None = None
    value: str | None = None
    if code == "extra_forbidden":
        place = key_place
        names = _names_at(kind, location[:-1])
        close = nearest(location[-1], names)
        allowed = () if close else names
        if location == ("status",):
            message, close, allowed = "is written by Mooring; leave it out", None, ()
    elif code in {"missing", "mooring_rule"} or not whole:
        place = key_place
    else:
        value = shown_value(location[-2] if location and location[-1] == "[key]" else node.value, location)
        if code in {"enum", "literal_error"}:
            expected = str(context.get("expected", ""))
            allowed = tuple(_CHOICE.findall(expected)) or (expected.lower(),)
            close = nearest(node.value, allowed)
            message = "not one of the allowed values"
        else:
            message = _with_hint(code, message, context, node.value)
    return Fault(source, *place, path_text(location), message, value=value, allowed=allowed, nearest=close)


def _with_hint(code: str, message: str, context: dict[str, Any], value: Any) -> str:
    if code == "greater_than_equal":
        return f"must be at least {context['ge']}"
    if code == "less_than_equal":
        return f"must be at most {context['le']}"
    if value is None:
        return f"{message}; leave the field out for its default"
    if code == "string_type" and isinstance(value, bool | int | float):
        return f"{message}; put it in quotes"
    if code == "bool_type" and isinstance(value, str) and value.lower() in {"yes", "no", "on", "off", "true", "false"}:
        return f"{message}, without quotes"
    return message


def _names_at(model: type[Model], location: Location) -> tuple[str, ...]:
    """The names of the fields of the model that stands at a location."""
    current: type[Model] | None = model
    for part in location:
        if isinstance(part, int) or current is None:
            continue
        fields = {info.alias: info.annotation for info in current.model_fields.values()}
        current = _model_in(fields.get(part))
    return tuple(str(info.alias) for info in current.model_fields.values()) if current is not None else ()


def _model_in(annotation: Any) -> type[Model] | None:
    """The model that an annotation names, also inside `| None` and `tuple[...]`."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    return next((found for one in get_args(annotation) if (found := _model_in(one))), None)
