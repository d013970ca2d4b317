# SPDX-License-Identifier: Apache-2.0
"""Who is who: references, names of children, identity of what Mooring made.

Names derive from kind, namespace and name, never from a uid, so that an instance that lost its record finds its objects
again. What tells two instances of one name apart is the instance id, which is kept on the data itself.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_UNSAFE = re.compile(r"[^a-z0-9-]+")


@dataclass(frozen=True, order=True)
class Ref:
    """One document, everywhere: its kind, namespace and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """`OdooInstance shop`, or `OdooInstance team/shop` outside the namespace `default`."""
        name = self.name if self.namespace == "default" else f"{self.namespace}/{self.name}"
        return f"{self.kind} {name}"


@dataclass(frozen=True)
class Identity:
    """What stands on every object that Mooring makes.

    Attributes:
        installation: id of this Mooring; an object without it is never taken over.
        instance: id minted once for the instance or server; it stays with the data.
    """

    installation: str
    instance: str


def child(owner: Ref, role: str, *, limit: int = 52) -> str:
    """The name of what `owner` has in `role`, an RFC 1035 label: readable prefix, hyphen, 8 hex digits.

    The digits come from kind, namespace, name and role, so that the child `cron` of `foo` and the child `x` of an instance
    `foo-cron` differ, however long the names are. 52 leaves room for what a StatefulSet or a Job appends to reach 63.

    Args:
        owner: whose child it is.
        role: what it is for, unique within the owner.
        limit: longest allowed name, in characters; at least 16.
    """
    identity = "\0".join((owner.kind, owner.namespace, owner.name, role))
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    words = (owner.name, role) if owner.namespace == "default" else (owner.namespace, owner.name, role)
    readable = _UNSAFE.sub("-", "-".join(words).lower()).lstrip("-")
    if not readable[:1].isalpha():
        readable = f"m-{readable}"  # a namespace may begin with a digit, the name of a Service may not
    return f"{readable[: limit - 9].rstrip('-')}-{digest}"
