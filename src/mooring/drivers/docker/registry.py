# SPDX-License-Identifier: Apache-2.0
"""The registry in an image's name, and its login in a Docker configuration. Asks nobody."""

from __future__ import annotations

import json

DOCKER_HUB = "docker.io"


def registry_of(image: str) -> str:
    """The registry in an image's name; Docker Hub's where there is none."""
    first = image.partition("/")[0]
    return first if "/" in image and ("." in first or ":" in first or first == "localhost") else DOCKER_HUB


def login_for(image: str, config: str) -> dict[str, str] | None:
    """The login of an image's registry in a Docker configuration (the JSON of `.dockerconfigjson`); None without one.

    Raises:
        ValueError: it is no such JSON; its words may quote from it.
    """
    import base64  # noqa: PLC0415 - only pulls with a login need it

    registry = registry_of(image)
    known = json.loads(config)
    auths = known.get("auths", {}) if isinstance(known, dict) else None
    if not isinstance(auths, dict) or not all(isinstance(entry, dict) for entry in auths.values()):
        raise ValueError("this is no Docker configuration")
    for name, entry in auths.items():
        host = name.removeprefix("https://").removeprefix("http://").partition("/")[0]
        if host == registry or (registry == DOCKER_HUB and host in {"index.docker.io", "registry-1.docker.io"}):
            if entry.get("auth"):
                user, _, password = base64.b64decode(str(entry["auth"]), validate=True).decode().partition(":")
                return {"username": user, "password": password}
            return {"username": str(entry.get("username", "")), "password": str(entry.get("password", ""))}
    return None
