# SPDX-License-Identifier: Apache-2.0
"""Images of an engine: got, built, and made of a tree. One blocking method a verb.

A part of `mooring.drivers.docker.engine.Engine`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from mooring.drivers.docker.connection import Connection
from mooring.drivers.docker.faults import build_refusal, mapped, pulling, refusal, registry_refusal
from mooring.drivers.docker.find import open_client
from mooring.drivers.errors import NoSuchObject

_PIECE = 1024 * 1024


class Images(Connection):
    """The calls that concern images."""

    def image(self, name: str) -> dict[str, Any] | None:
        """All about an image that is here; None if it is not."""
        try:
            with mapped(f"inspect image {name}"):
                return dict(self._client.inspect_image(name))
        except NoSuchObject:
            return None

    def pull(self, name: str, *, login: Mapping[str, str] | None, idle_timeout_s: float) -> None:
        """Get an image. Docker reports most failures before the stream, Podman inside one that began with 200.

        Raises:
            ImageNotFound: the registry does not have it.
            RegistryUnreachable: it does not answer, or went silent for `idle_timeout_s` seconds.
            RegistryDenied: it asks for another login.
        """
        repository, separator, tag = name.partition("@") if "@" in name else name.rpartition(":")
        if not separator or "/" in tag:
            repository, tag = name, "latest"
        client: Any = open_client(self.address, timeout_s=idle_timeout_s)
        # The library waits without end for a pull, whatever its client was told.
        send = client.send
        client.send = lambda request, **given: send(request, **{**given, "timeout": idle_timeout_s})
        try:
            with pulling(name):
                for message in client.pull(
                    repository, tag=tag, stream=True, decode=True, auth_config=dict(login) if login else None
                ):
                    if "error" in message:
                        raise registry_refusal(name, str(message["error"]))
        finally:
            client.close()

    def build(
        self,
        name: str,
        context: IO[bytes],
        *,
        dockerfile: str,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
        network: bool,
        timeout_s: float,
    ) -> None:
        """Build an image of that name from a tar of its context; base images must be here. Calling twice is safe.

        Args:
            context: read from where it stands.
            dockerfile: its path in the context.
            network: whether what it runs may reach the network.
            timeout_s: seconds that one instruction may be silent.

        Raises:
            BuildFailed: an instruction failed; the details are the end of what was said.
        """
        said: list[str] = []
        with mapped(f"build the image {name}"):
            client: Any = open_client(self.address, timeout_s=timeout_s)
            try:
                for message in client.build(
                    fileobj=context,
                    custom_context=True,
                    dockerfile=dockerfile,
                    tag=self._filed(name),
                    buildargs=dict(arguments),
                    labels=dict(labels),
                    network_mode=None if network else "none",
                    timeout=timeout_s,
                    rm=True,
                    forcerm=True,
                    decode=True,
                ):
                    said += str(message.get("stream") or message.get("error") or "").splitlines()
                    if "error" in message:
                        raise build_refusal(name, said)
            finally:
                client.close()

    def import_tree(self, name: str, archive: IO[bytes]) -> None:
        """Make an image of one layer from a tar of a root file system."""
        repository, _, tag = self._filed(name).rpartition(":")
        # A generator goes in chunks; of a file the library says both its length and that it comes in chunks.
        pieces = iter(lambda: archive.read(_PIECE), b"")
        with mapped(f"import the image {name}"):
            answer: str = self._client.import_image_from_stream(pieces)
            end = json.loads(answer.splitlines()[-1])
            if "error" in end:
                raise refusal(f"import the image {name}", str(end["error"]))
            # Podman 4.3 imports, and leaves out the tag that it is given.
            self._client.tag(end["status"], repository, tag, force=True)

    def _filed(self, name: str) -> str:
        """Podman files short names of what it makes under localhost/, and looks for them under docker.io/library/."""
        return f"docker.io/library/{name}" if self.podman and "/" not in name else name
