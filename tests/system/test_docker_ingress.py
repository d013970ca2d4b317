# SPDX-License-Identifier: Apache-2.0
"""What a real Caddy does for sites: certificates, routes, large uploads, and peace while others come and go.

One ingress and one instance behind it serve all tests; what a test adds, it takes away.
"""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import subprocess
import urllib.request
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mooring.domain.model.desired import Desired, Endpoint, Tls
from mooring.domain.model.identity import Ref
from mooring.domain.model.secret import SecretRef
from mooring.targets.docker import DockerOptions
from mooring.targets.errors import PortTaken
from tests.contract.target_bench import DockerBench, desired, settle
from tests.support.ingress_ground import (
    MIB,
    Ground,
    Visitors,
    ask,
    ask_soon,
    backend,
    connected,
    endpoint,
    prepared,
    routes,
    target,
)

pytestmark = pytest.mark.real
UPLOAD = 300


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with prepared() as (bench, options):
        made = Ground(bench, options, desired(bench, backend(bench)))
        made.endpoints["shop"] = endpoint("shop")
        asyncio.run(made.settle())
        yield made


def certificate(folder: Path, host: str) -> Mapping[str, str]:
    """A new certificate of its own making for `host`, as a secret holds it."""
    folder.mkdir()
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={host}"]
    files = ["-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")]
    subprocess.run([*argv, *files, "-addext", f"subjectAltName=DNS:{host}"], check=True, capture_output=True)
    return {name: (folder / name).read_text(encoding="ascii") for name in ("tls.crt", "tls.key")}


def served(ground: Ground, host: str) -> str:
    """The certificate that is shown to whoever trusts everybody."""
    anybody = ssl.create_default_context()
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    port = ground.options.https_port
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
        anybody.wrap_socket(plain, server_hostname=host) as secure,
    ):
        return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")


async def test_given_certificate_is_the_one_that_is_served_and_so_is_the_next(ground: Ground, tmp_path: Path) -> None:
    first, second = (certificate(tmp_path / name, "given.test") for name in ("first", "second"))
    tls = Tls("secret", secret=SecretRef("default", "certificate"), version="1")
    ground.bench.secrets.values |= first
    async with ground.site(endpoint("given", tls)):
        trust = ssl.create_default_context(cadata=first["tls.crt"])
        assert await ask_soon(ground, "given.test", trust=trust) == (200, "8069 given.test https")
        assert served(ground, "given.test").split() == first["tls.crt"].split()
        with connected(ground, "given.test") as connection:
            connection.request("GET", "/web?a=1")
            answer = connection.getresponse()
            told = answer.status, answer.headers["Location"]
        assert told == (308, f"https://given.test:{ground.options.https_port}/web?a=1")
        ground.bench.secrets.values |= second
        ground.endpoints["given"] = endpoint("given", replace(tls, version="2"))
        await ground.settle()
        assert served(ground, "given.test").split() == second["tls.crt"].split()
        assert ask(ground, "shop.test")[0] == 200


async def test_internal_certificate_is_of_the_ingress_own_authority(ground: Ground) -> None:
    async with ground.site(endpoint("inside", Tls("internal"))):
        argv = ["cat", "/data/caddy/pki/authorities/local/root.crt"]
        code, root = await asyncio.to_thread(ground.bench.engine.run, ground.options.ingress_name, argv, timeout_s=10)
        assert code == 0, root
        trust = ssl.create_default_context(cadata=root)
        assert await ask_soon(ground, "inside.test", trust=trust) == (200, "8069 inside.test https")
        with pytest.raises(ssl.SSLCertVerificationError):
            ask(ground, "inside.test", trust=ssl.create_default_context())


@pytest.mark.parametrize(
    ("spec", "port"),
    [
        pytest.param({"workers": 2}, 8072, id="workers: the evented process"),
        pytest.param({"workers": 0}, 8069, id="threads: the only one"),
    ],
)
async def test_evented_route_goes_to_the_process_that_serves_it(
    ground: Ground, spec: Mapping[str, Any], port: int
) -> None:
    path = "/longpolling"  # of 14.0
    async with ground.site(endpoint("bus", **spec)):
        for asked, expected in (("/", 8069), ("/web", 8069), (path, port), (f"{path}/poll", port)):
            status, text = await asyncio.to_thread(ask, ground, "bus.test", asked)
            assert (status, text.split()[0]) == (200, str(expected)), asked
        with connected(ground, "bus.test") as connection:
            assert spoken(connection, path) == f"{port} heard hello\n".encode()


