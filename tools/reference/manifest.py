# SPDX-License-Identifier: Apache-2.0
"""The page about manifests: every kind, every field, its type, default and meaning, from the models of `mooring.api`.

What this version or the Docker target does not carry out comes from the tables that refuse it, so that the page says
exactly what `mooring apply` says.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from tools.reference.text import MADE, one_line, render_page, render_table, sentences

from mooring.api.common import OptionValue
from mooring.api.instance_run import Workers
from mooring.api.kinds import KINDS
from mooring.api.meta import ObjectMeta, Resource, SecretKeyRef, SecretRef
from mooring.api.quantity import Cpu, Duration, Size
from mooring.api.texts import Text
from mooring.api.times import Timestamp
from mooring.domain.instance.support import KINDS_NOT_YET, NOT_YET, OPERATION_FIELDS_NOT_YET, OPERATIONS_NOT_YET
from mooring.targets.docker.options import UNSUPPORTED

QUANTITIES = {
    Cpu: "processor time, such as `2`, `0.5` or `500m`",
    Size: "an amount, such as `2Gi`, `512Mi` or `10G`",
    Duration: "a length of time, such as `90s`, `10m`, `24h` or `14d`",
}
NAMED: tuple[tuple[Any, str], ...] = (
    (Workers, "`auto`, or a whole number from 0 to 256"),
    (OptionValue, "text on one line, a number, `true` or `false`"),
    (Timestamp, "a time with its time zone, such as `2026-01-31T22:00:00Z`"),
)
# As `mooring.control.accept` refuses them.
SERVER_NOT_HERE = {"allowedNamespaces": "yet", "cloudNativePG": "docker", "managed.storageClass": "docker"}
# What may be written, and then not changed: `find_immutable` and `find_server_changes` refuse it.
CHANGE_NOT_YET = {
    ("OdooInstance", "database.server"),
    ("OdooInstance", "database.managed.version"),
    ("DatabaseServer", "managed.version"),
}
CHANGE_MARK = "**Not yet**: a change of what is there is refused."

HEAD = """\
# The manifest

A manifest is a YAML file with one or more documents, separated by `---`. Each document has a kind, a name and a `spec`:
what is wanted. `mooring apply -f FILE` makes it so, `mooring plan -f FILE` says what that would change.

Unknown fields are refused, with the nearest name that exists. All mistakes of a file are reported at once, each with its
line and column. `mooring schema` prints the JSON Schema for editors.

YAML is read by the rules of YAML 1.2: only `true` and `false` are true and false, `no` and `12:30` stay text. A field
that is `null` counts as left out.

The last column also says what is not carried out:

- **not yet**: this version of Mooring does not carry it out. It is refused when it is set.
- **not on Docker**: a container engine cannot honour it. It is refused there when it is set.

