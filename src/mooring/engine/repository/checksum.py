# SPDX-License-Identifier: Apache-2.0
"""JSON objects that carry their own checksum: `config`, keys and `generation`.

`checksum` is the SHA-256 of the JSON without it, keys sorted, no spaces. Called by those who read and write these objects.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from mooring.engine.repository.errors import ObjectDamaged


def checksummed(value: Mapping[str, Any]) -> dict[str, Any]:
    """The same, with its checksum."""
    return {**value, "checksum": _checksum(value)}


def dump_json(value: Mapping[str, Any]) -> bytes:
    """The bytes of a JSON object that `checksummed` made."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def load_json(content: bytes, name: str) -> dict[str, Any]:
    """Read back and compare the checksum.

    Args:
        content: the object's bytes.
        name: the object's, for errors.

    Raises:
        ObjectDamaged: it is no JSON object, or its checksum is another. So is any other way of writing the same JSON:
            one changed byte is a change.
    """
    try:
        value = json.loads(content)
    except ValueError as error:
        raise ObjectDamaged(f"{name} is not JSON.") from error
    if not isinstance(value, dict):
        raise ObjectDamaged(f"{name} is not a JSON object.")
    claimed = value.get("checksum")
    plain = {key: item for key, item in value.items() if key != "checksum"}
    if claimed != _checksum(plain) or dump_json(value) != content:
        raise ObjectDamaged(f"{name} does not have its checksum.")
    return plain


def _checksum(value: Mapping[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
