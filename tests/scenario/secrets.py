# SPDX-License-Identifier: Apache-2.0
"""Secrets in memory, as strict as `SecretFiles`, and remembering every value by its version."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from mooring.domain.model.secret import SecretKey, SecretRef, SecretValue
from mooring.drivers.secret_store import EmptySecret, MissingSecret


class MemorySecrets:
    """A store of secrets. `before_write` is called before each change; it may raise (a crash)."""

    def __init__(self) -> None:
        self.values: dict[SecretRef, dict[str, SecretValue]] = {}
        self.before_write: Callable[[str], None] | None = None

    async def read(self, ref: SecretRef) -> Mapping[str, SecretValue]:
        """See `Secrets.read`."""
        if not self.values.get(ref):
            raise MissingSecret(f"There is no secret {ref.name}.")
        return {key: self.peek(SecretKey(ref, key)) for key in self.values[ref]}

    async def value(self, key: SecretKey) -> SecretValue:
        """See `Secrets.value`."""
        return self.peek(key)

    def peek(self, key: SecretKey) -> SecretValue:
        """The value as it is now."""
        found = self.values.get(key.ref, {}).get(key.key)
        if found is None:
            raise MissingSecret(f"The secret {key.ref.name} has no {key.key}.")
        if not found.reveal():
            raise EmptySecret(f"The secret {key.ref.name} has nothing in {key.key}.")
        return found

    async def ensure(self, ref: SecretRef, make: Callable[[], Mapping[str, SecretValue]]) -> None:
        """See `Secrets.ensure`."""
        there = self.values.get(ref, {})
        missing = {key: value for key, value in make().items() if key not in there}
        if missing:
            self._note(f"ensure secret {ref.name}")
            self.values[ref] = {**there, **missing}

    async def version(self, ref: SecretRef, key: str) -> str:
        """See `Secrets.version`."""
        text = f"{ref}\0{key}\0{self.peek(SecretKey(ref, key)).reveal()}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    async def delete(self, ref: SecretRef, key: str | None = None) -> None:
        """As `SecretFiles.delete`, which refuses what is not there."""
        if ref not in self.values or (key is not None and key not in self.values[ref]):
            raise MissingSecret(f"There is no secret {ref.name}.")
        self._note(f"delete secret {ref.name}")
        if key is None:
            del self.values[ref]
        else:
            del self.values[ref][key]

    def put(self, ref: SecretRef, **values: str) -> None:
        """As a person sets them; `_` in a key stands for `-`."""
        given = {key.replace("_", "-"): SecretValue(value) for key, value in values.items()}
        self.values[ref] = {**self.values.get(ref, {}), **given}

    def _note(self, what: str) -> None:
        if self.before_write is not None:
            self.before_write(what)
