# SPDX-License-Identifier: Apache-2.0
"""Which subnet a new network gets; pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from mooring.targets.errors import SubnetsExhausted

Net = ipaddress.IPv4Network


def plan_subnets(pool: str, prefix: int, used: Iterable[str]) -> Iterator[str]:
    """Free subnets of the pool, the smallest first.

    Args:
        pool: such as `10.213.0.0/16`.
        prefix: size of one, such as 27.
        used: subnets in use by any network; IPv6 ones are passed over.

    Raises:
        SubnetsExhausted: after the last one.
    """
    taken = [net for text in used if (net := _read(text)) is not None]
    for candidate in ipaddress.IPv4Network(pool).subnets(new_prefix=prefix):
        if not any(candidate.overlaps(net) for net in taken):
            yield str(candidate)
    raise SubnetsExhausted(f"all subnets of {pool} are in use")


def _read(text: str) -> Net | None:
    try:
        net = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    return net if isinstance(net, ipaddress.IPv4Network) else None
