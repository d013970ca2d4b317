# SPDX-License-Identifier: Apache-2.0
"""Where the container engine answers.

Tried in this order: the given address (the command line passes DOCKER_HOST), the current context of Docker's
configuration, the usual sockets of Docker and Podman. An address that was asked for is never replaced by another one.
"""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.tls

from mooring.drivers.docker.faults import mapped
from mooring.drivers.errors import EngineUnreachable
from mooring.errors import MooringError

PING_TIMEOUT_S = 5.0
# Docker's and Podman's as their packages set them up; the user's own are looked for beside them.
SYSTEM_SOCKETS = ("/var/run/docker.sock", "/run/podman/podman.sock")


@dataclass(frozen=True)
class EngineAddress:
    """How to reach an engine.

    Attributes:
        url: such as `unix:///var/run/docker.sock`, `tcp://host:2376`, `ssh://user@host`.
        tls_dir: folder with `ca.pem`, `cert.pem`, `key.pem`; None for none.
        tls_verify: check the engine's certificate.
        origin: how it was found, for people.
    """

    url: str
    tls_dir: Path | None = None
    tls_verify: bool = True
    origin: str = "given"

    @property
    def local(self) -> bool:
        """The engine runs on this machine."""
        return self.url.startswith(("unix://", "http+unix://"))


def find_engine(
    *,
    host: str | None = None,
    context: str | None = None,
    cert_path: str | None = None,
    tls_verify: bool = True,
    home: Path | None = None,
    runtime_dir: str | None = None,
) -> EngineAddress:
    """The first engine that answers.

    Args:
        host: the value of DOCKER_HOST; when given, nothing else is tried.
        context: the value of DOCKER_CONTEXT; beats the configuration's current context.
        cert_path: the value of DOCKER_CERT_PATH.
        tls_verify: whether DOCKER_TLS_VERIFY asks for it.
        home: the user's home, where `.docker` is.
        runtime_dir: the value of XDG_RUNTIME_DIR.

    Raises:
        EngineUnreachable: none answers; the details say what was tried and why each failed.
    """
    tried: list[str] = []
    for address in _candidates(host, context, cert_path, tls_verify, home, runtime_dir):
        if address.origin == "usual socket" and (why := _missing(Path(address.url.removeprefix("unix://")))):
            tried.append(f"{address.url} ({address.origin}): {why}")
            continue
        try:
            client = open_client(address, timeout_s=PING_TIMEOUT_S)
        except MooringError as fault:
            tried.append(f"{address.url} ({address.origin}): {fault.details or fault.brief}")
            continue
        client.close()
        return address
    raise EngineUnreachable("no container engine answers", details="\n".join(tried))


def _missing(path: Path) -> str:
    """Why there is nothing to ask at a usual socket; empty for one that is there."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return "there is no such socket"
    except OSError as fault:
        # Podman's package makes /run/podman root's alone: no reason to stop looking for the user's own engine.
        return str(fault.strerror or fault)
    return ""


def open_client(address: EngineAddress, *, timeout_s: float) -> docker.APIClient:
    """A connected client.

    Raises:
        EngineUnreachable: nobody answers there.
    """
    with mapped(f"reach the engine at {address.url}"):
        if address.local:
            # The library leaves a socket open that could not connect.
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(timeout_s)
                probe.connect(address.url.removeprefix("http+").removeprefix("unix://"))
        tls = _tls(address)
        try:
            client = docker.APIClient(
                base_url=address.url,
                version="auto",
                timeout=int(timeout_s),
                tls=tls if tls is not None else False,
                # The ssh program knows the user's keys, agent and configuration; the library's own client does not.
                use_ssh_client=address.url.startswith("ssh://"),
            )
        except ValueError as fault:  # the address is none, or what answers is no engine
            raise EngineUnreachable(
                f"could not reach the engine at {address.url}: no engine is meant by it", details=str(fault)
            ) from fault
        client.ping()
        return client


def _tls(address: EngineAddress) -> docker.tls.TLSConfig | None:
    folder = address.tls_dir
    if folder is None:
        return None
    pair = (str(folder / "cert.pem"), str(folder / "key.pem")) if (folder / "cert.pem").exists() else None
    authority = str(folder / "ca.pem") if (folder / "ca.pem").exists() else None
    return docker.tls.TLSConfig(client_cert=pair, ca_cert=authority, verify=address.tls_verify)


def _candidates(
    host: str | None,
    context: str | None,
    cert_path: str | None,
    tls_verify: bool,
    home: Path | None,
    runtime_dir: str | None,
) -> Iterator[EngineAddress]:
    if host:
        certificates = Path(cert_path) if cert_path else None
        yield EngineAddress(host, tls_dir=certificates, tls_verify=tls_verify, origin="DOCKER_HOST")
        return
    chosen = _context(home / ".docker", context) if home is not None else None
    if chosen is not None:
        yield chosen
        return
    dockers, podmans = list(SYSTEM_SOCKETS[:1]), list(SYSTEM_SOCKETS[1:])
    if runtime_dir:
        dockers.append(f"{runtime_dir}/docker.sock")
        podmans.append(f"{runtime_dir}/podman/podman.sock")
    sockets = dockers + podmans
    for path in sockets:
        yield EngineAddress(f"unix://{path}", origin="usual socket")


def _context(folder: Path, name: str | None) -> EngineAddress | None:
    """The current context's endpoint; None for `default` or when there is none. Layout of Docker's CLI store."""
    chosen = name or _read(folder / "config.json").get("currentContext")
    if not chosen or chosen == "default":
        return None
    digest = hashlib.sha256(str(chosen).encode()).hexdigest()
    meta = _read(folder / "contexts" / "meta" / digest / "meta.json")
    endpoint = meta.get("Endpoints", {}).get("docker", {})
    if not endpoint.get("Host"):
        raise EngineUnreachable(
            f"the Docker context {chosen} names no engine",
            details=f"read from {folder}",
            resolution="Choose another one with `docker context use`, or set DOCKER_HOST.",
        )
    tls = folder / "contexts" / "tls" / digest / "docker"
    return EngineAddress(
        str(endpoint["Host"]),
        tls_dir=tls if tls.is_dir() else None,
        tls_verify=not endpoint.get("SkipTLSVerify", False),
        origin=f"context {chosen}",
    )


def _read(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