A field whose default promises something is simply not done where it is not carried out; only what you write yourself is
refused.
"""

SECRETS = """\
A Secret is a set of keys with values. Away from Kubernetes it is kept in the state directory, one file of mode 0600 for
each key. `mooring secret set NAME KEY` writes one. A field that takes one value of a Secret also takes `file:/PATH`: a
file of yours that holds the value alone and that other users of the machine cannot read.
"""


def render_manifest() -> str:
    """The whole page."""
    shared = _shared()
    parts = [HEAD.replace("# The manifest\n", f"# The manifest\n\n{MADE}\n", 1)]
    parts += ["## Kinds", render_table(("Kind", "What it is", ""), _kind_rows())]
    parts += ["## What every document has", render_table(HEADINGS, _document_rows())]
    parts += ["### metadata", _model_table(ObjectMeta, "metadata", "", shared)]
    for name, kind in KINDS.items():
        parts += [f"## {name}", _intro(kind)]
        parts += list(_render_group(_model_of(kind.model_fields["spec"].annotation), "spec", name, shared))
    parts += ["## Groups that several fields share"]
    for model in sorted(shared, key=lambda one: one.__name__):
        parts += [f"### {model.__name__}", sentences(model.__doc__)]
        if model in (SecretRef, SecretKeyRef):
            parts.append(SECRETS)
        parts.append(_model_table(model, "", "", shared))
    return render_page(*parts)


HEADINGS = ("Field", "Type", "Default", "Meaning")


def _kind_rows() -> Iterator[tuple[str, ...]]:
    for name, kind in KINDS.items():
        yield f"[`{name}`](#{name.lower()})", one_line(sentences(kind.__doc__)), _not_yet_mark(name in KINDS_NOT_YET)


def _document_rows() -> Iterator[tuple[str, ...]]:
    for name, info in Resource.model_fields.items():
        default = "" if name in ("kind", "metadata", "spec") else f"`{info.default}`"
        kinds = {"kind": "the name of a kind", "spec": "the fields of the kind", "metadata": "a group, see below"}
        yield f"`{info.alias}`", kinds.get(name, "text"), default or "needed", one_line(info.description or "")


def _intro(kind: type[Resource]) -> str:
    text = sentences(kind.__doc__)
    if kind.__name__ in KINDS_NOT_YET:
        return f"{text}\n\n**Not yet**: this version of Mooring refuses documents of this kind."
    if kind.__name__ == "OdooOperation":
        words = ", ".join(f"`{one}`" for one in sorted(OPERATIONS_NOT_YET))
        return f"{text}\n\n**Not yet**: this version of Mooring refuses the types {words}."
    return text


def _render_group(model: type[BaseModel], path: str, kind: str, shared: frozenset[type[BaseModel]]) -> Iterator[str]:
    """A heading and a table for a group, then for the groups in it."""
    yield f"### {kind}: {path}"
    yield sentences(model.__doc__)
    yield _model_table(model, path, kind, shared)
    for info in model.model_fields.values():
        child = _model_of(info.annotation)
        if child is not None and child not in shared:
            suffix = "[]" if _is_list(info.annotation) else ""
            yield from _render_group(child, f"{path}.{info.alias}{suffix}", kind, shared)


def _model_table(model: type[BaseModel], path: str, kind: str, shared: frozenset[type[BaseModel]]) -> str:
    return render_table(HEADINGS, (_row(info, path, kind, shared) for info in model.model_fields.values()))


def _row(info: FieldInfo, path: str, kind: str, shared: frozenset[type[BaseModel]]) -> tuple[str, ...]:
    meaning = one_line(info.description or "")
    mark = _mark(f"{path}.{info.alias}", kind)
    return f"`{info.alias}`", _type(info, path, kind, shared), _default(info), " ".join(filter(None, (meaning, mark)))


def _mark(path: str, kind: str) -> str:
    """What is not carried out, in the words of the page's head."""
    field = path.removeprefix("spec.").replace("[]", "")
    if (kind, field) in CHANGE_NOT_YET:
        return CHANGE_MARK
    if kind == "DatabaseServer":
        return {"docker": "**Not on Docker.**", "yet": "**Not yet.**"}.get(SERVER_NOT_HERE.get(field, ""), "")
    if not kind:
        return ""
    instance = kind == "OdooInstance"
    marks = ["**Not on Docker.**"] if instance and field in UNSUPPORTED else []
    not_yet = NOT_YET if instance else OPERATION_FIELDS_NOT_YET if kind not in KINDS_NOT_YET else {}
    if field in not_yet:
        only = [one for one in not_yet[field] if one is not False]
        words = " and ".join(f"`{one}`" for one in only)
        marks.append("**Not yet.**" if len(only) != 1 else f"**Not yet**, but for {words}, which is what is done.")
        if len(only) > 1:
            marks.append(f"{words} are accepted and do the same.")
    return " ".join(marks)


def _not_yet_mark(missing: bool) -> str:
    return "**not yet**" if missing else ""


