# SPDX-License-Identifier: Apache-2.0
"""Reads Odoo's service of a Compose file, which is whatever its author wrote: every shape that Compose knows, any other named.

Pure. Only what is used is looked at, and no deeper than needed: a value may hold itself, or by its aliases grow without end.
No value is shown but ports: the others may come from `.env`. Called by `compose`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mooring.api.quantity import Cpu, Size
from mooring.errors import UsageError

_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?:(?P<sign>:?-)(?P<default>[^}]*))?\}|(?P<plain>\w+))")
_IMAGE = re.compile(r"(?:^|/)odoo(?:[:@]|$)")
_MEMORY = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[kmg]?)b?", re.IGNORECASE)
# Address, published, target, protocol; so narrow that no key or password out of `.env` is taken for one.
_ADDRESS = r"localhost|[\d.]{7,15}|\[?(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}\]?"
_PORT = re.compile(rf"(?:(?:{_ADDRESS}):)?(?:[\d-]{{0,11}}:)?[\d-]{{1,11}}(?:/[a-z]{{1,4}})?", re.ASCII | re.IGNORECASE)
# Of a service: what says how Odoo runs, and is for a person to look at.
_LEFT = (
    "command",
    "configs",
    "entrypoint",
    "env_file",
    "environment",
    "extends",
    "extra_hosts",
    "secrets",
    "user",
    "volumes",
)
# Longer is no text that is used here, and larger no number; str() refuses numbers of thousands of digits.
_LONGEST, _LARGEST = 4096, 1 << 64


class StackRefused(UsageError):
    """A Compose stack does not say what a manifest needs; nothing was written."""

    code = "MOOR-715"
    reason = "StackRefused"
    default_resolution = "Name the folder of a stack that runs Odoo, or mend its Compose file."


def find_service(compose: Mapping[str, Any], env: Mapping[str, str], *, image: str | None) -> Mapping[str, Any]:
    """The service whose image or name says Odoo; where the image is given, else the only one that builds its own.

    Raises:
        StackRefused: there is none.
    """
    services = compose.get("services")
    if services is None:
        raise StackRefused("The Compose file has no `services`.")
    if not isinstance(services, Mapping):
        raise StackRefused(f"In the Compose file `services` is {_shape(services)}, not a mapping.")
    items: list[tuple[Any, Any]] = list(services.items())
    found: list[tuple[Any, Mapping[str, Any]]] = [(name, one) for name, one in items if isinstance(one, Mapping)]
    images = [one for _, one in found if _IMAGE.search(_text(one.get("image"), env) or "")]
    named = [one for name, one in found if "odoo" in _name(name) and ("image" in one or "build" in one)]
    built = [one for _, one in found if "build" in one and image is not None]
    if chosen := images + named + (built if len(built) == 1 else []):
        return chosen[0]
    strange = [(name, one) for name, one in items if not isinstance(one, Mapping)]
    raise StackRefused(
        "No service of the Compose file runs Odoo.",
        details="\n".join(f"`{printable(_name(name))}` is {_shape(one)}, not a mapping." for name, one in strange),
        resolution="Name the stack's folder; where a service builds Odoo's image, name that with --image IMAGE.",
    )


def image_of(service: Mapping[str, Any], env: Mapping[str, str]) -> str:
    """The image that a service names.

    Raises:
        StackRefused: it names none.
    """
    written = service.get("image")
    if image := (_text(written, env) or "").strip():
        return image
    if "build" in service:
        raise StackRefused(
            "The stack builds Odoo's image itself and gives it no name.",
            resolution="Build it, then run the command again with --image IMAGE: the name that it has on the engine.",
        )
    why = "is empty" if written is None or isinstance(written, str) else f"is {_shape(written)}, not a name"
    raise StackRefused(f"The `image` of Odoo's service {why}.", resolution="Name it with --image IMAGE.")


def resources_of(service: Mapping[str, Any], env: Mapping[str, str], told: list[str]) -> dict[str, str]:
    """Its limits as `resources` has them; what cannot be kept is added to `told`."""
    limits = _limits(service, told)
    found = {}
    for field_, key, older, read in (("cpu", "cpus", "cpus", _cpu), ("memory", "memory", "mem_limit", _memory)):
        written = ((f"deploy.resources.limits.{key}", limits.get(key)), (older, service.get(older)))
        for place, value in written:
            if value is None or field_ in found:
                continue
            try:
                found[field_] = read(_text(value, env) or "")
            except ValueError:
                told.append(f"`{place}` is no limit that can be kept here, and was left out: see `resources.{field_}`.")
    return found


def _limits(service: Mapping[str, Any], told: list[str]) -> Mapping[str, Any]:
    """`deploy.resources.limits`; empty where there is none."""
    found: Any = service
    place: list[str] = []
    for step in ("deploy", "resources", "limits"):
        found = found.get(step)
        place.append(step)
        if found is None:
            return {}
        if not isinstance(found, Mapping):
            told.append(f"`{'.'.join(place)}` is {_shape(found)}, not a mapping: no limits were taken from it.")
            return {}
    limits: Mapping[str, Any] = found
    return limits


def _cpu(text: str) -> str:
    Cpu.parse(text)
    return text


def _memory(text: str) -> str:
    size = _MEMORY.fullmatch(text)
    if size is None:
        raise ValueError("no size")
    found = size["number"] + {"k": "Ki", "m": "Mi", "g": "Gi", "": ""}[size["unit"].lower()]
    Size.parse(found)
    return found


def tell_left(service: Mapping[str, Any]) -> list[str]:
    """What of it a person has to look at, as nothing of it is taken over."""
    left = [key for key in _LEFT if service.get(key)]
    if not left:
        return []
    said = f"Not taken over from Odoo's service: {', '.join(left)}. What Odoo needs of them goes into `addons`, "
    return [said + "`configOptions` and `extraEnv`; database and filestore are Mooring's own."]


def tell_ports(service: Mapping[str, Any], env: Mapping[str, str]) -> list[str]:
    """What a person has to know of its ports."""
    written = service.get("ports")
    if written is None:
        return []
    ports = written if isinstance(written, list | tuple) else [written]
    if isinstance(written, bool | Mapping) or _shape(written) == "something else":
        return [f"`ports` is {_shape(written)}, not a list: it was not read."]
    published, told = [], []
    for at, one in enumerate(ports):
        port = _port(one, env)
        if port is None:
            told.append(f"`ports[{at}]` is no port as Compose writes them: it was not read.")
        elif ":" in port:
            published.append(port)
    if published:
        told.insert(
            0,
            f"The stack publishes {', '.join(published)}: name the host in `ingress.hosts`; the port is free once the stack "
            "is stopped.",
        )
    return told


def _port(one: object, env: Mapping[str, str]) -> str | None:
    """A port as `published:target`, or `target` alone; None where it is none. It shows nothing that is no port."""
    if isinstance(one, Mapping):
        parts = [_text(one[key], env) for key in ("host_ip", "published", "target") if one.get(key) is not None]
        if not parts or one.get("target") is None or None in parts:
            return None
        port = ":".join(str(part) for part in parts)
    else:
        port = _text(one, env) or ""
    return port if _PORT.fullmatch(port) else None


def _name(key: object) -> str:
    return key[:80] if isinstance(key, str) else _shape(key)


def _shape(value: object) -> str:
    """What a value is, in words; never the value."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else "something else"


def printable(text: str) -> str:
    """The text without characters that would steer a terminal."""
    return "".join(one if one.isprintable() else "?" for one in text)


def _text(value: object, env: Mapping[str, str]) -> str | None:
    """A text with `${NAME}`, `${NAME:-default}` and `$NAME` replaced, as Compose does, or a number; None for all else."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _value(found, env), value) if len(value) <= _LONGEST else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return str(value) if abs(value) < _LARGEST else None


def _value(found: re.Match[str], env: Mapping[str, str]) -> str:
    known = env.get(found["braced"] or found["plain"])
    if known is None or (not known and found["sign"] == ":-"):
        return found["default"] or ""
    return known
