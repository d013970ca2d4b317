# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema for editors is complete, the same each time, and changes only on purpose."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from mooring.api.kinds import KINDS
from mooring.api.schema import json_schema

GOLDEN = Path(__file__).parents[2] / "golden" / "schema.json"


def test_schema_is_that_of_the_golden_file() -> None:
    text = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("MOORING_GOLDEN") == "1":
        GOLDEN.write_text(text, encoding="utf-8")
    assert GOLDEN.read_text(encoding="utf-8") == text


def test_schema_has_one_choice_a_kind() -> None:
    schema = json_schema()
    assert [choice["$ref"].rpartition("/")[2] for choice in schema["oneOf"]] == list(KINDS)
    for kind in KINDS:
        assert {"apiVersion", "kind", "metadata"} <= set(schema["$defs"][kind]["required"])
        assert schema["$defs"][kind]["properties"]["kind"]["const"] == kind


def test_schema_shows_defaults_as_users_write_them() -> None:
    definitions = json_schema()["$defs"]
    assert definitions["BackupSpec"]["properties"]["keepPrevious"]["default"] == "24h"
    assert definitions["WebResources"]["properties"]["cpu"]["default"] == "2"
    assert definitions["FilestoreSpec"]["properties"]["storageSize"]["default"] == "10Gi"


def test_schema_every_reference_leads_somewhere_and_every_mapping_is_closed() -> None:
    schema = json_schema()

    def walk(node: Any) -> None:
        if isinstance(node, list):
            for item in node:
                walk(item)
        elif isinstance(node, dict):
            reference = node.get("$ref")
            assert not isinstance(reference, str) or reference.rpartition("/")[2] in schema["$defs"]
            if isinstance(node.get("properties"), dict) and node.get("type") == "object":
                assert node["additionalProperties"] is False
            for child in node.values():
                walk(child)

    walk(schema)


def test_schema_no_default_stands_where_nothing_is_set() -> None:
    assert "null" not in json.dumps(json_schema())
