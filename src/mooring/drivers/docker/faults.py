# SPDX-License-Identifier: Apache-2.0
"""What the client library raises, turned into Mooring's errors. The only place that reads an engine's words.

Docker answers most conflicts with 409 and Podman with 500, and both tell causes apart by text alone, so the texts below
are facts about engines (Docker 20.10 to 28, Podman 4.3), not about the library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import docker.errors
import requests.exceptions
import urllib3.exceptions

from mooring.drivers.errors import (
    BuildFailed,
    DiskFull,
    EngineRefused,
    EngineUnreachable,
    ImageNotFound,
    NameTaken,
    NoSuchObject,
    PortTaken,
    RegistryDenied,
    RegistryUnreachable,
    SubnetTaken,
)
from mooring.errors import MooringError

_TEXTS: tuple[tuple[type[MooringError], tuple[str, ...]], ...] = (
    (DiskFull, ("no space left on device", "disk quota exceeded")),
    (PortTaken, ("port is already allocated", "address already in use", "ports are not available")),
    (SubnetTaken, ("pool overlaps", "is already used on the host", "subnet is already in use")),
    (NameTaken, ("is already in use by", "already exists", "name is already in use", "name already used")),
)
_REGISTRY_TEXTS: tuple[tuple[type[MooringError], tuple[str, ...]], ...] = (
    (DiskFull, ("no space left on device",)),
    (
        RegistryDenied,
        (
            "unauthorized",
            "authentication required",
            "no basic auth credentials",
            "access denied",
            "denied:",
            "access forbidden",
            "403 forbidden",
        ),
    ),
    (
        ImageNotFound,
        (
            "manifest unknown",
            "not found: manifest",
            "name unknown",
            "unknown blob",
            "does not exist",
            "did not resolve to an alias",
        ),
    ),
    (
        RegistryUnreachable,
        (
            "no such host",
            "server misbehaving",
            "dial tcp",
            "no route to host",
            "network is unreachable",
            "connection reset",
            "timeout",
            "timed out",
            "connection refused",
            "request canceled",
            "deadline exceeded",
            "unexpected http status: 5",
            "http response to https client",
            "tls:",
            "x509",
            ": eof",
        ),
    ),
)
# Podman answers 500 for an object that goes away while it is asked for.
_GONE = re.compile(r"no such (container|network|volume|exec)|does not exist in database|no container with name or id")
_BUILD_LINES = 15
_LOST = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.HTTPError,
    OSError,
)


@contextmanager
def mapped(what: str) -> Iterator[None]:
    """Raise Mooring's error for whatever the client raises inside.

    Args:
        what: what is being done, such as `start container shop-web-0`; becomes the error's sentence.
    """
    try:
        yield
    except docker.errors.NotFound as fault:
        raise NoSuchObject(f"could not {what}: it is not there", details=explain(fault)) from fault
    except docker.errors.APIError as fault:
        if _GONE.search(explain(fault).lower()):
            raise NoSuchObject(f"could not {what}: it is not there", details=explain(fault)) from fault
        raise refusal(what, explain(fault)) from fault
    except docker.errors.DockerException as fault:
        raise EngineUnreachable(f"could not {what}: the engine does not answer", details=str(fault)) from fault
    except _LOST as fault:
        raise EngineUnreachable(f"could not {what}: the engine does not answer", details=str(fault)) from fault


@contextmanager
def pulling(image: str) -> Iterator[None]:
    """As `mapped`, for what a pull raises: its words are a registry's, and its silence is one's, too."""
    with mapped(f"get the image {image}"):
        try:
            yield
        except docker.errors.NotFound as fault:
            found = registry_refusal(image, explain(fault))
            if isinstance(found, EngineRefused):
                found = ImageNotFound(f"could not get the image {image}: {_WHY[ImageNotFound]}", details=explain(fault))
            raise found from fault
        except docker.errors.APIError as fault:
            raise registry_refusal(image, explain(fault)) from fault
        except _LOST as fault:
            if not _silent(fault):
                raise
            brief = f"could not get the image {image}: {_WHY[RegistryUnreachable]}"
            raise RegistryUnreachable(brief, details=str(fault)) from fault


def _silent(fault: Exception) -> bool:
    """The engine has the request and says nothing; a lost connection says so at once."""
    kinds = (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError)
    return isinstance(fault, kinds) or "read timed out" in str(fault).lower()


def refusal(what: str, words: str) -> MooringError:
    """The error for an engine's refusal in `words`."""
    return _sort(_TEXTS, what, words) or EngineRefused(f"could not {what}", details=words)


def registry_refusal(image: str, words: str) -> MooringError:
    """The error for a pull that ended with `words`."""
    what = f"get the image {image}"
    return _sort(_REGISTRY_TEXTS, what, words) or EngineRefused(f"could not {what}", details=words)


def build_refusal(image: str, said: Sequence[str]) -> MooringError:
    """The error for a build that ended after it `said` these lines."""
    what = f"build the image {image}"
    end = "\n".join(line for line in said if line.strip()).splitlines()[-_BUILD_LINES:]
    if any(text in "\n".join(end).lower() for text in ("no space left on device", "disk quota exceeded")):
        return DiskFull(f"could not {what}: {_WHY[DiskFull]}", details="\n".join(end))
    return BuildFailed(f"could not {what}", details="\n".join(end))


def explain(fault: docker.errors.APIError) -> str:
    """The engine's own words."""
    return str(fault.explanation or fault)


def _sort(texts: tuple[tuple[type[MooringError], tuple[str, ...]], ...], what: str, words: str) -> MooringError | None:
    lower = words.lower()
    for error, needles in texts:
        if any(needle in lower for needle in needles):
            return error(f"could not {what}: {_WHY[error]}", details=words)
    return None


_WHY: dict[type[MooringError], str] = {
    DiskFull: "the engine's disk is full",
    PortTaken: "the port is in use",
    SubnetTaken: "its subnet overlaps another",
    NameTaken: "the name is in use",
    RegistryDenied: "the registry denies it",
    ImageNotFound: "the registry does not have it",
    RegistryUnreachable: "its registry does not answer",
}
