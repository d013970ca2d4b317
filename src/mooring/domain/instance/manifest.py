# SPDX-License-Identifier: Apache-2.0
"""An instance as its own manifest again: what a backup keeps so that an empty machine can bring it back. Pure."""

from __future__ import annotations

import json

from mooring.api.base import API_VERSION
from mooring.domain.instance.status import without_secrets
from mooring.domain.instance.subject import Subject


def manifest_text(subject: Subject) -> str:
    """The manifest as JSON, which is YAML too. It names secrets and holds none; `webhook`, whose URL may be one, is out."""
    spec = without_secrets(subject.spec).model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"webhook"})
    value = {
        "apiVersion": API_VERSION,
        "kind": "OdooInstance",
        "metadata": {"name": subject.ref.name, "namespace": subject.ref.namespace},
        "spec": {**spec, "image": subject.release.release.source, "environment": subject.environment},
    }
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
