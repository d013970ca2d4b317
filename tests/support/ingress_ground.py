# SPDX-License-Identifier: Apache-2.0
"""A place with an ingress of its own: an instance behind it that says what it was asked, and people who use it."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self

from mooring.domain.model.desired import Desired, Endpoint, Probe, Resources, Route, Tls, Workload
from mooring.domain.model.release import ENGINE_RELEASE
from mooring.targets.docker import DockerOptions, DockerTarget
from tests.contract.target_bench import DockerBench, docker_address, settle, workload
from tests.unit.targets.docker.stacks import instance

MIB = 1 << 20
PLAIN = Tls("none")
# Says on which port it was asked, counts what it is sent, and drips where it is asked to.
BACKEND = """
import threading, time, zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.headers.get("Upgrade") == "websocket":
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            self.close_connection = True
            for line in self.rfile:
                self.connection.sendall(str(self.server.server_port).encode() + b" heard " + line)
        elif self.path == "/drip":
            self.send_response(200)
            self.send_header("Content-Length", "60")
            self.end_headers()
            for _ in range(60):
                self.wfile.write(b".")
                self.wfile.flush()
                time.sleep(0.1)
        else:
            self.answer(f"{self.server.server_port} {self.headers['Host']} {self.headers['X-Forwarded-Proto']}")

    def do_POST(self):
        rest, sum = int(self.headers["Content-Length"]), 0
        size = rest
        while rest:
            piece = self.rfile.read(min(rest, 1 << 20))
            if not piece:
                raise SystemExit
            sum = zlib.crc32(piece, sum)
            rest -= len(piece)
        self.answer(f"{size} {sum}")

    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        return

evented = ThreadingHTTPServer(("", 8072), Handler)
threading.Thread(target=evented.serve_forever, daemon=True).start()
ThreadingHTTPServer(("", 8069), Handler).serve_forever()
"""


@dataclass
class Ground:
    """The instance behind the ingress, and where the ingress listens."""

    bench: DockerBench
    options: DockerOptions
    want: Desired
    endpoints: dict[str, Endpoint] = field(default_factory=dict)

    @asynccontextmanager
    async def site(self, endpoint: Endpoint) -> AsyncIterator[None]:
        """One more site of the instance while this lasts."""
        self.endpoints[endpoint.name] = endpoint
        try:
            await self.settle()
            yield
        finally:
            del self.endpoints[endpoint.name]
            await self.settle()

    async def settle(self) -> None:
        await settle(self.bench, replace(self.want, endpoints=tuple(self.endpoints.values())))


def routes(**spec: Any) -> tuple[Route, ...]:
    """The routes of an instance as it is decided."""
    return instance(ingress={"hosts": ["a.test"], "tls": {"none": True}}, **spec).endpoints[0].routes


def endpoint(name: str, tls: Tls = PLAIN, **spec: Any) -> Endpoint:
    return Endpoint(name, routes(**spec), (f"{name}.test",), tls)


def backend(bench: DockerBench) -> Workload:
    return replace(
        workload(bench),
        image=ENGINE_RELEASE,
        argv=("python3", "-c", BACKEND),
        resources=Resources(memory_bytes=128 * MIB),
        probe=Probe(("bash", "-c", "</dev/tcp/127.0.0.1/8069")),
        stop_grace_s=1,
    )


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("0.0.0.0", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def target(bench: DockerBench, options: DockerOptions) -> DockerTarget:
    made = DockerTarget(
        bench.address,
        secrets=bench.secrets,
        clock=bench.clock,
        installation=bench.identity.installation,
        options=options,
    )
    bench.add_life(made)
    return made


@contextmanager
def prepared() -> Iterator[tuple[DockerBench, DockerOptions]]:
    """A place with an ingress of its own on free ports; nothing is in it yet."""
    bench = DockerBench(docker_address())
    plain, secure = free_ports(2)
    options = DockerOptions(ingress_name=f"{bench.ref.namespace}-ingress", http_port=plain, https_port=secure)
    bench.target = target(bench, options)
    try:
        yield bench, options
    finally:
        asyncio.run(bench.clean())


@contextmanager
def connected(
    ground: Ground, host: str, *, trust: ssl.SSLContext | None = None, address: str = "127.0.0.1"
) -> Iterator[http.client.HTTPConnection]:
    """A connection to the ingress for `host`, without a name server."""
    port = ground.options.https_port if trust else ground.options.http_port
    plain = socket.create_connection((address, port), timeout=60)
    connection = http.client.HTTPConnection(host)
    try:
        connection.sock = trust.wrap_socket(plain, server_hostname=host) if trust else plain
        yield connection
    finally:
        connection.close()
        plain.close()


def ask(ground: Ground, host: str, path: str = "/", *, trust: ssl.SSLContext | None = None) -> tuple[int, str]:
    """Status and body."""
    with connected(ground, host, trust=trust) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


async def ask_soon(ground: Ground, host: str, *, trust: ssl.SSLContext) -> tuple[int, str]:
    """As `ask`, asked again while the ingress gets ready to speak TLS as `host`."""
    for _ in range(50):
        try:
            return await asyncio.to_thread(ask, ground, host, trust=trust)
        except (OSError, ssl.SSLError):
            await asyncio.sleep(0.2)
    return await asyncio.to_thread(ask, ground, host, trust=trust)


def machine_address() -> str:
    """Where others reach this machine: not the loopback address, which engines serve in another way."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


class Visitors:
    """People who use a site all the time: on a new connection each time, and on one that they keep."""

    def __init__(self, ground: Ground, host: str) -> None:
        self.failures: list[str] = []
        self.answers = 0
        self.dripped = b""
        self._ground = ground
        self._host = host
        self._done = threading.Event()
        ways = [(address, kept) for address in ("127.0.0.1", machine_address()) for kept in (False, True)]
        self._threads = [threading.Thread(target=self._visit, args=way) for way in ways]
        self._threads.append(threading.Thread(target=self._wait_for_drops))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _visit(self, address: str, kept: bool) -> None:
        while not self._done.is_set():
            try:
                with connected(self._ground, self._host, address=address) as connection:
                    self._ask(connection)
                    while kept and connection.sock and not self._done.is_set():
                        try:
                            self._ask(connection)
                        except http.client.RemoteDisconnected:
                            break  # a server may close a connection that it has answered on: everybody asks again then
            except (OSError, http.client.HTTPException, AssertionError) as fault:
                self.failures.append(f"{address}, {'kept' if kept else 'new'}: {fault!r}")

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        self.answers += 1
        time.sleep(0.02)

    def _wait_for_drops(self) -> None:
        """A long report, begun before and ended after."""
        try:
            with connected(self._ground, self._host) as connection:
                connection.request("GET", "/drip")
                self.dripped = connection.getresponse().read()
        except (OSError, http.client.HTTPException) as fault:
            self.failures.append(f"report: {fault!r}")
