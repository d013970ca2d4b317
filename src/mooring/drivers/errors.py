# SPDX-License-Identifier: Apache-2.0
"""What can go wrong outside, in words that every engine shares: container engines, clusters and hosts alike.

Drivers raise these; targets add what only they can know (`mooring.targets.errors`).
"""

from __future__ import annotations

from mooring.errors import ConflictError, FailedError, NotFoundError, Retry


class EngineUnreachable(FailedError):
    """Nobody answers where the engine should be."""

    code = "MOOR-301"
    reason = "EngineUnreachable"
    retry = Retry.AFTER
    default_resolution = "Start the engine (`systemctl start docker`, or podman.socket) or point DOCKER_HOST at it."


class EngineRefused(FailedError):
    """The engine answered, and would not do it."""

    code = "MOOR-302"
    reason = "EngineRefused"
    retry = Retry.AFTER
    default_resolution = "Read the engine's own words in the details; `mooring doctor` checks what it usually is."


class DiskFull(FailedError):
    """The engine's disk is full."""

    code = "MOOR-303"
    reason = "DiskFull"
    retry = Retry.AFTER
    default_resolution = "Free space where the engine keeps its images and volumes, then run the command again."


class ImageNotFound(NotFoundError):
    """No registry has the image."""

    code = "MOOR-304"
    reason = "ImageNotFound"
    default_resolution = "Check the image's name and tag; `docker images` shows what is on this machine."


class RegistryUnreachable(FailedError):
    """The image is not here and its registry does not answer."""

    code = "MOOR-305"
    reason = "RegistryUnreachable"
    retry = Retry.AFTER
    default_resolution = "Check the network, or load the image by hand with `docker load` and run the command again."


class RegistryDenied(FailedError):
    """The registry asks for a login that it was not given, or refuses the one it got."""

    code = "MOOR-306"
    reason = "RegistryDenied"
    default_resolution = "Check `imagePullSecret`; a registry also denies images that do not exist."


class BuildFailed(FailedError):
    """An image could not be built on the engine."""

    code = "MOOR-311"
    reason = "BuildFailed"
    default_resolution = "Read the end of the build's own words in the details, mend it, then run the command again."


class NoSuchObject(NotFoundError):
    """An object of the engine is gone, or never was."""

    code = "MOOR-307"
    reason = "ObjectMissing"
    retry = Retry.NOW


class NameTaken(ConflictError):
    """The engine has an object of that name already."""

    code = "MOOR-308"
    reason = "NameTaken"


class PortTaken(ConflictError):
    """A port that should be published is in use."""

    code = "MOOR-309"
    reason = "PortTaken"
    default_resolution = "Stop what listens there (`ss -ltnp` names it) or choose another port in the manifest."


class SubnetTaken(ConflictError):
    """A subnet overlaps one in use."""

    code = "MOOR-310"
    reason = "SubnetTaken"
    retry = Retry.NOW


class UploadRefused(FailedError):
    """What a person wants to bring cannot be read, or holds what is neither a file nor a folder."""

    code = "MOOR-580"
    reason = "UploadRefused"
    retry = Retry.NEVER
    default_resolution = "Let the user read it whom Mooring runs as, and take links and devices out of it."
