# SPDX-License-Identifier: Apache-2.0
"""What can go wrong when a target carries out what it is given. Faults of what is outside come from `mooring.drivers`."""

from __future__ import annotations

from mooring.drivers.errors import (
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
from mooring.errors import ConflictError, FailedError, NotFoundError, Retry, TimeoutExceeded, UsageError

__all__ = [
    "AddressNotRelayed",
    "DiskFull",
    "EngineRefused",
    "EngineUnreachable",
    "Foreign",
    "HostTaken",
    "ImageNotFound",
    "NameTaken",
    "NoSuchObject",
    "NotRunning",
    "PortTaken",
    "PortsExhausted",
    "RegistryDenied",
    "RegistryUnreachable",
    "RelayFailed",
    "SiteRefused",
    "SubnetTaken",
    "SubnetsExhausted",
    "TaskBusy",
    "TaskDeadline",
    "TaskFailed",
    "TaskInterrupted",
    "TaskOutOfMemory",
    "TaskUnusable",
]


class Foreign(ConflictError):
    """An object with our name carries another identity, or none; nothing was changed."""

    code = "MOOR-320"
    reason = "ForeignObject"
    retry = Retry.NEVER
    default_resolution = "Take it over with `mooring adopt`, or rename or remove it, then run the command again."


class HostTaken(ConflictError):
    """Another instance of this engine serves the host name."""

    code = "MOOR-321"
    reason = "HostTaken"
    retry = Retry.NEVER
    default_resolution = "Remove the host name from one of the two manifests."


class PortsExhausted(FailedError):
    """Every port of the configured range is in use."""

    code = "MOOR-322"
    reason = "PortsExhausted"
    default_resolution = "Widen the range of published ports in the configuration, or remove instances."


class SubnetsExhausted(FailedError):
    """Every subnet of the configured pool is in use."""

    code = "MOOR-323"
    reason = "SubnetsExhausted"
    default_resolution = "Configure a larger network pool, or remove networks that nothing uses."


class SiteRefused(FailedError):
    """The ingress refused a site; the others were not touched."""

    code = "MOOR-324"
    reason = "SiteRefused"
    default_resolution = "Correct `ingress` in the manifest as the details say."


class NotRunning(NotFoundError):
    """There is no running replica to do this in."""

    code = "MOOR-325"
    reason = "NotRunning"
    default_resolution = "Start the instance with `mooring start`, then run the command again."


class TaskFailed(FailedError):
    """A task's process ended badly."""

    code = "MOOR-330"
    reason = "TaskFailed"


class TaskOutOfMemory(FailedError):
    """A task needed more memory than its limit."""

    code = "MOOR-331"
    reason = "OutOfMemory"
    default_resolution = "Raise `resources.memory` in the manifest, then run the operation again."


class TaskDeadline(TimeoutExceeded):
    """A task ran longer than it may."""

    code = "MOOR-332"
    reason = "TaskDeadlineExceeded"
    default_resolution = "Look at the end of its log; raise the operation's `deadline` if it was still working."


class TaskInterrupted(FailedError):
    """The engine or the machine stopped while a task ran."""

    code = "MOOR-333"
    reason = "TaskInterrupted"
    retry = Retry.AFTER
    default_resolution = "Run the operation again: it resumes."


class TaskUnusable(FailedError):
    """A task's process could not be started."""

    code = "MOOR-334"
    reason = "TaskNotStarted"


class TaskBusy(ConflictError):
    """A task still runs."""

    code = "MOOR-335"
    reason = "TaskRunning"
    default_resolution = "Cancel the operation, or wait for its end."


class RelayFailed(FailedError):
    """The relay that is a task's only way out could not be brought to listen."""

    code = "MOOR-336"
    reason = "RelayFailed"
    retry = Retry.AFTER
    default_resolution = (
        "Look at what it printed; the engine image has to be of this version. Then run the command again."
    )


class AddressNotRelayed(UsageError):
    """What alone may be reached is given as an address, and nothing tells the process to connect elsewhere."""

    code = "MOOR-337"
    reason = "AddressNotRelayed"
    default_resolution = "Give a host name instead of the address in the manifest."
