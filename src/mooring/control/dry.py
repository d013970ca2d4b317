# SPDX-License-Identifier: Apache-2.0
"""Services on which everything may be tried and nothing happens: what is written stays in memory, and no process begins.

Records and secrets that are written here are read back here and nowhere else. Whatever would have an effect on the target
raises `Unasked`: an answer that only the target's work could give is not known. Called by `plan` and `describe`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace

from mooring.control.events import Listener
from mooring.control.services import Services
from mooring.domain.model.desired import Desired
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.observed import Change, Found, Observed
from mooring.domain.model.release import Release, ResolvedRelease
from mooring.domain.model.secret import SecretKey, SecretRef, SecretValue
from mooring.domain.task import TaskSpec, TaskState
from mooring.drivers.documents import Document, Documents, check_version, owner_of, same_json
from mooring.drivers.secret_store import MissingSecret, Secrets
from mooring.targets.base import Target


class Unasked(Exception):
    """Only an effect on the target could give the answer."""


def dry_services(services: Services, *, listener: Listener) -> Services:
    """The same services without effects; events go to `listener`."""
    return replace(
        services,
        documents=DryDocuments(services.documents),
        secrets=DrySecrets(services.secrets),
        target=DryTarget(services.target),
        listener=listener,
    )


class DryDocuments:
    """The records, with what was written or removed here laid over them."""

    def __init__(self, below: Documents) -> None:
        """Args: below: the records as they are; only read."""
        self._below = below
        self._over: dict[Ref, Document | None] = {}
        self._writes = 0

    async def get(self, ref: Ref) -> Document | None:
        """See `Documents.get`."""
        return self._over[ref] if ref in self._over else await self._below.get(ref)

    async def list(self, kind: str | None = None, *, owner: Ref | None = None) -> Sequence[Document]:
        """See `Documents.list`."""
        found = {one.ref: one for one in await self._below.list(kind, owner=owner)}
        for ref, doc in self._over.items():
            found.pop(ref, None)
            if doc is not None and kind in (None, ref.kind) and (owner is None or owner_of(doc) == str(owner)):
                found[ref] = doc
        return [doc for _, doc in sorted(found.items())]

    async def put(self, doc: Document, *, if_version: str | None) -> Document:
        """See `Documents.put`."""
        stored = await self._checked(doc.ref, doc.id, if_version)
        if stored is None:
            return self._write(replace(doc, generation=1, status={}))
        generation = stored.generation + (not same_json(stored.spec, doc.spec))
        return self._write(replace(doc, generation=generation, status=stored.status))

    async def put_status(self, doc: Document, *, if_version: str) -> Document:
        """See `Documents.put_status`."""
        stored = await self._checked(doc.ref, doc.id, if_version)
        return self._write(replace(stored or doc, status=doc.status))

    async def delete(self, ref: Ref, *, if_version: str) -> None:
        """See `Documents.delete`."""
        await self._checked(ref, None, if_version)
        self._over[ref] = None

    def changes(self) -> AsyncIterator[Ref]:
        """See `Documents.changes`."""
        return self._below.changes()

    async def close(self) -> None:
        """The records below stay open: they are others'."""

    async def _checked(self, ref: Ref, doc_id: str | None, if_version: str | None) -> Document | None:
        stored = await self.get(ref)
        known = None if stored is None else (stored.id, stored.version)
        check_version(ref, known, doc_id=doc_id, if_version=if_version)
        return stored

    def _write(self, doc: Document) -> Document:
        self._writes += 1
        self._over[doc.ref] = written = replace(doc, version=f"dry-{self._writes}")
        return written


