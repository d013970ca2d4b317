# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema of all kinds, for editors: names, types, defaults, allowed values and documentation.

Rules between fields are left to the loader. Called by `mooring schema` and by the docs.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from mooring.api.kinds import KINDS, Manifest
from mooring.api.quantity import Cpu, Duration, Size

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Generator(GenerateJsonSchema):
    """Shows defaults as users write them: `24h`, not the parts of a value object."""

    def encode_default(self, dft: Any) -> Any:
        return str(dft) if isinstance(dft, Cpu | Size | Duration) else super().encode_default(dft)


def _plain(node: Any) -> Any:
    """Without what helps no editor: titles made from names, and null beside the type of what may be left out."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    shown: dict[str, Any] = {}
    for key, value in node.items():
        if key in {"properties", "$defs"}:
            shown[key] = {name: _plain(child) for name, child in value.items()}
        elif key != "title" and not (key == "default" and value is None):
            shown[key] = _plain(value)
    if "patternProperties" in shown:
        shown["additionalProperties"] = False
    options = [option for option in shown.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        del shown["anyOf"]
        shown = {**options[0], **shown}
    elif options:
        shown["anyOf"] = options
    return shown


def json_schema() -> dict[str, Any]:
    """The schema of one document, draft 2020-12: {$schema, title, description, oneOf, $defs}; the same at every call."""
    # A union of all kinds gives one set of definitions.
    adapter: TypeAdapter[Any] = TypeAdapter(Manifest)
    generated = adapter.json_schema(by_alias=True, mode="validation", schema_generator=_Generator)
    definitions = {name: _plain(definition) for name, definition in generated["$defs"].items()}
    for kind in KINDS:
        document = definitions[kind]
        document["required"] = sorted({*document.get("required", ()), "apiVersion", "kind"})
    return {
        "$schema": _DIALECT,
        "title": "Mooring manifest",
        "description": "One document of a manifest of Mooring.",
        "oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in KINDS],
        "$defs": {name: definitions[name] for name in sorted(definitions)},
    }
