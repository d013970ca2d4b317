# SPDX-License-Identifier: Apache-2.0
"""The manifest of a new staging copy, made from its source's. Pure; used by `mooring clone`.

What runs is the same; what belongs to one instance alone (addresses, databases, backups, secrets, webhooks) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What decides which code runs, and how much room it has.
_SAME = (
    "image",
    "imagePullSecret",
    "version",
    "addons",
    "replicas",
    "resources",
    "workers",
    "cron",
    "configOptions",
    "autoUpgrade",
    "filestore",
)
# A staging copy's mail, cron and modules are Mooring's to decide.
_NOT_THERE = ("max_cron_threads", "server_wide_modules", "db_replica_host", "db_replica_port")


def render_clone(spec: Mapping[str, Any], *, source: str, runs: str) -> dict[str, Any]:
    """The spec of a staging copy, camelCase as in YAML.

    Args:
        spec: the source's, as it was written.
        source: its name.
        runs: the image that its data is of; an instance that waits for an upgrade names another already.
    """
    made = {key: spec[key] for key in _SAME if key in spec}
    if runs:
        made["image"] = runs
    options = {
        key: value
        for key, value in (made.get("configOptions") or {}).items()
        if key not in _NOT_THERE and not key.startswith("smtp_")
    }
    made.pop("configOptions", None)
    if options:
        made["configOptions"] = options
    server = (spec.get("database") or {}).get("server")
    if server is not None:
        made["database"] = {"server": server}
    return {**made, "stagingOf": {"name": source}}
