# SPDX-License-Identifier: Apache-2.0
"""The store of secrets: what every store promises, and what can be wrong with a secret.

Files fulfil it here (`secret_files`), Secrets on Kubernetes. No error, name or list carries a value. Used by control, by
targets through `SecretReader`, and by `mooring secret`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from mooring.domain.model.secret import SecretKey, SecretRef, SecretValue
from mooring.errors import NotFoundError, UsageError


class MissingSecret(NotFoundError):
    """There is no such secret, or it lacks the key."""

    code = "MOOR-510"
    reason = "MissingSecret"
    default_resolution = "Set it with `mooring secret set NAME KEY`."


class EmptySecret(MissingSecret):
    """The key is there, its value is empty."""

    code = "MOOR-511"
    reason = "EmptySecret"


class BadSecretName(UsageError):
    """The name or the key of a secret cannot be one."""

    code = "MOOR-512"
    reason = "BadSecretName"
    default_resolution = (
        "Use lower-case letters, digits, hyphens and dots in names; in keys also capitals and underscores."
    )


class BadSecretValue(UsageError):
    """The value cannot be used safely, such as a password with a line break."""

    code = "MOOR-513"
    reason = "BadSecretValue"
    default_resolution = "Set it again with `mooring secret set NAME KEY`, as one line of text of at most 64 KiB."


class SecretFileRefused(UsageError):
    """A `file:` reference names a file that is not safe to take a secret from."""

    code = "MOOR-514"
    reason = "SecretFileRefused"
    default_resolution = "Name a regular file of at most 64 KiB that only its owner and group can read."


class Secrets(Protocol):
    """A store of secrets."""

    async def read(self, ref: SecretRef) -> Mapping[str, SecretValue]:
        """All keys with their values.

        Raises:
            MissingSecret: there is no such secret.
            EmptySecret: a value is empty.
            BadSecretValue: a value has a line break, NUL or something else that is no text.
        """
        ...

    async def value(self, key: SecretKey) -> SecretValue:
        """One value as it is now, whatever `key.version` says.

        Raises:
            MissingSecret: there is no such secret or key.
            EmptySecret: it is empty.
            BadSecretValue: as `read`.
        """
        ...

    async def ensure(self, ref: SecretRef, make: Callable[[], Mapping[str, SecretValue]]) -> None:
        """Create the keys of `make()` that are missing; what is there is never replaced. Of several at once one creates.

        Raises:
            BadSecretValue: a made value cannot be one.
        """
        ...

    async def version(self, ref: SecretRef, key: str) -> str:
        """12 hexadecimal digits that change with the value and tell nothing about it.

        Raises:
            MissingSecret: as `value`.
        """
        ...

    async def delete(self, ref: SecretRef, key: str | None = None) -> None:
        """Remove one key, or the whole secret.

        Raises:
            MissingSecret: it is not there.
        """
        ...
