# SPDX-License-Identifier: Apache-2.0
"""Networks of an engine. One blocking method a verb.

A part of `mooring.drivers.docker.engine.Engine`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mooring.drivers.docker.connection import Connection, labelled
from mooring.drivers.docker.faults import mapped
from mooring.drivers.errors import NoSuchObject


class Networks(Connection):
    """The calls that concern networks."""

    def networks(self, *, labels: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Networks that have all `labels`."""
        with mapped("list networks"):
            return labelled(self._client.networks(filters={"label": list(labels)} if labels else None), labels)

    def network(self, name: str) -> dict[str, Any] | None:
        """All about a network; None if there is none."""
        try:
            with mapped(f"inspect network {name}"):
                return dict(self._client.inspect_network(name))
        except NoSuchObject:
            return None

    def create_network(
        self, name: str, *, subnet: str, internal: bool, labels: Mapping[str, str], ip_range: str = ""
    ) -> None:
        """Create a bridge. Addresses outside `ip_range` (all of the subnet by default) are given to nobody who asks for none.

        The bridge of an internal network gets no address on Docker, so that nothing on it reaches the engine's machine.
        Podman has no such option.

        Raises:
            SubnetTaken: another network or the machine uses the subnet.
            NameTaken: there is one of that name.
        """
        room = {"Subnet": subnet, "IPRange": ip_range} if ip_range else {"Subnet": subnet}
        ipam = {"Driver": "default", "Config": [room]}
        closed = internal and not self.podman
        with mapped(f"create network {name}"):
            self._client.create_network(
                name,
                driver="bridge",
                internal=internal,
                ipam=ipam,
                labels=dict(labels),
                options={"com.docker.network.bridge.inhibit_ipv4": "true"} if closed else None,
                check_duplicate=True,
            )

    def connect(self, network: str, container: str, *, aliases: Sequence[str] = (), address: str = "") -> None:
        """Connect, under a fixed address if one is given; nothing when it is connected."""
        try:
            with mapped(f"connect container {container} to network {network}"):
                self._client.connect_container_to_network(
                    container, network, aliases=list(aliases), ipv4_address=address or None
                )
        except Exception as fault:
            words = str(getattr(fault, "details", "")).lower()
            if "already exists in network" in words or "already connected" in words:
                return
            raise

    def disconnect(self, network: str, container: str) -> None:
        """Disconnect; nothing when it is not connected."""
        try:
            with mapped(f"disconnect container {container} from network {network}"):
                self._client.disconnect_container_from_network(container, network, force=True)
        except NoSuchObject:
            return
        except Exception as fault:
            if "is not connected" in str(getattr(fault, "details", "")).lower():
                return
            raise

    def remove_network(self, name: str) -> None:
        """Remove it; nothing when it is gone."""
        try:
            with mapped(f"remove network {name}"):
                self._client.remove_network(name)
        except NoSuchObject:
            return