def spoken(connection: http.client.HTTPConnection, path: str) -> bytes:
    """What comes back on a connection that became another protocol's."""
    plain = connection.sock
    lines = (f"GET {path} HTTP/1.1", f"Host: {connection.host}", "Connection: Upgrade", "Upgrade: websocket", "", "")
    plain.sendall("\r\n".join(lines).encode())
    with plain.makefile("rb") as reader:
        assert b" 101 " in reader.readline()
        while reader.readline().strip():
            pass
        plain.sendall(b"hello\n")
        return reader.readline()


def test_large_upload_passes_whole(ground: Ground) -> None:
    piece = bytes(range(256)) * (MIB // 256)
    sum_ = 0
    for _ in range(UPLOAD):
        sum_ = zlib.crc32(piece, sum_)
    with connected(ground, "shop.test") as connection:
        size = str(UPLOAD * MIB)
        connection.request("POST", "/web", body=(piece for _ in range(UPLOAD)), headers={"Content-Length": size})
        answer = connection.getresponse()
        assert (answer.status, answer.read().decode()) == (200, f"{UPLOAD * MIB} {sum_}")


async def test_instance_that_comes_and_goes_interrupts_no_other(ground: Ground) -> None:
    bench = ground.bench
    other = Ref("OdooInstance", bench.ref.namespace, "other")
    beside = replace(desired(bench, backend(bench)), ref=other, endpoints=(endpoint("beside"),))
    with Visitors(ground, "shop.test") as visitors:
        await settle(bench, beside)
        assert await asyncio.to_thread(ask, ground, "beside.test") == (200, "8069 beside.test http")
        await settle(bench, Desired(other, bench.identity, network=False))
    assert visitors.failures == [], "\n".join(visitors.failures)
    assert visitors.answers > 20
    assert visitors.dripped == b"." * 60
    assert ask(ground, "shop.test")[0] == 200


async def test_new_port_of_the_ingress_that_is_taken_is_said_and_its_sites_go_on(ground: Ground) -> None:
    bench = ground.bench
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen()
        taken = int(listener.getsockname()[1])
        moved = target(bench, replace(ground.options, http_port=taken))
        want = replace(ground.want, endpoints=tuple(ground.endpoints.values()))
        with pytest.raises(PortTaken, match=str(taken)):
            await moved.converge(want, await moved.observe(bench.ref))
    assert ask(ground, "shop.test") == (200, "8069 shop.test http")


def test_port_that_somebody_else_has_is_said_others_go_on_and_it_is_served_once_free() -> None:
    with prepared() as (bench, options):
        asyncio.run(_wait_for_a_port(bench, options))


def status_of(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return int(answer.status)


async def _wait_for_a_port(bench: DockerBench, options: DockerOptions) -> None:
    ground = Ground(bench, options, desired(bench, backend(bench)))
    ground.endpoints["shop"] = endpoint("shop")
    other = Ref("OdooInstance", bench.ref.namespace, "other")
    beside = replace(desired(bench, backend(bench)), ref=other, endpoints=(Endpoint("http", routes()),))
    url = (await settle(bench, beside)).endpoints["http"].url
    want = replace(ground.want, endpoints=tuple(ground.endpoints.values()))
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", options.https_port))
        listener.listen()
        for _ in range(2):
            with pytest.raises(PortTaken) as caught:
                await bench.target.converge(want, await bench.target.observe(bench.ref))
            assert "docker.ingress.https_port" in caught.value.resolution
        assert (await bench.target.observe(bench.ref, live=True)).workload("web").running == 1
        assert await asyncio.to_thread(status_of, url) == 200
    await ground.settle()
    assert ask(ground, "shop.test") == (200, "8069 shop.test http")
