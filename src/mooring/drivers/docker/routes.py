# SPDX-License-Identifier: Apache-2.0
"""Subnets that this machine already routes: another engine's networks, a company's VPN. Reads Linux's routing table."""

from __future__ import annotations

import ipaddress
from pathlib import Path

TABLE = Path("/proc/net/route")


def local_subnets(table: Path = TABLE) -> list[str]:
    """IPv4 subnets with a route, the default route left out; empty where there is no such table."""
    try:
        lines = table.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return []
    found = (line.split() for line in lines)
    nets = (_net(fields[1], fields[7]) for fields in found if len(fields) > 7)
    return [str(net) for net in nets if net.prefixlen]


def _net(address: str, mask: str) -> ipaddress.IPv4Network:
    """Both are hexadecimal in the machine's byte order, which is little-endian wherever containers run."""
    numbers = (int.from_bytes(bytes.fromhex(text), "little") for text in (address, mask))
    host, bits = (ipaddress.IPv4Address(number) for number in numbers)
    return ipaddress.IPv4Network(f"{host}/{bits}", strict=False)
