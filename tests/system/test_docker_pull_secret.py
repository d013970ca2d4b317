# SPDX-License-Identifier: Apache-2.0
"""A private image that was pruned from a real engine comes back from a real registry, with the login of its pull secret."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from mooring.domain.model.release import Release, ResolvedRelease
from mooring.domain.model.secret import SecretKey, SecretRef
from mooring.errors import MooringError
from mooring.targets.docker.images import PullSecretUnusable
from mooring.targets.errors import RegistryDenied, RegistryUnreachable
from tests.contract.target_bench import IMAGE, DockerBench, Missing, desired, docker_address, ended, task, workload
from tests.support.registries import PASSWORD, Registry, private_registry

pytestmark = pytest.mark.real

KEY = SecretKey(SecretRef("default", "registry-login"), ".dockerconfigjson")


@pytest.fixture
async def bench() -> AsyncIterator[DockerBench]:
    made = DockerBench(docker_address())
    try:
        yield made
    finally:
        await made.clean()


@pytest.fixture
def client() -> Iterator[docker.APIClient]:
    made = docker.APIClient(docker_address().url)
    yield made
    made.close()


@pytest.fixture
def registry(tmp_path: Path, bench: DockerBench, client: docker.APIClient) -> Iterator[Registry]:
    """A private registry whose login the bench's secret holds; its images leave the engine at the end."""
    with private_registry(tmp_path) as made:
        bench.secrets.values[KEY.key] = made.docker_config()
        yield made
    for name in made.images:
        with contextlib.suppress(docker.errors.ImageNotFound):
            client.remove_image(name, force=True)


async def private_release(
    bench: DockerBench, registry: Registry, client: docker.APIClient, *, base: str = "scratch"
) -> ResolvedRelease:
    """An image of the registry, got with the secret, pinned, and pruned from the engine."""
    name = registry.push(base, client)
    client.remove_image(name)
    found = await bench.target.resolve(Release(image=name), pull_secret=KEY)
    prune(found, client)
    return replace(found, pull_secret=KEY)


def prune(release: ResolvedRelease, client: docker.APIClient) -> None:
    client.remove_image(release.reference, force=True)
    assert release.reference not in {one["Id"] for one in client.images(all=True)}


@pytest.mark.full
async def test_task_of_a_private_image_that_was_pruned_gets_it_again(
    bench: DockerBench, registry: Registry, client: docker.APIClient
) -> None:
    release = await private_release(bench, registry, client, base=IMAGE)
    try:
        await bench.target.start(replace(task(bench), image=release))
        assert await ended(bench, task(bench).name) == "succeeded"
        await bench.target.forget(task(bench).name)
    finally:
        with contextlib.suppress(docker.errors.ImageNotFound):
            prune(release, client)


async def test_replica_of_a_private_image_that_was_pruned_gets_it_again(
    bench: DockerBench, registry: Registry, client: docker.APIClient
) -> None:
    release = await private_release(bench, registry, client, base=IMAGE)
    want = desired(bench, replace(workload(bench), image=release))
    try:
        await bench.target.converge(want, await bench.target.observe(bench.ref))
        seen = await bench.target.observe(bench.ref)
        assert [one.running for one in seen.workload("web").replicas] == [True]
        # Which secret it came with says nothing about what runs.
        renamed = replace(release, pull_secret=SecretKey(SecretRef("default", "another"), KEY.key))
        assert not bench.target.diff(desired(bench, replace(workload(bench), image=renamed)), seen)
    finally:
        for item in bench.engine.containers(labels=[f"dev.mooring.namespace={bench.ref.namespace}"]):
            bench.engine.remove(str(item["Id"]))
        with contextlib.suppress(docker.errors.ImageNotFound):
            prune(release, client)


@pytest.mark.parametrize(
    ("case", "kind", "words"),
    [
        pytest.param("wrong password", RegistryDenied, "refuses the login in the secret registry-login", id="wrong"),
        pytest.param("another registry", RegistryDenied, "the secret registry-login has no login for", id="no login"),
        pytest.param("no JSON", PullSecretUnusable, "the secret registry-login", id="no JSON"),
        pytest.param("bad auth", PullSecretUnusable, "the secret registry-login", id="bad auth"),
        pytest.param("no secret", Missing, "dockerconfigjson", id="no secret"),
        pytest.param("no registry", RegistryUnreachable, "its registry does not answer", id="no registry"),
    ],
)
async def test_private_image_that_cannot_be_got_again_says_why_and_names_the_secret(
    case: str, kind: type[MooringError], words: str, bench: DockerBench, registry: Registry, client: docker.APIClient
) -> None:
    release = await private_release(bench, registry, client)
    values = bench.secrets.values
    match case:
        case "wrong password":
            values[KEY.key] = registry.docker_config(password="wrong-wrong")
        case "another registry":
            values[KEY.key] = registry.docker_config(host="registry.example.test")
        case "no JSON":
            values[KEY.key] = PASSWORD
        case "bad auth":
            values[KEY.key] = f'{{"auths": {{"{registry.host}": {{"auth": "{PASSWORD}"}}}}}}'
        case "no secret":
            del values[KEY.key]
        case _:
            registry.stop()
    with pytest.raises(kind, match=words) as caught:
        await bench.target.start(replace(task(bench), image=release))
    fault: BaseException | None = caught.value
    told = ""
    while fault is not None:
        told += f"{fault!r} {getattr(fault, 'details', '')} {getattr(fault, 'resolution', '')}"
        fault = fault.__cause__ or fault.__context__
    assert PASSWORD not in told
    assert "wrong-wrong" not in told


async def test_release_whose_login_is_wrong_is_refused_with_the_secrets_name(
    bench: DockerBench, registry: Registry, client: docker.APIClient
) -> None:
    name = registry.push("scratch", client)
    client.remove_image(name)
    bench.secrets.values[KEY.key] = registry.docker_config(password="wrong-wrong")
    with pytest.raises(RegistryDenied, match="refuses the login in the secret registry-login"):
        await bench.target.resolve(Release(image=name), pull_secret=KEY)
