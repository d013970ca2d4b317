# SPDX-License-Identifier: Apache-2.0
"""Images: pinned, and got when they are missing. Blocking; called in a thread by the target."""

from __future__ import annotations

from typing import Any

from mooring.domain.model.release import Release, ResolvedRelease
from mooring.drivers.docker.engine import Engine, login_for
from mooring.errors import UsageError
from mooring.targets.docker.options import DockerOptions
from mooring.targets.errors import ImageNotFound


class NotAnImage(UsageError):
    """A container engine runs images only."""

    code = "MOOR-326"
    reason = "ReleaseUnsupported"
    default_resolution = "Give `image` in the manifest, or use the host target for a git release."


def ensure_image(engine: Engine, options: DockerOptions, name: str, *, login: str | None = None) -> dict[str, Any]:
    """The image, got when it is not here.

    Args:
        login: content of a Docker configuration with the registry's login; None without one.

    Raises:
        ImageNotFound: no registry has it.
        RegistryUnreachable: no registry answers.
        RegistryDenied: the registry refuses the login.
        DiskFull: there is no room for it.
    """
    found = engine.image(name)
    if found is None:
        engine.pull(name, login=login_for(name, login) if login else None, idle_timeout_s=options.pull_idle_s)
        found = engine.image(name)
    if found is None:
        raise ImageNotFound(f"the engine got {name} and does not have it")
    return found


def resolve_image(engine: Engine, options: DockerOptions, release: Release, *, login: str | None) -> ResolvedRelease:
    """Pin a release: it runs by its image id, whatever happens to its tag, and shows its registry's digest if it has one.

    Raises:
        NotAnImage: it is a git reference.
    """
    if release.image is None:
        raise NotAnImage(f"{release.display} is no image")
    image = ensure_image(engine, options, release.image, login=login)
    digests = [str(text) for text in image.get("RepoDigests") or ()]
    # Podman gives a digest also to what was loaded from a file; no registry knows that one.
    from_registry = [text for text in digests if not text.startswith("localhost/")]
    pin = from_registry[0].partition("@")[2] if from_registry else _image_id(image)
    return ResolvedRelease(source=release.image, reference=_image_id(image), digest=pin)


def _image_id(image: dict[str, Any]) -> str:
    text = str(image["Id"])
    return text if text.startswith("sha256:") else f"sha256:{text}"
