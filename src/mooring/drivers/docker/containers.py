# SPDX-License-Identifier: Apache-2.0
"""Containers of an engine: their list, their life, their files and their logs. One blocking method a verb.

A part of `mooring.drivers.docker.engine.Engine`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import IO, Any

import docker.errors

from mooring.drivers.docker.archive import first_file, member_count, read_archive
from mooring.drivers.docker.connection import Connection, labelled
from mooring.drivers.docker.faults import explain, mapped, refusal
from mooring.drivers.docker.stream import Stream
from mooring.drivers.errors import NoSuchObject

Json = Mapping[str, Any]


class Containers(Connection):
    """The calls that concern containers as a whole."""

    def containers(self, *, labels: Sequence[str] = (), name: str | None = None) -> list[dict[str, Any]]:
        """Containers, also stopped ones, that have all `labels` and a name that matches the expression `name`."""
        filters: dict[str, Any] = {}
        if labels:
            filters["label"] = list(labels)
        if name is not None:
            filters["name"] = [name]
        with mapped("list containers"):
            return labelled(self._client.containers(all=True, filters=filters), labels)

    def attached(self, network: str) -> list[dict[str, Any]]:
        """Containers, also stopped ones, that are on a network."""
        with mapped(f"list the containers on network {network}"):
            return list(self._client.containers(all=True, filters={"network": [network]}))

    def container(self, name: str) -> dict[str, Any] | None:
        """All about a container; None if there is none."""
        try:
            with mapped(f"inspect container {name}"):
                return dict(self._client.inspect_container(name))
        except NoSuchObject:
            return None

    def create(self, name: str, config: Json) -> str:
        """Create a container from the API's configuration object; its id.

        Raises:
            NameTaken: there is one of that name.
        """
        with mapped(f"create container {name}"):
            return str(self._client.create_container_from_config(dict(config), name)["Id"])

    def start(self, name: str) -> None:
        """Start it; nothing when it runs.

        Raises:
            PortTaken: a port that it publishes is in use.
        """
        with mapped(f"start container {name}"):
            self._client.start(name)

    def stop(self, name: str, *, grace_s: int) -> None:
        """Signal, wait up to `grace_s` seconds, kill. Nothing when it is gone."""
        try:
            with mapped(f"stop container {name}"):
                self._client.stop(name, timeout=grace_s)
        except NoSuchObject:
            return

    def kill(self, name: str) -> None:
        """Kill it; nothing when it is gone or does not run."""
        try:
            self._client.kill(name)
        except docker.errors.APIError as fault:
            if fault.status_code in {404, 409}:
                return
            raise refusal(f"kill container {name}", explain(fault)) from fault

    def keep_stopped(self, name: str) -> None:
        """Take its restart policy away, so that a reboot between a signal and its end does not bring it back.

        Podman 4 has no such call, and starts nothing again whose policy is `unless-stopped` when the machine starts.
        """
        if self.podman:
            return
        try:
            with mapped(f"change the restart policy of container {name}"):
                self._client.update_container(name, restart_policy={"Name": "no"})
        except NoSuchObject:
            return

    def remove(self, name: str) -> None:
        """Remove it with its anonymous volumes, killing it if it runs; nothing when it is gone."""
        try:
            with mapped(f"remove container {name}"):
                self._client.remove_container(name, v=True, force=True)
        except NoSuchObject:
            return
        except Exception as fault:
            # Two removals at once: the other one wins, which is what was asked for.
            if "removal of container" in str(getattr(fault, "details", "")).lower():
                return
            raise

    def upload(self, name: str, folder: str, archive: bytes | IO[bytes] | Iterator[bytes]) -> None:
        """Unpack an archive into an existing folder of a container that was created; one in pieces is sent as it comes."""
        with mapped(f"write files into container {name}"):
            self._client.put_archive(name, folder, archive)

    def download(self, name: str, path: str) -> dict[str, bytes] | None:
        """The regular files at `path`, by their name in the archive; None when there is nothing."""
        try:
            with mapped(f"read {path} of container {name}"):
                chunks, _ = self._client.get_archive(name, path)
                # Podman 4.3 answers with nothing at all when the container goes away meanwhile.
                data = b"".join(chunks)
                return dict(read_archive(data)) if data else None
        except NoSuchObject:
            return None

    def read_file(self, name: str, path: str) -> Generator[bytes, None, None]:
        """The content of a regular file, in pieces.

        Raises:
            NoSuchObject: there is none.
        """
        with mapped(f"read {path} of container {name}"):
            chunks, _ = self._client.get_archive(name, path)
            try:
                yield from first_file(chunks, path)
            finally:
                chunks.close()

    def empty_folder(self, name: str, path: str) -> bool:
        """Whether a folder holds nothing; reads no more than its first entry."""
        with mapped(f"look into {path} of container {name}"):
            chunks, _ = self._client.get_archive(name, path)
            try:
                return member_count(chunks, stop=2) < 2
            finally:
                chunks.close()

    def log_end(self, name: str, *, lines: int | None) -> str:
        """The last lines of both outputs, all of them for None; empty when there is none.

        Podman 4.3 cuts lines longer than its buffer where they are counted from the end.
        """
        try:
            with mapped(f"read the log of container {name}"):
                data: bytes = self._client.logs(name, stdout=True, stderr=True, tail="all" if lines is None else lines)
        except NoSuchObject:
            return ""
        return data.decode(errors="replace")

    def log_stream(self, name: str, *, follow: bool, lines: int) -> Stream[bytes]:
        """Pieces of the log as they come."""
        with mapped(f"read the log of container {name}"):
            data = self._client.logs(name, stdout=True, stderr=True, stream=True, follow=follow, tail=lines)
        return Stream(data, f"read the log of container {name}")
