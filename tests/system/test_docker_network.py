# SPDX-License-Identifier: Apache-2.0
"""Ports, sites, links and ways out on a real engine. Each test is a weakness of an orchestrator that this one replaces, too."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mooring.domain.model.desired import Desired, Endpoint, Link, Mount, Policy, Probe, Route, Tls, Workload
from mooring.domain.model.identity import Ref, child
from mooring.domain.model.secret import SecretRef
from mooring.targets.docker import DockerOptions, DockerTarget
from mooring.targets.errors import HostTaken, PortTaken, SiteRefused
from tests.contract.target_bench import DockerBench, desired, docker_address, ended, settle, task, workload

pytestmark = pytest.mark.real
PLAIN = Endpoint("web", (Route("/", "web", 8069),))


@pytest.fixture
async def bench() -> AsyncIterator[DockerBench]:
    made = DockerBench(docker_address())
    try:
        yield made
    finally:
        await made.clean()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def server(bench: DockerBench, role: str = "web") -> Workload:
    """Serves its own configuration over HTTP."""
    argv = ("caddy", "file-server", "--listen", ":8069", "--root", "/etc/mooring")
    return replace(workload(bench, role), argv=argv, stop_grace_s=2)


async def get(url: str, host: str | None = None) -> str:
    """The body, asked for again while whoever serves it starts."""

    def ask() -> str:
        request = urllib.request.Request(url, headers={"Host": host} if host else {})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.read().decode())

    for _ in range(30):
        try:
            return await asyncio.to_thread(ask)
        except (urllib.error.URLError, OSError):
            await asyncio.sleep(0.2)
    return await asyncio.to_thread(ask)


def use_ingress(bench: DockerBench) -> int:
    """Give the bench an ingress on a free port; that port."""
    port = free_port()
    options = DockerOptions(ingress_name=f"{bench.ref.namespace}-ingress", http_port=port, https_port=free_port())
    bench.target = DockerTarget(
        bench.address,
        secrets=bench.secrets,
        clock=bench.clock,
        installation=bench.identity.installation,
        options=options,
    )
    bench.add_life(bench.target)
    return port


@pytest.mark.parametrize("policy", [Policy(), Policy("none")], ids=["open", "no way out"])
async def test_endpoint_without_hosts_serves_on_a_port_that_it_keeps(bench: DockerBench, policy: Policy) -> None:
    want = replace(desired(bench, server(bench), policy=policy), endpoints=(PLAIN,))
    seen = await settle(bench, want)
    first = seen.endpoints["web"]
    assert "version=1" in await get(f"{first.url}/app.conf")
    await settle(bench, Desired(bench.ref, bench.identity, network=False))
    assert (await settle(bench, want)).endpoints["web"] == first


async def test_port_that_a_stopped_container_or_a_stranger_has_is_not_chosen(bench: DockerBench) -> None:
    published = {"PortBindings": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "28100"}]}}
    name = f"{bench.ref.namespace}-stopped"
    bench.strangers.append(("container", name))
    bench.engine.create(name, {"Image": bench.release.reference, "Cmd": ["true"], "HostConfig": published})
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 28101))
        listener.listen()
        seen = await settle(bench, replace(desired(bench, server(bench)), endpoints=(PLAIN,)))
    assert seen.endpoints["web"].port not in {28100, 28101}


async def test_fixed_port_that_is_taken_is_said(bench: DockerBench) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        endpoint = replace(PLAIN, port=int(listener.getsockname()[1]))
        want = replace(desired(bench, server(bench)), endpoints=(endpoint,))
        with pytest.raises(PortTaken):
            await bench.target.converge(want, await bench.target.observe(bench.ref))


async def test_site_is_served_by_its_host_and_the_last_one_takes_the_ingress_along(bench: DockerBench) -> None:
    port = use_ingress(bench)
    endpoint = replace(PLAIN, hosts=("shop.test",))
    seen = await settle(bench, replace(desired(bench, server(bench)), endpoints=(endpoint,)))
    assert seen.endpoints["web"].url == f"http://shop.test:{port}"
    assert "version=1" in await get(f"http://127.0.0.1:{port}/app.conf", host="shop.test")
    other = Ref("OdooInstance", bench.ref.namespace, "other")
    taken = replace(desired(bench, server(bench)), ref=other, endpoints=(endpoint,))
    with pytest.raises(HostTaken):
        await bench.target.converge(taken, await bench.target.observe(other))
    await settle(bench, Desired(bench.ref, bench.identity, network=False))
    assert bench.engine.container(f"{bench.ref.namespace}-ingress") is None


async def test_site_that_the_ingress_refuses_leaves_the_others_alone(bench: DockerBench) -> None:
    port = use_ingress(bench)
    good = replace(PLAIN, hosts=("good.test",))
    bad = Endpoint("bad", PLAIN.routes, ("bad.test",), Tls("secret", secret=SecretRef("default", "certificate")))
    bench.secrets.values |= {"tls.crt": "no certificate", "tls.key": "no key"}
    await settle(bench, replace(desired(bench, server(bench)), endpoints=(good,)))
    want = replace(desired(bench, server(bench)), endpoints=(good, bad))
    with pytest.raises(SiteRefused):
        await bench.target.converge(want, await bench.target.observe(bench.ref))
    assert "version=1" in await get(f"http://127.0.0.1:{port}/app.conf", host="good.test")
    assert set((await bench.target.observe(bench.ref)).endpoints) == {"web"}


async def test_link_reaches_a_server_that_comes_later_and_is_made_again(bench: DockerBench) -> None:
    db = Ref("DatabaseServer", bench.ref.namespace, "db")
    link = Link(db, "database", 8069)
    probe = Probe(("getent", "hosts", child(db, "database")))
    client = replace(workload(bench), probe=probe)
    want = replace(desired(bench, client), links=(link,))
    await settle(bench, want, ready=False)
    assert (await bench.target.observe(bench.ref, live=True)).workload("web").ready == 0
    served = replace(desired(bench, server(bench, "database")), ref=db)
    for version in ("1", "2"):
        parts = replace(served.workloads[0], files=workload(bench, version=version).files)
        await settle(bench, replace(served, workloads=(parts,)))
        assert (await settle(bench, want)).workload("web").ready == 1


def outside() -> str:
    """The machine's name server: something outside that answers on TCP."""
    lines = Path("/etc/resolv.conf").read_text(encoding="utf-8").splitlines()
    servers = [line.split()[1] for line in lines if line.startswith("nameserver ")]
    found = next((server for server in servers if not server.startswith("127.")), None)
    if found is None:
        pytest.skip("no name server outside this machine")
    return found


