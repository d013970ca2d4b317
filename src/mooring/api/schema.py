# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema of all kinds, for editors: names, types, defaults, allowed values and documentation.

Rules between fields are left to the loader. Called by `mooring schema` and by the docs.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from mooring.api.kinds import KINDS, Manifest

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema of one document, draft 2020-12: {$schema, title, description, oneOf, $defs}; the same at every call."""
    adapter: TypeAdapter[Any] = TypeAdapter(Manifest)
    generated = adapter.json_schema(by_alias=True, mode="validation")
    definitions = generated["$defs"]
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
