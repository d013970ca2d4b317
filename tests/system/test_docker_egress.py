# SPDX-License-Identifier: Apache-2.0
"""A few places outside and nothing else, on a real engine: a real PostgreSQL with TLS is allowed, a server beside it is not."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from mooring.domain.model.desired import Destination, File, Link, Policy, Workload
from mooring.domain.model.identity import Ref, child
from mooring.domain.model.release import ResolvedRelease
from mooring.domain.relay import COMPLAINS
from mooring.domain.task import TaskSpec
from tests.contract.target_bench import DockerBench, desired, docker_address, ended, settle, task, workload

pytestmark = pytest.mark.real
POSTGRES = "postgres:17"
NAME = "db.outside.test"
ROOT = "/etc/mooring/root.crt"
# Its own authority is itself; names and addresses are what it may be asked under.
SERVE = """
PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
cd /tmp
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=outside -addext "subjectAltName=$2" -keyout key -out crt
chmod 600 key
initdb -D data -U postgres -A trust
echo 'hostssl all all all trust' > data/pg_hba.conf
echo 'local all all trust' >> data/pg_hba.conf
exec postgres -D data -c "listen_addresses=*" -c "port=$1" -c unix_socket_directories=/tmp -c ssl=on \
  -c ssl_cert_file=/tmp/crt -c ssl_key_file=/tmp/key