@pytest.mark.parametrize("policy", [Policy(), Policy("none")], ids=["open", "no way out"])
@pytest.mark.parametrize("egress", [True, False], ids=["egress", "no egress"])
async def test_task_reaches_its_links_and_the_world_only_with_egress(
    bench: DockerBench, policy: Policy, egress: bool
) -> None:
    db = Ref("DatabaseServer", bench.ref.namespace, "db")
    await settle(bench, replace(desired(bench, server(bench, "database")), ref=db))
    await settle(bench, desired(bench, server(bench), policy=policy))
    reach = "timeout 3 bash -c '</dev/tcp/{}/{}'"
    script = f"{reach.format(child(db, 'database'), 8069)} || exit 1; {reach.format(outside(), 53)} || exit 2"
    spec = replace(task(bench), argv=("bash", "-c", script), links=(Link(db, "database", 8069),), egress=egress)
    await bench.target.start(spec)
    await ended(bench, spec.name)
    assert (await bench.target.task(spec.name)).exit_code == (0 if egress else 2)


@pytest.mark.parametrize("closed", [False, True], ids=["open", "no way out"])
async def test_engines_machine_is_reached_from_open_networks_only(bench: DockerBench, closed: bool) -> None:
    """By the network's first address, which is the bridge's, and by the machine's other addresses."""
    if bench.engine.podman:
        pytest.skip("podman: the bridge of an internal network keeps its address")
    await settle(bench, desired(bench, workload(bench), policy=Policy("none" if closed else "open")))
    network = bench.engine.network(child(bench.ref, "network"))
    assert network is not None
    bridge = str(next(ipaddress.ip_network(network["IPAM"]["Config"][0]["Subnet"]).hosts()))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        own = str(probe.getsockname()[0])
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen()
        for address in (bridge, own):
            reach = f"timeout 3 bash -c '</dev/tcp/{address}/{listener.getsockname()[1]}' 2>/dev/null && echo yes || echo no"
            _, output = bench.engine.run(f"{child(bench.ref, 'web')}-0", ["sh", "-c", reach], timeout_s=10)
            assert output.strip() == ("no" if closed else "yes"), address
    _, output = bench.engine.run(f"{child(bench.ref, 'web')}-0", ["cat", "/proc/net/if_inet6"], timeout_s=10)
    assert "eth" not in output


async def test_probe_that_still_runs_is_not_ready(bench: DockerBench) -> None:
    slow = replace(workload(bench), probe=Probe(("sleep", "20"), timeout_s=0.5))
    want = desired(bench, slow)
    await settle(bench, want, ready=False)
    began = bench.clock.monotonic()
    assert (await bench.target.observe(bench.ref, live=True)).workload("web").ready == 0
    assert bench.clock.monotonic() - began < 3


async def test_secret_is_in_no_label_environment_or_argument(bench: DockerBench) -> None:
    await settle(bench, desired(bench, workload(bench)))
    item = bench.engine.container(f"{child(bench.ref, 'web')}-0")
    assert item is not None
    assert "hunter2" not in str(item)


async def test_replica_runs_unprivileged_and_its_volume_is_its_own(bench: DockerBench) -> None:
    mounted = replace(workload(bench), mounts=(Mount("filestore", "/var/lib/store", 1234, 1234, 0o750),))
    await settle(bench, desired(bench, mounted))
    argv = ["sh", "-c", "id -u; stat -c '%u:%g:%a' /var/lib/store /etc/mooring/app.conf; grep CapEff /proc/self/status"]
    _, output = bench.engine.run(f"{child(bench.ref, 'web')}-0", argv, timeout_s=10)
    assert output.split() == ["1234", "1234:1234:750", "1234:1234:600", "CapEff:", "0000000000000000"]


async def test_removal_takes_tasks_that_ended_along_and_waits_for_one_that_runs(bench: DockerBench) -> None:
    await settle(bench, desired(bench))
    ran = task(bench, "probe")
    slow = replace(task(bench, "slow"), argv=("sleep", "600"))
    for one in (ran, slow):
        await bench.target.start(one)
    assert await ended(bench, ran.name) == "succeeded"
    nothing = Desired(bench.ref, bench.identity, network=False)
    for _ in range(3):
        await bench.target.converge(nothing, await bench.target.observe(bench.ref))
    assert (await bench.target.task(ran.name)).phase == "absent"
    assert (await bench.target.task(slow.name)).phase == "running"
    await bench.target.cancel(slow.name)
    await ended(bench, slow.name)
    await settle(bench, nothing)
    assert bench.engine.containers(labels=[f"dev.mooring.namespace={bench.ref.namespace}"]) == []