def _shared() -> frozenset[type[BaseModel]]:
    """Groups that more than one field has: they are described once."""
    users: dict[type[BaseModel], int] = {}
    done: set[type[BaseModel]] = set()

    def walk(model: type[BaseModel]) -> None:
        for info in model.model_fields.values():
            child = _model_of(info.annotation)
            if child is None:
                continue
            users[child] = users.get(child, 0) + 1
            if child not in done:
                done.add(child)
                walk(child)

    for kind in KINDS.values():
        spec = _model_of(kind.model_fields["spec"].annotation)
        assert spec is not None
        walk(spec)
    return frozenset(model for model, count in users.items() if count > 1)


def _model_of(annotation: Any) -> Any:
    """The group that a field holds, once or as a list; None for anything else."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is Mapping or _is_mapping(annotation):
        return None
    for inner in get_args(annotation):
        found = _model_of(inner)
        if found is not None:
            return found
    return None


def _is_mapping(annotation: Any) -> bool:
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is tuple or any(_is_list(inner) for inner in get_args(annotation))


def _type(info: FieldInfo, path: str, kind: str, shared: frozenset[type[BaseModel]]) -> str:
    where = f"{path}.{info.alias}"
    return _words(info.annotation, tuple(info.metadata), where, kind, shared)


def _words(annotation: Any, extra: tuple[Any, ...], where: str, kind: str, shared: frozenset[type[BaseModel]]) -> str:
    for known, words in NAMED:
        if annotation == known or (extra and (annotation, extra) == (get_args(known)[0], tuple(get_args(known)[1:]))):
            return words
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        return _words(inner, (*metadata, *extra), where, kind, shared)
    if get_origin(annotation) in (Union, types.UnionType):
        options = [one for one in get_args(annotation) if one is not type(None)]
        return " or ".join(_words(one, extra, where, kind, shared) for one in options)
    if get_origin(annotation) is tuple:
        suffixed = f"{where}[]"
        return f"a list: {_words(get_args(annotation)[0], (), suffixed, kind, shared)}"
    if _is_mapping(annotation):
        key, value = get_args(annotation)
        if value is Any or "JsonValue" in str(value):
            return "a mapping, as Kubernetes has it"
        return f"a mapping: {_words(key, (), where, kind, shared)} → {_words(value, (), where, kind, shared)}"
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{str(one).lower() if isinstance(one, bool) else one}`" for one in get_args(annotation))
    return _plain(annotation, extra, where, kind, shared)


def _plain(annotation: Any, extra: tuple[Any, ...], where: str, kind: str, shared: frozenset[type[BaseModel]]) -> str:
    if "JsonValue" in str(annotation):
        return "a mapping, as Kubernetes has it"
    if annotation in QUANTITIES:
        return QUANTITIES[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation in shared:
            return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
        return f"[a group](#{_anchor(f'{kind}: {where}')})"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f"`{one.value}`" for one in annotation)
    if annotation is bool:
        return "`true` or `false`"
    if annotation is int:
        extra = tuple(one for item in extra for one in (item.metadata if isinstance(item, FieldInfo) else (item,)))
        low, high = (next((getattr(one, key) for one in extra if hasattr(one, key)), None) for key in ("ge", "le"))
        return f"a whole number from {low} to {high}" if low is not None else "a whole number"
    text = next((one for one in extra if isinstance(one, Text)), None)
    if text is not None:
        return text.expected.replace("*", "\\*") if "*" in text.expected else text.expected
    if annotation is str:
        return "text"
    raise TypeError(f"the page has no words for {annotation!r} of {kind} {where}")


def _anchor(heading: str) -> str:
    """The anchor that Markdown's table of contents gives a heading."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "needed"
    value = info.get_default(call_default_factory=True, validated_data={})
    if value is None or value is PydanticUndefined:
        return "none"
    if isinstance(value, BaseModel):
        return "its defaults"
    return f"`{_shown(value)}`"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(_shown(one) for one in value)}]"
    if isinstance(value, Mapping):
        return "{}" if not value else str(dict(value))
    return str(value)
