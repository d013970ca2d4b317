# SPDX-License-Identifier: Apache-2.0
"""The store of documents: what every kind's record looks like, and what every store promises.

SQLite fulfils it here (`sqlite_documents`), an API server on Kubernetes, a dictionary in tests; all pass
`tests/contract/test_documents.py`. It stores JSON and knows no kind. Used by control and, for reading, by the command line.

Writers never lock: they read, decide, and write with the version they read; who comes second gets `VersionConflict`
and starts again from a fresh read.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from mooring.domain.model.identity import Ref
from mooring.errors import ConflictError, Retry


class VersionConflict(ConflictError):
    """The document is not at the version that the writer read; nothing was written."""

    code = "MOOR-500"
    reason = "VersionConflict"
    retry = Retry.NOW
    default_resolution = "Run the command again: it starts from the document as it is now."


@dataclass(frozen=True)
class Document:
    """One record.

    Attributes:
        ref: kind, namespace and name.
        id: minted once by whoever creates it; a record that was deleted and created again has another one.
        generation: 1 when created, one more with each change of `spec`; set by the store.
        version: opaque; another one after each write, never used twice for one `ref`; set by the store.
        meta: JSON object: labels, annotations and the like.
        spec: JSON object: what is wanted; only people and their tools change it.
        status: JSON object: what is; only Mooring changes it.
        deleted_at: aware; when deletion was asked for, None while it was not. The record stays until `delete`.
    """

    ref: Ref
    id: str
    generation: int = 0
    version: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    status: Mapping[str, Any] = field(default_factory=dict)
    deleted_at: datetime | None = None


class Documents(Protocol):
    """A store of documents. Every call is one short transaction."""

    async def get(self, ref: Ref) -> Document | None:
        """The document, None when there is none."""
        ...

    async def list(self, kind: str | None = None, *, owner: Ref | None = None) -> Sequence[Document]:
        """Documents ordered by reference: of a kind or of all, and with an owner only those that are its own.

        The owner of a document is what `owner_of` says. Asking for one owner's documents costs as much as it has, however
        many there are of others: a store keeps an index of it (a column here, a label on Kubernetes).
        """
        ...

    async def put(self, doc: Document, *, if_version: str | None) -> Document:
        """Write `meta`, `spec` and `deleted_at`; the stored status stays, and is empty in a new document.

        Args:
            doc: what to write; its generation, version and status are not read.
            if_version: the version it replaces; None creates.

        Returns:
            The document as stored: the generation is one higher if the spec differs from the stored one.

        Raises:
            VersionConflict: it is at another version, is gone, has another id, or (None) exists already.
        """
        ...

    async def put_status(self, doc: Document, *, if_version: str) -> Document:
        """Write `status`; everything else stays as it is stored.

        Raises:
            VersionConflict: it is at another version, is gone, or has another id.
        """
        ...

    async def delete(self, ref: Ref, *, if_version: str) -> None:
        """Remove the document.

        Raises:
            VersionConflict: it is at another version, or gone already.
        """
        ...

    def changes(self) -> AsyncIterator[Ref]:
        """References to look at again: first those of all documents there are, then each that was written or removed.

        Several writes may come as one. It never ends by itself and never says what changed.
        """
        ...

    async def close(self) -> None:
        """Release what is held; safe to repeat."""
        ...


def owner_of(doc: Document) -> str:
    """Whose a document is, as `str` of that reference; empty for nobody's.

    That is `meta.owner`, and for what asks something of an instance the instance that `spec.instanceRef` names in its own
    namespace. It can change with every write of `meta` or `spec`.
    """
    given = doc.meta.get("owner")
    if isinstance(given, str) and given:
        return given
    target = doc.spec.get("instanceRef")
    if not isinstance(target, Mapping) or not isinstance(target.get("name"), str):
        return ""
    return str(Ref(str(target.get("kind") or "OdooInstance"), doc.ref.namespace, target["name"]))


def dump_json(value: Mapping[str, Any]) -> str:
    """Compact text of a JSON object, keys in the order they have.

    Raises:
        TypeError: something in it is no JSON value.
        ValueError: a number in it is not finite.
    """
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def same_json(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two JSON objects say the same; unlike `==` it tells true from 1, and 1 from 1.0."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def check_version(ref: Ref, stored: tuple[str, str] | None, *, doc_id: str | None, if_version: str | None) -> None:
    """Compare what is stored, as (id, version), with what a writer expects; every store uses these words.

    Raises:
        VersionConflict: they differ.
    """
    if if_version is None:
        if stored is not None:
            raise VersionConflict(f"{ref} exists already.")
        return
    if stored is None:
        raise VersionConflict(f"{ref} was removed in the meantime.")
    stored_id, version = stored
    if doc_id is not None and doc_id != stored_id:
        raise VersionConflict(f"{ref} was removed and created again in the meantime.")
    if version != if_version:
        raise VersionConflict(f"{ref} was changed in the meantime.", details=f"version {version}, not {if_version}")
