# SPDX-License-Identifier: Apache-2.0
"""The target interface: a place that runs what it is given.

Every implementation passes the contract suite in `tests/contract/test_target.py`. No call waits for the world: a call
starts something or says how far it is, and the caller comes again. Every call is safe to repeat, also after a kill in its
middle. Calls are made from one asyncio loop; an implementation moves blocking clients to threads of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from mooring.domain.model.desired import Desired
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.observed import Change, Found, Observed
from mooring.domain.model.release import Release, ResolvedRelease
from mooring.domain.model.secret import SecretKey, SecretValue
from mooring.domain.task import TaskSpec, TaskState


@dataclass(frozen=True)
class Capabilities:
    """What a target can honour; a manifest field outside it is refused by name.

    Attributes:
        name: the target's word, such as `docker`.
        fields: dotted manifest paths (camelCase) of `OdooInstance.spec` that it cannot honour.
        enforces_size: whether a volume's size is a limit or only compared with free space.
        git_releases: whether a release may be a git reference.
    """

    name: str
    unsupported_fields: frozenset[str] = frozenset()
    enforces_size: bool = False
    git_releases: bool = False


class SecretReader(Protocol):
    """How a target gets the value for a slot at the moment it writes a file."""

    async def value(self, key: SecretKey) -> SecretValue:
        """The value.

        Raises:
            MissingSecret: there is no such secret or key, or it is empty.
        """
        ...


class Target(Protocol):
    """A place that runs instances."""

    capabilities: Capabilities

    async def observe(self, ref: Ref, *, live: bool = False) -> Observed:
        """What is there of `ref` now. `live` bypasses every cache and also compares the files inside replicas.

        Raises:
            EngineUnreachable: nobody answers; never read as an empty answer.
        """
        ...

    def diff(self, want: Desired, seen: Observed) -> Sequence[Change]:
        """What `converge` would do, in order; pure. Empty when nothing differs."""
        ...

    async def converge(self, want: Desired, seen: Observed) -> Sequence[Change]:
        """One pass towards `want`: does what can be done now without waiting; returns what it did.

        Replicas of a workload are replaced one at a time, the next when the last is ready. Processes that are no longer
        wanted are stopped with their grace period in the background of the world, not of this call.

        Raises:
            Foreign: an object with our name carries another identity, or none.
            EngineUnreachable: nobody answers.
        """
        ...

    async def start(self, task: TaskSpec) -> None:
        """Create the task's process with what it is given, or adopt the one of that name.

        Raises:
            UploadRefused: what it is to be given cannot be read, or holds what is neither file nor folder.
            Foreign: the name is taken by something that is not this task.
        """
        ...

    async def task(self, name: str) -> TaskState:
        """How far the task is."""
        ...

    async def cancel(self, name: str) -> None:
        """Ask the task to stop, then kill it; returns at once: poll `task`."""
        ...

    async def forget(self, name: str) -> None:
        """Remove what is left of a task that ended; nothing when there is nothing."""
        ...

    def read_task_file(self, name: str, path: str) -> AsyncIterator[bytes]:
        """The content of a regular file that an ended task left in its own file system, in pieces; there until `forget`.

        Raises:
            NoSuchObject: there is no such task, or no such file.
        """
        ...

    async def resolve(self, release: Release, *, pull_secret: SecretKey | None = None) -> ResolvedRelease:
        """Pin a release; gets it when it is missing.

        Raises:
            ImageNotFound: no registry has it.
            RegistryUnreachable: no registry answers and it is not here.
        """
        ...

    async def read_image_file(
        self, image: ResolvedRelease, path: str, *, place: Ref, identity: Identity
    ) -> bytes | None:
        """A regular file of an image that nothing of is run for; None where that cannot be had without running it.

        Args:
            image: a resolved one.
            path: absolute.
            place: who wants to know; what holds the image open meanwhile is theirs.
            identity: theirs.
        """
        ...

    async def remove_volumes(self, ref: Ref, identity: str) -> Sequence[str]:
        """Delete the data of `ref` that carries this instance id; the names of what was removed.

        Raises:
            Foreign: a volume of that name carries another id.
        """
        ...

    async def inventory(self) -> Sequence[Found]:
        """Everything on this target that carries this installation's id or any Mooring's."""
        ...

    def selector(self, ref: Ref, *, role: str) -> str:
        """The labels by which the target's own tools find the processes of `role`, as `key=value,…`; pure."""
        ...

    def changes(self) -> AsyncIterator[Ref]:
        """References to look at again; never says what changed."""
        ...

    def logs(self, ref: Ref, *, role: str, follow: bool, lines: int) -> AsyncIterator[str]:
        """The log of a role's replicas, line by line, prefixed by the replica when there are several."""
        ...

    async def attach(self, ref: Ref, argv: Sequence[str], *, role: str, tty: bool) -> int:
        """Run `argv` inside a running replica of `role` with this process's terminal; its exit code."""
        ...

    async def close(self) -> None:
        """Release connections and threads."""
        ...
