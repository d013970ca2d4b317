# SPDX-License-Identifier: Apache-2.0
"""Packs what a bug report needs: versions, records with their journals, ends of logs. No secret is in it.

Records hold references only; what a manifest may hold in clear (a password in `configOptions`, a token in an address) is
masked by its field, and every value that the store of secrets knows, or that a manifest names by `file:`, is replaced
wherever it stands; one of so few characters that it is part of any text, where it is a whole value, and where it stands
behind a word such as `password`. It changes nothing. Called by `mooring report`.
"""

from __future__ import annotations

import base64
import io
import json
import re
import tarfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote

from mooring.api.explain import shown_value
from mooring.domain.model.identity import Ref
from mooring.domain.model.secret import SecretKey, SecretRef, SecretValue
from mooring.drivers.documents import Document
from mooring.errors import MooringError
from mooring.targets.base import Target

LOG_LINES = 400
SHORTEST = 4
"""Characters of the shortest value that is replaced wherever it stands."""
MASK = "***"
# Values of these keys are names and certificates: they are no secret, and are common words elsewhere.
PLAIN_KEYS = frozenset({"user", "dbname", "sslrootcert", "ca.crt", "tls.crt", "ssh-publickey", "known_hosts"})
ROLES: Mapping[str, tuple[str, ...]] = {"OdooInstance": ("web", "cron"), "DatabaseServer": ("database",)}


class KnownSecrets(Protocol):
    """A store that can say what it holds."""

    async def list(self) -> Mapping[SecretRef, tuple[str, ...]]:
        """Every secret with its keys."""
        ...

    async def value(self, key: SecretKey) -> SecretValue:
        """One value."""
        ...


_BEFORE = (  # a word that announces a value, up to the value
    r"((?i:(?:pass\w*|pwd|secret\w*|token|\w*key|credentials?)[\\\"']*\s*[:=]\s*[\\\"']*|--password\s+|://[^\s/:@]*:))"
)
"""`password=`, `"api_key": "`, `://user:`."""
_AFTER = r"(?=[^\w]|$)"


@dataclass(frozen=True)
class Scrubber:
    """Takes known secrets out of text, in every way that they are commonly written."""

    words: tuple[str, ...]
    short: frozenset[str] = frozenset()

    @classmethod
    def of(cls, values: Iterable[str]) -> Scrubber:
        """Of plain values; short ones, which replaced everywhere would make any text unreadable, are kept apart."""
        known = {value for value in values if value.strip()}
        written = {form for value in known if len(value) >= SHORTEST for form in _forms(value)}
        short = {form for value in known if len(value) < SHORTEST for form in _forms(value)}
        return cls(tuple(sorted(written, key=lambda one: (-len(one), one))), frozenset(short))

    def text(self, text: str) -> str:
        """The text without them; without short ones where the text says that a secret follows."""
        for word in self.words:
            text = text.replace(word, MASK)
        if self.short:
            either = "|".join(re.escape(one) for one in sorted(self.short, key=lambda one: (-len(one), one)))
            text = re.sub(_BEFORE + f"(?:{either})" + _AFTER, rf"\1{MASK}", text)
        return text

    def record(self, value: Any, location: tuple[str | int, ...] = ()) -> Any:
        """JSON without texts that are nothing but a short secret; references to secrets stay."""
        if isinstance(value, Mapping):
            return {key: self.record(item, (*location, str(key))) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.record(item, (*location, number)) for number, item in enumerate(value)]
        whole = isinstance(value, str | int) and not isinstance(value, bool) and str(value) in self.short
        return MASK if whole and not _is_reference(location) else value


