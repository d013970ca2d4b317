# SPDX-License-Identifier: Apache-2.0
"""Images: pinned, and got when they are missing. Blocking; called in a thread by the target."""

from __future__ import annotations

from typing import Any

from mooring.domain.model.release import Release, ResolvedRelease
from mooring.drivers.docker.engine import Engine, login_for
from mooring.errors import FailedError, UsageError
from mooring.targets.docker.options import DockerOptions
from mooring.targets.errors import ImageNotFound, RegistryDenied, RegistryUnreachable


class NotAnImage(UsageError):
    """A container engine runs images only."""

    code = "MOOR-326"
    reason = "ReleaseUnsupported"
    default_resolution = "Give `image` in the manifest, or use the host target for a git release."


class ImageGone(FailedError):
    """An image that was pinned is no longer on the engine, and cannot be got again from there."""

    code = "MOOR-327"
    reason = "ImageGone"
    default_resolution = (
        "Load or pull it again by hand, then run the command again; `docker image prune -a` removes it."
    )


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


def ensure_engine_image(engine: Engine, options: DockerOptions) -> None:
    """The image of Mooring's own tasks, got when it is not here. No target builds it; the command line does.

    Raises:
        As `ensure_image`; the resolution says which command builds it.
    """
    try:
        ensure_image(engine, options, options.engine_image)
    except (ImageNotFound, RegistryUnreachable, RegistryDenied) as fault:
        resolution = "Run `sudo mooring setup --no-instance`: it pulls this image or builds it; then try again."
        raise type(fault)(fault.brief, details=fault.details, resolution=resolution) from fault


def ensure_release(engine: Engine, options: DockerOptions, release: ResolvedRelease) -> None:
    """The pinned image is on the engine; one that was pruned is got again by its registry's digest, never by its tag.

    Raises:
        ImageGone: no registry knows its digest, or the registry does not give it, or gave something else for it.
        RegistryUnreachable: its registry does not answer.
        DiskFull: there is no room for it.
    """
    if not release.reference.startswith("sha256:"):
        ensure_image(engine, options, release.reference)
        return
    if engine.image(release.reference) is not None:
        return
    again = f"`docker pull {release.source}`, or `docker load` of a copy"
    brief = f"the image {release.source} ({release.reference[:19]}) is no longer on the engine; load or pull it again"
    resolution = f"Bring the same image back with {again}; or apply the manifest with an image that is there."
    name = portable_image(release)
    if "@" not in name:
        details = "It was built or loaded here: no registry has a digest of it."
        raise ImageGone(brief, details=details, resolution=resolution)
    try:
        engine.pull(name, login=None, idle_timeout_s=options.pull_idle_s)
    except (ImageNotFound, RegistryDenied) as fault:
        details = f"{fault.brief}\n{fault.details}".strip()
        raise ImageGone(brief, details=details, resolution=resolution) from fault
    if engine.image(release.reference) is None:
        details = f"{name} was got; on this engine it has another id."
        raise ImageGone(brief, details=details, resolution=resolution)


def portable_image(image: ResolvedRelease) -> str:
    """`name@digest` where a registry has it, so that another machine can get it; else the image's id on this engine."""
    if image.digest == image.reference:
        return image.reference if image.reference.startswith("sha256:") else image.source
    name, _, _ = image.source.partition("@")
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}@{image.digest}"


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
