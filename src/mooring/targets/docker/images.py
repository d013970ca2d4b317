# SPDX-License-Identifier: Apache-2.0
"""Images: pinned, and got when they are missing. Blocking; called in a thread by the target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mooring.domain.model.release import Release, ResolvedRelease
from mooring.domain.model.secret import SecretKey, SecretValue
from mooring.drivers.docker.engine import Engine
from mooring.drivers.docker.registry import DOCKER_HUB, login_for, registry_of
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


class PullSecretUnusable(UsageError):
    """A pull secret holds no Docker configuration."""

    code = "MOOR-328"
    reason = "PullSecretUnusable"
    default_resolution = (
        "Give its key `.dockerconfigjson` what `docker login` writes to `~/.docker/config.json`: "
        '`{"auths": {"registry.example": {"auth": "…"}}}`.'
    )


@dataclass(frozen=True)
class PullLogin:
    """What a pull secret holds.

    Attributes:
        key: where it is, for errors.
        config: a Docker configuration with logins.
    """

    key: SecretKey
    config: SecretValue


def read_login(key: SecretKey | None, secret: Callable[[SecretKey], bytes]) -> PullLogin | None:
    """The login that `key` names; None for none.

    Raises:
        MissingSecret: there is no such secret.
    """
    return None if key is None else PullLogin(key, SecretValue(secret(key).decode()))


def ensure_image(
    engine: Engine, options: DockerOptions, name: str, *, login: PullLogin | None = None
) -> dict[str, Any]:
    """The image, got when it is not here.

    Raises:
        ImageNotFound: no registry has it.
        RegistryUnreachable: no registry answers.
        RegistryDenied: the registry refuses the login, or wants one.
        PullSecretUnusable: the login is none.
        DiskFull: there is no room for it.
    """
    found = engine.image(name)
    if found is None:
        _pull(engine, options, name, login)
        found = engine.image(name)
    if found is None:
        raise ImageNotFound(f"the engine got {name} and does not have it")
    return found


def _pull(engine: Engine, options: DockerOptions, name: str, login: PullLogin | None) -> None:
    """Get it; who has a pull secret is told which one the registry refused."""
    given = _login_for(name, login) if login is not None else None
    try:
        engine.pull(name, login=given, idle_timeout_s=options.pull_idle_s)
    except RegistryDenied as fault:
        if login is None:
            raise
        ref = login.key.ref
        secret, place = ref.name, "" if ref.namespace == "default" else f" -n {ref.namespace}"
        why = (
            f"its registry refuses the login in the secret {secret}"
            if given is not None
            else f"the secret {secret} has no login for its registry, which wants one"
        )
        resolution = (
            f"Set the right one with `mooring secret set{place} {secret} {login.key.key}`; a registry also denies images "
            "that do not exist."
        )
        brief = f"could not get the image {name}: {why}"
        raise RegistryDenied(brief, details=fault.details, resolution=resolution) from fault


def _login_for(name: str, login: PullLogin) -> dict[str, str] | None:
    try:
        return login_for(name, login.config.reveal())
    except ValueError:
        brief = f"the secret {login.key.ref.name}, with which {name} would be got, holds no login"
    # Raised out here: the words of what was caught would quote the value.
    raise PullSecretUnusable(brief)


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


def ensure_release(
    engine: Engine, options: DockerOptions, release: ResolvedRelease, secret: Callable[[SecretKey], bytes]
) -> None:
    """The pinned image is on the engine; one that was pruned is got again by its registry's digest, never by its tag.

    Args:
        secret: reads the release's pull secret, which is asked for only where the image has to be got.

    Raises:
        ImageGone: no registry knows its digest, or the registry does not give it, or gave something else for it.
        RegistryUnreachable: its registry does not answer.
        RegistryDenied: its registry refuses the login in its pull secret.
        MissingSecret: there is no such secret.
        PullSecretUnusable: the secret holds no login.
        DiskFull: there is no room for it.
    """
    if engine.image(release.reference) is not None:
        return
    if not release.reference.startswith("sha256:"):
        ensure_image(engine, options, release.reference, login=read_login(release.pull_secret, secret))
        return
    again = f"`docker pull {release.source}`, or `docker load` of a copy"
    brief = f"the image {release.source} ({release.reference[:19]}) is no longer on the engine; load or pull it again"
    resolution = f"Bring the same image back with {again}; or apply the manifest with an image that is there."
    name = portable_image(release)
    if "@" not in name:
        details = "It was built or loaded here: no registry has a digest of it."
        raise ImageGone(brief, details=details, resolution=resolution)
    login = read_login(release.pull_secret, secret)
    try:
        _pull(engine, options, name, login)
    except (ImageNotFound, RegistryDenied) as fault:
        if login is not None and isinstance(fault, RegistryDenied):
            raise
        if isinstance(fault, RegistryDenied):
            resolution += " For a private image name its registry's login in `imagePullSecret`."
        details = f"{fault.brief}\n{fault.details}".strip()
        raise ImageGone(brief, details=details, resolution=resolution) from fault
    if engine.image(release.reference) is None:
        details = f"{name} was got; on this engine it has another id."
        raise ImageGone(brief, details=details, resolution=resolution)


def portable_image(image: ResolvedRelease) -> str:
    """`name@digest` where a registry has it, so that another machine can get it; else the image's id on this engine."""
    if image.digest == image.reference:
        return image.reference if image.reference.startswith("sha256:") else image.source
    return f"{_repository(image.source)}@{image.digest}"


def resolve_image(
    engine: Engine, options: DockerOptions, release: Release, *, login: PullLogin | None
) -> ResolvedRelease:
    """Pin a release: it runs by its image id, whatever happens to its tag, and shows its registry's digest if it has one.

    Raises:
        NotAnImage: it is a git reference.
    """
    if release.image is None:
        raise NotAnImage(f"{release.display} is no image")
    image = ensure_image(engine, options, release.image, login=login)
    digests = [str(text) for text in image.get("RepoDigests") or ()]
    pin = decide_digest(release.image, digests) or _image_id(image)
    return ResolvedRelease(source=release.image, reference=_image_id(image), digest=pin)


def decide_digest(source: str, digests: Sequence[str]) -> str:
    """By which digest the registry of `source` knows an image; empty where no registry does; pure.

    An image that was also got from or pushed to another repository has one there, too, which its own may not know.

    Args:
        source: the image's name as it was given.
        digests: `REPOSITORY@DIGEST`, as the engine lists them.
    """
    # Podman gives a digest also to what was loaded from a file; no registry knows that one.
    known = [text.partition("@")[::2] for text in digests if not text.startswith("localhost/")]
    name = _in_full(_repository(source))
    own = [digest for repository, digest in known if _in_full(repository) == name]
    return next(iter(own or [digest for _, digest in known]), "")


def _image_id(image: dict[str, Any]) -> str:
    text = str(image["Id"])
    return text if text.startswith("sha256:") else f"sha256:{text}"


def _repository(name: str) -> str:
    """An image's name without its tag and digest."""
    head, slash, last = name.partition("@")[0].rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _in_full(repository: str) -> str:
    """Docker Hub's repositories as Podman writes them: Docker leaves their registry out."""
    if registry_of(repository) != DOCKER_HUB or repository.startswith(f"{DOCKER_HUB}/"):
        return repository
    return f"{DOCKER_HUB}/{repository}" if "/" in repository else f"{DOCKER_HUB}/library/{repository}"
