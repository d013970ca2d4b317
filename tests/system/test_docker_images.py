# SPDX-License-Identifier: Apache-2.0
"""Images that are not, or no longer, on a real engine."""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import docker
import pytest

from mooring.domain.model.identity import child
from mooring.domain.model.release import Release, ResolvedRelease
from mooring.domain.model.secret import SecretKey
from mooring.drivers.docker.archive import Entry, render_archive
from mooring.drivers.docker.engine import Engine
from mooring.targets.docker import DockerOptions
from mooring.targets.docker.images import ImageGone, ensure_engine_image, ensure_release, resolve_image
from mooring.targets.docker.labels import owner_labels
from mooring.targets.errors import Foreign, RegistryUnreachable
from tests.contract.target_bench import DockerBench, desired, docker_address, task, workload

pytestmark = pytest.mark.real


@pytest.fixture
async def bench() -> AsyncIterator[DockerBench]:
    made = DockerBench(docker_address())
    try:
        yield made
    finally:
        await made.clean()


def pin(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def no_secret(key: SecretKey) -> bytes:
    """Images here are public."""
    raise AssertionError(key)


@contextmanager
def registry() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A registry on this machine with one image of one file; (the image's name, what the registry holds)."""
    layer = render_archive([Entry("mark", uuid.uuid4().bytes, 0, 0, 0o644)])
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [pin(layer)]}}
    settings = json.dumps(config | {"config": {}}).encode()
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": {
                "mediaType": "application/vnd.docker.container.image.v1+json",
                "size": len(settings),
                "digest": pin(settings),
            },
            "layers": [
                {
                    "mediaType": "application/vnd.docker.image.rootfs.diff.tar",
                    "size": len(layer),
                    "digest": pin(layer),
                }
            ],
        }
    ).encode()
    held = {"1": manifest, pin(manifest): manifest, pin(settings): settings, pin(layer): layer}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            key = self.path.rpartition("/")[2]
            found = b"{}" if self.path == "/v2/" else held.get(key)
            gone = json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}).encode()
            body = found if found is not None else gone
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Type", kind if found is manifest else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Content-Digest", pin(body))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}/mooring/test:1", held
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def local_image() -> Iterator[ResolvedRelease]:
    """An image that was made here, pinned, and removed since."""
    client = docker.APIClient(docker_address().url)
    name = f"mooring-test-{uuid.uuid4().hex[:8]}"
    try:
        data = render_archive([Entry("mark", uuid.uuid4().bytes, 0, 0, 0o644)])
        client.import_image_from_data(data, repository=name, tag="1")
        made = resolve_image(Engine(docker_address()), DockerOptions(), Release(image=f"{name}:1"), login=None)
        client.remove_image(f"{name}:1")
        yield made
    finally:
        client.close()


def test_pull_from_a_registry_that_is_not_there_says_that_it_does_not_answer() -> None:
    engine = Engine(docker_address())
    try:
        with pytest.raises(RegistryUnreachable, match=r"127\.0\.0\.1:1/x:1"):
            engine.pull("127.0.0.1:1/x:1", login=None, idle_timeout_s=60)
    finally:
        engine.close()


def test_engine_image_that_no_registry_gives_says_which_command_builds_it() -> None:
    engine = Engine(docker_address(), timeout_s=30)
    try:
        with pytest.raises(RegistryUnreachable) as caught:
            ensure_engine_image(engine, DockerOptions(engine_image="127.0.0.1:1/mooring-engine:9"))
    finally:
        engine.close()
    assert "mooring setup" in caught.value.resolution


def test_image_that_was_pruned_comes_back_by_its_digest_and_never_by_its_tag() -> None:
    engine, client = Engine(docker_address()), docker.APIClient(docker_address().url)
    with registry() as (name, held):
        pinned = resolve_image(engine, DockerOptions(), Release(image=name), login=None)
        try:
            client.remove_image(pinned.reference, force=True)
            assert engine.image(pinned.reference) is None
            held["1"] = b"{}"
            ensure_release(engine, DockerOptions(), pinned, no_secret)
            assert engine.image(pinned.reference) is not None
            client.remove_image(pinned.reference, force=True)
            held.clear()
            with pytest.raises(ImageGone, match=name) as caught:
                ensure_release(engine, DockerOptions(), pinned, no_secret)
            assert "the registry does not have it" in caught.value.details
        finally:
            if engine.image(pinned.reference) is not None:
                client.remove_image(pinned.reference, force=True)
            client.close()
    with pytest.raises(RegistryUnreachable):
        ensure_release(engine, DockerOptions(), pinned, no_secret)
    engine.close()


async def test_replica_of_an_image_that_was_pruned_says_which_one_to_bring_back(bench: DockerBench) -> None:
    with local_image() as gone:
        want = desired(bench, replace(workload(bench), image=gone))
        with pytest.raises(ImageGone, match=f"{gone.source} .* load or pull it again"):
            await bench.target.converge(want, await bench.target.observe(bench.ref))


async def test_task_of_an_image_that_was_pruned_says_which_one_to_bring_back(bench: DockerBench) -> None:
    with local_image() as gone:
        with pytest.raises(ImageGone) as caught:
            await bench.target.start(replace(task(bench), image=gone))
        assert gone.source in caught.value.resolution


async def test_file_of_an_image_comes_although_a_kill_left_what_held_the_image_open(bench: DockerBench) -> None:
    target, image = bench.target, bench.release
    name = child(bench.ref, f"image-{image.digest.removeprefix('sha256:')[:12]}")
    labels = owner_labels(bench.ref, bench.identity, "image")
    bench.engine.create(name, {"Image": image.reference, "Cmd": ["true"], "Labels": labels})
    content = await target.read_image_file(image, "/etc/passwd", place=bench.ref, identity=bench.identity)
    assert content is not None
    assert b"root:" in content
    assert bench.engine.container(name) is None


async def test_file_that_an_image_does_not_have_is_none(bench: DockerBench) -> None:
    found = await bench.target.read_image_file(bench.release, "/no/such/file", place=bench.ref, identity=bench.identity)
    assert found is None


async def test_strangers_container_in_the_place_of_what_holds_an_image_open_is_refused(bench: DockerBench) -> None:
    name = child(bench.ref, f"image-{bench.release.digest.removeprefix('sha256:')[:12]}")
    await bench.add_stranger("container", name)
    with pytest.raises(Foreign):
        await bench.target.read_image_file(bench.release, "/etc/passwd", place=bench.ref, identity=bench.identity)
    assert await bench.stranger_there("container", name)