"""
REACH = "timeout 3 bash -c '</dev/tcp/{}/{}'"


@dataclass(frozen=True)
class Outside:
    """A PostgreSQL that is allowed, as `host`:`port`, with its certificate, and a server that is not.

    Attributes:
        addresses: where the two are, past every name.
    """

    host: str
    port: int
    certificate: str
    other: tuple[str, int]
    addresses: tuple[tuple[str, int], ...]

    @property
    def destination(self) -> Destination:
        return Destination(self.host, self.port, "" if self.host == NAME else "PGHOSTADDR")


@pytest.fixture
async def bench() -> AsyncIterator[DockerBench]:
    made = DockerBench(docker_address())
    try:
        yield made
    finally:
        await made.clean()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return int(probe.getsockname()[1])


def machine_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def run_outside(bench: DockerBench, name: str, network: str, image: str, argv: list[str], user: str) -> None:
    bench.strangers.append(("container", name))
    host = {"NetworkMode": network}
    bench.engine.create(
        name, {"Image": image, "Entrypoint": argv[:1], "Cmd": argv[1:], "User": user, "HostConfig": host}
    )
    bench.engine.start(name)


def open_outside(bench: DockerBench, *, named: bool) -> Outside:
    """Servers that Mooring knows nothing of.

    By name they are on a network of their own, and on the bridge that an open owner has, where the name is known. By
    address they are on the machine's own network, as one bridge of an engine does not reach another's containers.
    """
    ns = bench.ref.namespace
    port, second = (5432, 8070) if named else (free_port(), free_port())
    network = "host"
    if named:
        network = f"{ns}-outside"
        bench.strangers.append(("network", network))
        bench.engine.create_network(network, subnet="10.214.251.0/28", internal=False, labels={})
    address = machine_address()
    subject = f"DNS:{NAME}" if named else f"IP:{address}"
    run_outside(bench, f"{ns}-pg", network, POSTGRES, ["sh", "-ec", SERVE, "sh", str(port), subject], "postgres")
    files = ["caddy", "file-server", "--listen", f":{second}", "--root", "/etc"]
    run_outside(bench, f"{ns}-other", network, bench.release.reference, files, "1234:1234")
    # The order in which the bench removes them: containers before networks.
    bench.strangers.sort(key=lambda item: item[0])
    until = time.monotonic() + 60
    while bench.engine.run(f"{ns}-pg", ["psql", "-h", "/tmp", "-p", str(port), "-U", "postgres", "-c", "SELECT 1"],
                           timeout_s=10)[0] != 0:  # fmt: skip
        assert time.monotonic() < until, bench.engine.log_end(f"{ns}-pg", lines=None)
        time.sleep(0.3)
    _, certificate = bench.engine.run(f"{ns}-pg", ["cat", "/tmp/crt"], timeout_s=10)
    if not named:
        return Outside(address, port, certificate, (address, second), ((address, port), (address, second)))
    found: list[tuple[str, int]] = []
    for name, number, alias in ((f"{ns}-pg", port, NAME), (f"{ns}-other", second, "other.outside.test")):
        bench.engine.connect(child(bench.ref, "network"), name, aliases=(alias,))
        item = bench.engine.container(name)
        assert item is not None
        nets = item["NetworkSettings"]["Networks"]
        found += [(str(nets[net]["IPAddress"]), number) for net in sorted(nets)]
    return Outside(NAME, port, certificate, ("other.outside.test", second), tuple(found))


def psql(outside: Outside) -> str:
    words = f"host={outside.host} port={outside.port} user=postgres sslmode=verify-full sslrootcert={ROOT} connect_timeout=9"
    return f'psql "{words}" -Atc "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"'


def script(outside: Outside) -> str:
    """Prints `t` for the one that is allowed, over TLS under its true name, then what else was reached: nothing."""
    others = [outside.other, (outside.host, outside.other[1]), *outside.addresses]
    tries = "\n".join(f"{REACH.format(host, port)} 2>/dev/null && echo reached {host}:{port}" for host, port in others)
    return f"{psql(outside)} || exit 1\n{tries}\nexit 0"


def spec(bench: DockerBench, outside: Outside) -> TaskSpec:
    image = bench.engine.image(POSTGRES)
    assert image is not None
    pin = f"sha256:{str(image['Id']).removeprefix('sha256:')}"
    return replace(
        task(bench),
        image=ResolvedRelease(POSTGRES, pin, pin),
        argv=("bash", "-c", script(outside)),
        files=(File(ROOT, (outside.certificate,), mode=0o644),),
        mounts=(),
        allow=(outside.destination,),
    )


def relays(bench: DockerBench) -> list[str]:
    found = bench.engine.containers(
        labels=[f"dev.mooring.namespace={bench.ref.namespace}", "dev.mooring.purpose=relay"]
    )
    return sorted(str(item["Names"][0]).lstrip("/") for item in found)


@pytest.mark.parametrize("named", [True, False], ids=["by name", "by address"])
async def test_task_reaches_the_database_outside_over_verified_tls_and_nothing_else(
    bench: DockerBench, named: bool
) -> None:
    await settle(bench, desired(bench, workload(bench)))
    outside = await asyncio.to_thread(open_outside, bench, named=named)
    one = spec(bench, outside)
    await bench.target.start(one)
    assert len(relays(bench)) == 1
    phase = await ended(bench, one.name)
    state = await bench.target.task(one.name)
    assert (phase, state.log_tail) == ("succeeded", "t")
    assert relays(bench) == []


async def test_task_of_an_owner_that_is_shut_in_reaches_it_too(bench: DockerBench) -> None:
    await settle(bench, desired(bench, workload(bench), policy=Policy("none")))
    outside = await asyncio.to_thread(open_outside, bench, named=False)
    one = spec(bench, outside)
    await bench.target.start(one)
    assert (await ended(bench, one.name), (await bench.target.task(one.name)).log_tail) == ("succeeded", "t")
    assert relays(bench) == []


async def test_end_of_a_task_carries_what_its_relay_could_not_reach(bench: DockerBench) -> None:
    await settle(bench, desired(bench))
    outside = Outside(machine_address(), free_port(), "none", ("none", 1), ())
    one = replace(spec(bench, outside), argv=("bash", "-c", psql(outside).replace("verify-full", "disable")))
    await bench.target.start(one)
    state = await bench.target.task(one.name)
    while state.phase in {"pending", "running"}:
        await asyncio.sleep(0.1)
        state = await bench.target.task(one.name)
    assert f"{COMPLAINS} {outside.host}:{outside.port}: " in state.log_tail


def shut_in(bench: DockerBench, outside: Outside) -> Workload:
    return replace(
        workload(bench),
        image=spec(bench, outside).image or bench.release,
        argv=("sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"),
        files=(File(ROOT, (outside.certificate,), mode=0o644),),
    )


async def reached(bench: DockerBench, outside: Outside) -> str:
    name = f"{child(bench.ref, 'web')}-0"
    code, said = await asyncio.to_thread(bench.engine.run, name, ["bash", "-c", script(outside)], timeout_s=60)
    return said.strip() if code == 0 else f"{code}: {said}"


async def reached_again(bench: DockerBench, outside: Outside) -> str:
    """With Podman a relay that was made anew has another hardware address, which its neighbours learn within ten seconds."""
    said = ""
    for _ in range(5):
        said = await reached(bench, outside)
        if said == "t":
            break
        await asyncio.sleep(1)
    return said


async def test_workload_that_is_shut_in_reaches_the_database_alone_also_after_restarts(bench: DockerBench) -> None:
    outside = await asyncio.to_thread(open_outside, bench, named=False)
    policy = Policy("none", (outside.destination, Destination("localhost.test", 25)))
    want = desired(bench, shut_in(bench, outside), policy=policy)
    await settle(bench, want)
    assert await reached(bench, outside) == "t"
    for name in (*relays(bench), f"{child(bench.ref, 'web')}-0"):
        # As after a reboot: nothing of Mooring runs, and the order is any.
        await asyncio.to_thread(bench.engine.stop, name, grace_s=1)
    for name in (f"{child(bench.ref, 'web')}-0", *relays(bench)):
        await asyncio.to_thread(bench.engine.start, name)
    assert await reached_again(bench, outside) == "t"
    seen = await bench.target.observe(bench.ref, live=True)
    assert list(bench.target.diff(want, seen)) == []


@pytest.mark.full
async def test_workload_that_is_shut_in_keeps_its_way_when_its_network_is_made_anew(bench: DockerBench) -> None:
    outside = await asyncio.to_thread(open_outside, bench, named=False)
    policy = Policy("none", (outside.destination,))
    want = desired(bench, shut_in(bench, outside), policy=policy)
    await settle(bench, want)
    other = Ref("DatabaseServer", bench.ref.namespace, "db")
    await settle(bench, replace(want, links=(Link(other, "database", 1),)))
    assert await reached_again(bench, outside) == "t"
    await asyncio.to_thread(bench.engine.remove, relays(bench)[0])
    await settle(bench, replace(want, links=(Link(other, "database", 1),)))
    assert await reached_again(bench, outside) == "t"
    await settle(bench, replace(want, workloads=()))
    assert relays(bench) == []
