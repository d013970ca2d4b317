# SPDX-License-Identifier: Apache-2.0
"""Tasks of a repository reach a real S3 server through a relay: under its true name, with TLS, and nothing else."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from mooring.control.errors import RepositoryTaskFailed
from mooring.control.repository_tasks import run_repository_task
from mooring.control.services import Services
from mooring.domain.instance.repository import RepositoryAccess
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.secret import SecretKey, SecretRef
from mooring.domain.relay import COMPLAINS
from mooring.domain.work.repository_work import RepositoryInit, SnapshotList
from mooring.drivers.locks import FileLocks
from mooring.targets.docker import DockerOptions, networks
from tests.contract.target_bench import DockerBench, docker_address, ended, task
from tests.support.memory_documents import MemoryDocuments
from tests.support.s3_servers import ACCESS_KEY, BUCKET, SECRET_KEY

pytestmark = pytest.mark.real
NAME = "s3.outside.test"
LOGIN = SecretRef("default", "s3-login")
TIMEOUT_S = 180.0
# Prints what of a list of (host, port) was reached.
TRIES = """
import socket
for place in {}:
    try:
        socket.create_connection(place, 3)
        print("reached", *place)
    except OSError:
        pass
"""


@pytest.fixture
async def bench() -> AsyncIterator[DockerBench]:
    made = DockerBench(docker_address())
    made.secrets.values |= {"accessKeyId": ACCESS_KEY, "secretAccessKey": SECRET_KEY}
    try:
        yield made
    finally:
        await made.clean()


def services_of(bench: DockerBench, folder: Path) -> Services:
    return Services(
        documents=MemoryDocuments(),
        secrets=cast("Any", bench.secrets),
        target=bench.target,
        clock=bench.clock,
        installation=bench.identity.installation,
        locks=FileLocks(folder),
    )


def repository(bench: DockerBench, endpoint: str) -> RepositoryAccess:
    return RepositoryAccess(
        ref=Ref("BackupRepository", bench.ref.namespace, "store"),
        identity=Identity(bench.identity.installation, "id-store"),
        url=f"s3://{BUCKET}/odoo",
        client="here",
        endpoint=endpoint,
        credentials=(SecretKey(LOGIN, "accessKeyId"), SecretKey(LOGIN, "secretAccessKey")),
    )


def certificate(folder: Path) -> str:
    """A certificate for NAME, its own authority, beside its key in `folder`; PEM."""
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=outside"]
    argv += ["-addext", f"subjectAltName=DNS:{NAME}", "-addext", "basicConstraints=critical,CA:FALSE"]
    argv += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "crt.pem")]
    subprocess.run(argv, check=True, capture_output=True)
    return (folder / "crt.pem").read_text()


def start_store(bench: DockerBench, folder: Path, port: int, *, tls: bool) -> str:
    """`rclone serve s3` in a container that Mooring knows nothing of; its name."""
    name = f"{bench.ref.namespace}-s3"
    bench.strangers.append(("container", name))
    argv = ["serve", "s3", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "--addr", f":{port}"]
    argv += ["--cert", "/tls/crt.pem", "--key", "/tls/key.pem"] if tls else []
    (folder / "data" / BUCKET).mkdir(parents=True)
    program = Path(sys.executable).with_name("rclone")
    bench.engine.create(
        name,
        {
            "Image": bench.release.reference,
            "Entrypoint": ["/rclone"],
            "Cmd": [*argv, "/data"],
            "HostConfig": {"Binds": [f"{program}:/rclone:ro", f"{folder}:/tls:ro", f"{folder / 'data'}:/data"]},
        },
    )
    bench.engine.start(name)
    return name


def name_store(bench: DockerBench, access: RepositoryAccess, store: str, *, name: str = NAME) -> None:
    """Have the bridge on which the repository's relays reach the world, and the store's name known there."""
    bridge = networks.ensure_network(
        bench.engine,
        DockerOptions(),
        ref=access.ref,
        identity=access.identity,
        role=networks.OUTBOUND,
        internal=False,
    )
    bench.engine.connect(bridge, store, aliases=(name,))


def left(bench: DockerBench) -> list[str]:
    """Containers and networks of the namespace."""
    labels = [f"dev.mooring.namespace={bench.ref.namespace}"]
    boxes = [str(item["Names"][0]) for item in bench.engine.containers(labels=labels)]
    return boxes + [str(item["Name"]) for item in bench.engine.networks(labels=labels)]


@pytest.mark.parametrize("tls", [pytest.param(True, id="TLS"), pytest.param(False, id="plain")])
async def test_tasks_of_a_repository_make_and_list_it_through_a_relay(
    bench: DockerBench, tmp_path: Path, tls: bool
) -> None:
    port = 443 if tls else 9000
    access = repository(bench, f"https://{NAME}" if tls else f"http://{NAME}:{port}")
    if tls:
        bench.secrets.values["ca.crt"] = certificate(tmp_path)
        access = replace(access, ca=SecretKey(SecretRef("default", "s3-ca"), "ca.crt"))
    store = await asyncio.to_thread(start_store, bench, tmp_path, port, tls=tls)
    services = services_of(bench, tmp_path)

    await asyncio.to_thread(name_store, bench, access, store)
    made = await run_repository_task(services, access, RepositoryInit(access.settings()), timeout_s=TIMEOUT_S)
    assert made["created"] is True
    assert list((tmp_path / "data" / BUCKET / "odoo").iterdir())
    assert left(bench) == []

    await asyncio.to_thread(name_store, bench, access, store)
    listed = await run_repository_task(services, access, SnapshotList(access.settings()), timeout_s=TIMEOUT_S)
    assert listed["snapshots"] == []
    assert left(bench) == []


async def test_certificate_of_another_name_is_refused_through_the_relay(bench: DockerBench, tmp_path: Path) -> None:
    bench.secrets.values["ca.crt"] = certificate(tmp_path)
    other = f"other-{NAME}"
    access = repository(bench, f"https://{other}")
    access = replace(access, ca=SecretKey(SecretRef("default", "s3-ca"), "ca.crt"))
    store = await asyncio.to_thread(start_store, bench, tmp_path, 443, tls=True)
    await asyncio.to_thread(name_store, bench, access, store, name=other)
    with pytest.raises(RepositoryTaskFailed, match="No trusted connection") as caught:
        await run_repository_task(
            services_of(bench, tmp_path), access, RepositoryInit(access.settings()), timeout_s=TIMEOUT_S
        )
    assert "NotValidForName" in caught.value.details
    assert left(bench) == []


async def test_task_that_is_granted_a_repository_reaches_its_store_and_nothing_else(
    bench: DockerBench, tmp_path: Path
) -> None:
    access = repository(bench, f"http://{NAME}:9000")
    store = await asyncio.to_thread(start_store, bench, tmp_path, 9000, tls=False)
    place = replace(access, ref=bench.ref, identity=bench.identity)
    await asyncio.to_thread(name_store, bench, place, store)
    item = bench.engine.container(store)
    assert item is not None
    addresses = [str(one["IPAddress"]) for one in item["NetworkSettings"]["Networks"].values()]
    others = [(address, 9000) for address in addresses] + [(NAME, 9001)]
    argv = ("python3", "-c", TRIES.format([(NAME, 9000), *others]))
    spec = replace(access.grant(task(bench, engine=True)), argv=argv)
    await bench.target.start(spec)
    await ended(bench, spec.name)
    state = await bench.target.task(spec.name)
    assert state.log_tail == f"reached {NAME} 9000"
    assert COMPLAINS not in state.log_tail
