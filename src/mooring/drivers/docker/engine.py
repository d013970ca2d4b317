# SPDX-License-Identifier: Apache-2.0
"""One container engine, one blocking method a verb. Says what the engine says; decides nothing.

Called from threads by `mooring.targets.docker`; one instance serves all of them. JSON objects are those of Docker's API
1.41, which Podman 4 speaks too.
"""

from __future__ import annotations

import contextlib
import functools
import json
import socket
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, Generic, TypeVar

import docker.errors

from mooring.drivers.docker.archive import first_file, member_count, read_archive
from mooring.drivers.docker.faults import build_refusal, explain, mapped, pulling, refusal, registry_refusal
from mooring.drivers.docker.find import EngineAddress, open_client
from mooring.drivers.errors import NoSuchObject

Json = Mapping[str, Any]
T = TypeVar("T")
EXEC_LIMIT = 64 * 1024
DOCKER_HUB = "docker.io"
_FRAME_HEAD = 8
_PIECE = 1024 * 1024


class Engine:
    """A connected engine.

    Args:
        address: where it is.
        timeout_s: seconds that one call may take; stops and pulls have their own.
    """

    def __init__(self, address: EngineAddress, *, timeout_s: float = 60.0) -> None:
        self.address = address
        # The library's own annotations are partial and those from outside name private types.
        self._client: Any = open_client(address, timeout_s=timeout_s)
        self._podman: bool | None = None

    @property
    def podman(self) -> bool:
        """It is Podman."""
        if self._podman is None:
            with mapped("ask the engine for its version"):
                components = self._client.version().get("Components") or []
            self._podman = any("podman" in str(part.get("Name", "")).lower() for part in components)
        return self._podman

    def close(self) -> None:
        """Drop the connections."""
        self._client.close()

    # Containers

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

    def run(
        self,
        name: str,
        argv: Sequence[str],
        *,
        timeout_s: float,
        user: str = "",
        begun: Callable[[str], None] | None = None,
    ) -> tuple[int | None, str]:
        """Run `argv` in a running container; (exit code, output), the code None when `timeout_s` passed.

        The output is read to its end before the exit code is asked for: Podman 4.3 never reports the end of a detached one,
        and an exit code of a process that still runs says 0 or nothing.
        """
        deadline = time.monotonic() + timeout_s
        with mapped(f"run {argv[0]} in container {name}"):
            run_id = str(self._client.exec_create(name, list(argv), user=user)["Id"])
            if begun is not None:
                begun(run_id)
            stream = self._client.exec_start(run_id, socket=True)
            output = _read_until(stream, deadline)
            while output is not None:
                state = self._client.exec_inspect(run_id)
                if not state["Running"] and state["ExitCode"] is not None:
                    return int(state["ExitCode"]), output
                if time.monotonic() > deadline:
                    break
                time.sleep(0.02)
        return None, output or ""

    def exec_running(self, run_id: str) -> bool:
        """Whether an earlier `run` still has a process."""
        try:
            with mapped("ask for a process"):
                return bool(self._client.exec_inspect(run_id)["Running"])
        except NoSuchObject:
            return False

    def open_terminal(self, name: str, argv: Sequence[str], *, tty: bool) -> tuple[str, Any]:
        """Start `argv` with an open standard input; (id, stream). Framed when `tty` is off."""
        with mapped(f"run {argv[0]} in container {name}"):
            made = self._client.exec_create(name, list(argv), stdin=True, tty=tty)
            return str(made["Id"]), self._client.exec_start(made["Id"], tty=tty, socket=True)

    def resize_terminal(self, run_id: str, *, rows: int, columns: int) -> None:
        """Tell a terminal its size."""
        with mapped("resize a terminal"):
            self._client.exec_resize(run_id, height=rows, width=columns)

    def exit_code(self, run_id: str) -> int | None:
        """Exit code of a started process; None while it runs."""
        with mapped("ask for an exit code"):
            state = self._client.exec_inspect(run_id)
        return None if state["Running"] or state["ExitCode"] is None else int(state["ExitCode"])

    # Networks

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

    # Volumes

    def volumes(self, *, labels: Sequence[str] = (), name: str | None = None) -> list[dict[str, Any]]:
        """Volumes that have all `labels` and `name` in their name."""
        filters: dict[str, Any] = {}
        if labels:
            filters["label"] = list(labels)
        if name is not None:
            filters["name"] = [name]
        with mapped("list volumes"):
            return labelled(self._client.volumes(filters=filters).get("Volumes") or [], labels)

    def volume(self, name: str) -> dict[str, Any] | None:
        """All about a volume; None if there is none."""
        try:
            with mapped(f"inspect volume {name}"):
                return dict(self._client.inspect_volume(name))
        except NoSuchObject:
            return None

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Create a volume; the one of that name stays as it is."""
        with mapped(f"create volume {name}"):
            self._client.create_volume(name, labels=dict(labels))

    def remove_volume(self, name: str) -> None:
        """Remove it with its data; nothing when it is gone."""
        try:
            with mapped(f"remove volume {name}"):
                self._client.remove_volume(name)
        except NoSuchObject:
            return

    # Images

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

    # The engine

    def info(self) -> dict[str, Any]:
        """What the engine says of itself and its machine."""
        with mapped("ask the engine about itself"):
            return dict(self._client.info())

    @functools.cached_property
    def data_root(self) -> str:
        """Folder of the engine's machine where it keeps its data; empty when it does not say."""
        return str(self.info().get("DockerRootDir") or "")

    def events(self, *, labels: Sequence[str], since: int) -> Stream[dict[str, Any]]:
        """Events of objects with all `labels` since a Unix time, as they happen. Ends when the engine closes it."""
        # A client of its own, without a time-out: a quiet engine is not a dead one, and a dead one closes the connection.
        client: Any = open_client(self.address, timeout_s=60)
        client.timeout = None
        with mapped("follow events"):
            data = client.events(since=since, filters={"label": list(labels)}, decode=True)
        return Stream(data, "follow events", client.close)


