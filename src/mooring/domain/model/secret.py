# SPDX-License-Identifier: Apache-2.0
"""References to secrets, and values that do not show themselves.

Decisions handle references only. A value exists between the store that reads it and the file that it is written to.
"""

from __future__ import annotations

from dataclasses import dataclass


class SecretValue:
    """A secret: its text form is always `***`, so that no log, error or report can carry it by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself; only for writing it where it is used."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretValue) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not serialised")


@dataclass(frozen=True, order=True)
class SecretRef:
    """A secret with its keys: a Secret on Kubernetes, a folder of 0600 files elsewhere.

    `file:PATH` in a manifest becomes the name `file:PATH` with the only key `value`.
    """

    namespace: str
    name: str


def version_name(ref: SecretRef, key: str) -> str:
    """How a value is named where only its version is known: `namespace/name/key`."""
    return f"{ref.namespace}/{ref.name}/{key}"


@dataclass(frozen=True, order=True)
class SecretKey:
    """One value of a secret.

    Attributes:
        version: changes when the value does; part of what is wanted, so that a rotation rolls the processes once.
    """

    ref: SecretRef
    key: str
    version: str = ""