class DrySecrets:
    """The secrets; what would be generated is known here and forgotten afterwards."""

    def __init__(self, below: Secrets) -> None:
        """Args: below: the secrets as they are; only read."""
        self._below = below
        self._made: dict[SecretKey, SecretValue] = {}

    async def read(self, ref: SecretRef) -> Mapping[str, SecretValue]:
        """See `Secrets.read`."""
        made = {one.key: value for one, value in self._made.items() if one.ref == ref}
        try:
            return {**made, **await self._below.read(ref)}
        except MissingSecret:
            if not made:
                raise
            return made

    async def value(self, key: SecretKey) -> SecretValue:
        """See `Secrets.value`."""
        made = self._made.get(SecretKey(key.ref, key.key))
        return made if made is not None else await self._below.value(key)

    async def ensure(self, ref: SecretRef, make: Callable[[], Mapping[str, SecretValue]]) -> None:
        """See `Secrets.ensure`."""
        for name, value in make().items():
            key = SecretKey(ref, name)
            try:
                await self._below.value(key)
            except MissingSecret:
                self._made.setdefault(key, value)

    async def version(self, ref: SecretRef, key: str) -> str:
        """See `Secrets.version`; of what was made here no real version."""
        return "" if SecretKey(ref, key) in self._made else await self._below.version(ref, key)

    async def delete(self, ref: SecretRef, key: str | None = None) -> None:
        """Raise `Unasked`."""
        raise Unasked(f"{ref.name} {key or ''}")


class DryTarget:
    """The target, to look at only."""

    def __init__(self, below: Target) -> None:
        """Args: below: the target; only observed."""
        self._below = below
        self.capabilities = below.capabilities

    async def observe(self, ref: Ref, *, live: bool = False) -> Observed:
        """See `Target.observe`."""
        return await self._below.observe(ref, live=live)

    def diff(self, want: Desired, seen: Observed) -> Sequence[Change]:
        """See `Target.diff`."""
        return self._below.diff(want, seen)

    def selector(self, ref: Ref, *, role: str) -> str:
        """See `Target.selector`."""
        return self._below.selector(ref, role=role)

    async def task(self, name: str) -> TaskState:
        """See `Target.task`."""
        return await self._below.task(name)

    async def inventory(self) -> Sequence[Found]:
        """See `Target.inventory`."""
        return await self._below.inventory()

    def changes(self) -> AsyncIterator[Ref]:
        """See `Target.changes`."""
        return self._below.changes()

    def read_task_file(self, name: str, path: str) -> AsyncIterator[bytes]:
        """See `Target.read_task_file`."""
        return self._below.read_task_file(name, path)

    def logs(self, ref: Ref, *, role: str, follow: bool, lines: int) -> AsyncIterator[str]:
        """See `Target.logs`."""
        return self._below.logs(ref, role=role, follow=follow, lines=lines)

    async def converge(self, want: Desired, seen: Observed) -> Sequence[Change]:
        """Raise `Unasked`."""
        raise Unasked(f"{want.ref} {seen.at}")

    async def start(self, task: TaskSpec) -> None:
        """Raise `Unasked`."""
        raise Unasked(task.name)

    async def cancel(self, name: str) -> None:
        """Raise `Unasked`."""
        raise Unasked(name)

    async def forget(self, name: str) -> None:
        """Raise `Unasked`."""
        raise Unasked(name)

    async def resolve(self, release: Release, *, pull_secret: SecretKey | None = None) -> ResolvedRelease:
        """Raise `Unasked`: looking a release up gets it where it is missing."""
        raise Unasked(f"{release.image} {pull_secret is not None}")

    async def read_image_file(
        self, image: ResolvedRelease, path: str, *, place: Ref, identity: Identity
    ) -> bytes | None:
        """Raise `Unasked`: something has to hold the image open."""
        raise Unasked(f"{image.source} {path} {place} {identity.instance}")

    async def remove_volumes(self, ref: Ref, identity: str) -> Sequence[str]:
        """Raise `Unasked`."""
        raise Unasked(f"{ref} {identity}")

    async def attach(self, ref: Ref, argv: Sequence[str], *, role: str, tty: bool) -> int:
        """Raise `Unasked`."""
        raise Unasked(f"{ref} {role} {len(argv)} {tty}")

    async def close(self) -> None:
        """The target below stays open: it is others'."""