class Stream(Generic[T]):
    """Something that comes piece by piece; `close`, from any thread, ends it."""

    def __init__(self, data: Any, what: str, done: Callable[[], None] = lambda: None) -> None:
        self._data = data
        self._what = what
        self._done = done

    def __iter__(self) -> Iterator[T]:
        with mapped(self._what):
            yield from self._data

    def close(self) -> None:
        """End it, and give its connection back."""
        # Ending it is all that is asked for: a connection that is gone already is no fault.
        with contextlib.suppress(Exception):
            self._data.close()
        self._done()


def labelled(items: Iterable[dict[str, Any]], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Those that have all `labels` (`key` or `key=value`): Podman 4.3 gives volumes that have one of them."""
    wanted = [label.partition("=") for label in labels]
    return [
        item
        for item in items
        if all(
            key in (found := item.get("Labels") or {}) and (not equals or found[key] == value)
            for key, equals, value in wanted
        )
    ]


def _read_until(stream: Any, deadline: float) -> str | None:
    """The output of an attached process; None when the deadline came first.

    The library's own reader waits without a time-out, whatever the socket's is.
    """
    plain: socket.socket = getattr(stream, "_sock", stream)
    kept = bytearray()
    try:
        while (rest := deadline - time.monotonic()) > 0:
            plain.settimeout(rest)
            piece = plain.recv(65536)
            if not piece:
                return _text(bytes(kept))
            if len(kept) < EXEC_LIMIT:
                kept += piece
    except TimeoutError:
        return None
    finally:
        close_stream(stream)
    return None


def _text(data: bytes) -> str:
    """The text of both outputs in their frames: one byte which, three of padding, four of length, then the piece."""
    found = bytearray()
    while len(data) > _FRAME_HEAD:
        size = int.from_bytes(data[4:_FRAME_HEAD], "big")
        found += data[_FRAME_HEAD : _FRAME_HEAD + size]
        data = data[_FRAME_HEAD + size :]
    return found.decode(errors="replace")


def close_stream(stream: Any) -> None:
    """Close an attached process's connection; the library leaves the socket under it open."""
    plain: socket.socket = getattr(stream, "_sock", stream)
    response = getattr(stream, "_response", None)
    stream.close()
    plain.close()
    if response is not None:
        # It flushes the file that was just closed under it.
        with contextlib.suppress(ValueError):
            response.close()


def registry_of(image: str) -> str:
    """The registry in an image's name; Docker Hub's where there is none."""
    first = image.partition("/")[0]
    return first if "/" in image and ("." in first or ":" in first or first == "localhost") else DOCKER_HUB


def login_for(image: str, config: str) -> dict[str, str] | None:
    """The login of an image's registry in a Docker configuration (the JSON of `.dockerconfigjson`); None without one.

    Raises:
        ValueError: it is no such JSON; its words may quote from it.
    """
    import base64  # noqa: PLC0415 - only pulls with a login need it

    registry = registry_of(image)
    known = json.loads(config)
    auths = known.get("auths", {}) if isinstance(known, dict) else None
    if not isinstance(auths, dict) or not all(isinstance(entry, dict) for entry in auths.values()):
        raise ValueError("this is no Docker configuration")
    for name, entry in auths.items():
        host = name.removeprefix("https://").removeprefix("http://").partition("/")[0]
        if host == registry or (registry == DOCKER_HUB and host in {"index.docker.io", "registry-1.docker.io"}):
            if entry.get("auth"):
                user, _, password = base64.b64decode(str(entry["auth"]), validate=True).decode().partition(":")
                return {"username": user, "password": password}
            return {"username": str(entry.get("username", "")), "password": str(entry.get("password", ""))}
    return None