async def pack_report(
    documents: Sequence[Document],
    secrets: KnownSecrets,
    target: Target | None,
    *,
    versions: Mapping[str, Any],
    now: datetime,
) -> bytes:
    """A tar.gz with `versions.json`, `records/*.json` and `logs/*.log`; what could not be read is in `problems.txt`.

    Args:
        documents: all records.
        target: None where nobody answers; then there are no logs.
        versions: JSON object about programs and machine.
        now: time of the files.
    """
    problems: list[str] = []
    scrubber = Scrubber.of([value async for value in _values(documents, secrets, problems)])
    files = {"versions.json": _json(versions)}
    for doc in documents:
        files[f"records/{_name(doc.ref)}.json"] = _json(scrubber.record(masked(_record(doc))))
    if target is None:
        problems.append("No engine answered: there are no logs.")
    else:
        for doc in documents:
            for role in ROLES.get(doc.ref.kind, ()):
                text = await _log(target, doc.ref, role, problems)
                if text:
                    files[f"logs/{_name(doc.ref)}.{role}.log"] = text
    if problems:
        files["problems.txt"] = "\n".join(problems) + "\n"
    return _tar({name: scrubber.text(text) for name, text in sorted(files.items())}, now)


def masked(value: Any, location: tuple[str | int, ...] = ()) -> Any:
    """JSON with every text masked whose field or look says that it may be a secret; references to secrets stay."""
    if isinstance(value, Mapping):
        return {key: masked(item, (*location, str(key))) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item, (*location, number)) for number, item in enumerate(value)]
    if not isinstance(value, str) or _is_reference(location):
        return value
    return MASK if shown_value(value, location) == MASK else value


def _is_reference(location: tuple[str | int, ...]) -> bool:
    """`{name, key}` of a Secret, or `file:PATH`: what says where a secret is, and not what it is."""
    words = [one for one in location if isinstance(one, str)]
    owner = words[-2] if len(words) > 1 and words[-1] in ("name", "key", "namespace") else words[-1] if words else ""
    return owner.endswith(("Ref", "_secret", "secrets")) or owner in ("ref", "imagePullSecret", "secretName")


async def _values(documents: Sequence[Document], secrets: KnownSecrets, problems: list[str]) -> AsyncIterator[str]:
    keys = [SecretKey(ref, key) for ref, names in (await secrets.list()).items() for key in names]
    for doc in documents:
        keys += [SecretKey(SecretRef(doc.ref.namespace, text), "value") for text in _file_references(doc.spec)]
    for key in keys:
        if key.key in PLAIN_KEYS:
            continue
        try:
            yield (await secrets.value(key)).reveal()
        except MooringError as error:
            problems.append(f"{error.code} {error.brief}")


def _file_references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _file_references(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _file_references(item)
    elif isinstance(value, str) and value.startswith("file:/"):
        yield value


async def _log(target: Target, ref: Ref, role: str, problems: list[str]) -> str:
    lines: list[str] = []
    try:
        async for line in target.logs(ref, role=role, follow=False, lines=LOG_LINES):
            lines.append(line)  # noqa: PERF401 - what came before an error is kept
    except MooringError as error:
        problems.append(f"{ref} {role}: {error.code} {error.brief}")
    return "".join(f"{line}\n" for line in lines)


def _record(doc: Document) -> dict[str, Any]:
    return {
        "kind": doc.ref.kind,
        "namespace": doc.ref.namespace,
        "name": doc.ref.name,
        "id": doc.id,
        "generation": doc.generation,
        "deletedAt": None if doc.deleted_at is None else doc.deleted_at.isoformat(),
        "meta": dict(doc.meta),
        "spec": dict(doc.spec),
        "status": dict(doc.status),
    }


def _forms(value: str) -> set[str]:
    lines = [line for line in value.splitlines() if len(line) >= SHORTEST]
    plain = {value, *lines}
    return {
        form
        for one in plain
        for form in (
            one,
            quote(one, safe=""),
            json.dumps(one, ensure_ascii=False)[1:-1],
            json.dumps(one)[1:-1],
            base64.b64encode(one.encode()).decode(),
        )
    }


def _name(ref: Ref) -> str:
    return f"{ref.kind}.{ref.namespace}.{ref.name}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n"


def _tar(files: Mapping[str, str], now: datetime) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in files.items():
            data = text.encode(errors="replace")
            entry = tarfile.TarInfo(f"mooring-report/{name}")
            entry.size, entry.mtime, entry.mode = len(data), int(now.timestamp()), 0o600
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()
