# SPDX-License-Identifier: Apache-2.0
"""Finding an engine, its words as errors, archives, routes, logins."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest

from mooring.drivers.docker.archive import Entry, member_count, pack_folder, read_archive, render_archive
from mooring.drivers.docker.connection import labelled
from mooring.drivers.docker.faults import refusal, registry_refusal
from mooring.drivers.docker.find import find_engine
from mooring.drivers.docker.registry import login_for
from mooring.drivers.docker.routes import local_subnets
from mooring.drivers.errors import EngineUnreachable
from mooring.errors import MooringError


def test_no_engine_says_what_was_tried_and_nothing_else_is_tried(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachable) as caught:
        find_engine(host=f"unix://{tmp_path}/none.sock", home=tmp_path)
    assert f"{tmp_path}/none.sock (DOCKER_HOST)" in caught.value.details
    assert len(caught.value.details.splitlines()) == 1


def test_current_context_is_used_with_its_own_address(tmp_path: Path) -> None:
    folder = tmp_path / ".docker"
    meta = folder / "contexts" / "meta" / hashlib.sha256(b"far").hexdigest()
    meta.mkdir(parents=True)
    (folder / "config.json").write_text('{"currentContext": "far"}')
    endpoint = {"Host": f"unix://{tmp_path}/far.sock", "SkipTLSVerify": False}
    (meta / "meta.json").write_text(json.dumps({"Name": "far", "Endpoints": {"docker": endpoint}}))
    with pytest.raises(EngineUnreachable) as caught:
        find_engine(home=tmp_path)
    assert f"{tmp_path}/far.sock (context far)" in caught.value.details


def test_context_without_an_engine_is_said(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachable, match="context gone"):
        find_engine(home=tmp_path, context="gone")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        pytest.param(
            "driver failed: Bind for 0.0.0.0:80 failed: port is already allocated", "PortTaken", id="docker port"
        ),
        pytest.param("listen tcp 127.0.0.1:80: bind: address already in use", "PortTaken", id="podman port"),
        pytest.param("write /x: no space left on device", "DiskFull", id="disk"),
        pytest.param("Pool overlaps with other one on this address space", "SubnetTaken", id="docker subnet"),
        pytest.param("subnet 10.0.0.0/27 is already used on the host", "SubnetTaken", id="podman subnet"),
        pytest.param('the container name "x" is already in use by 2ff', "NameTaken", id="name"),
        pytest.param("something else", "EngineRefused", id="else"),
    ],
)
def test_refusal_has_the_type_of_its_cause(words: str, reason: str) -> None:
    fault: MooringError = refusal("do it", words)
    assert (fault.reason, fault.details) == (reason, words)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        pytest.param("dial tcp: lookup registry.example: no such host", "RegistryUnreachable", id="dns"),
        pytest.param("manifest unknown: manifest unknown", "ImageNotFound", id="tag"),
        pytest.param(
            "pull access denied for x, repository does not exist or may require", "RegistryDenied", id="denied"
        ),
        pytest.param("write /x: no space left on device", "DiskFull", id="disk"),
    ],
)
def test_registry_refusal_has_the_type_of_its_cause(words: str, reason: str) -> None:
    assert registry_refusal("x:1", words).reason == reason


def test_archive_keeps_owner_and_mode_and_is_read_back() -> None:
    data = render_archive([Entry("d", None, 1, 2, 0o750), Entry("d/f", b"text", 1, 2, 0o600)])
    assert dict(read_archive(data)) == {"d/f": b"text"}
    assert data == render_archive([Entry("d", None, 1, 2, 0o750), Entry("d/f", b"text", 1, 2, 0o600)])


@pytest.mark.parametrize("size", [1, 512, 100_000], ids=str)
def test_member_count_of_pieces_stops_early(size: int) -> None:
    data = render_archive([Entry(f"f{number}", b"x" * 700, 0, 0, 0o600) for number in range(5)])
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert member_count(pieces, stop=2) == 2
    assert member_count(pieces, stop=99) == 5


def test_packed_folder_has_the_given_owner_and_readable_modes(tmp_path: Path) -> None:
    import tarfile

    (tmp_path / "a").mkdir(mode=0o700)
    (tmp_path / "a" / "f.py").write_text("x")
    (tmp_path / "a" / "f.py").chmod(0o600)
    with pack_folder(tmp_path, "mnt/addons", uid=7, gid=8) as packed, tarfile.open(fileobj=packed) as archive:
        found = {item.name: (item.uid, item.gid, item.mode) for item in archive}
    assert found["mnt/addons/a"] == (7, 8, 0o755)
    assert found["mnt/addons/a/f.py"] == (7, 8, 0o644)


def test_routes_are_read_without_the_default_one(tmp_path: Path) -> None:
    table = tmp_path / "route"
    table.write_text(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "br-1\t0000D50A\t00000000\t0001\t0\t0\t0\tE0FFFFFF\t0\t0\t0\n"
    )
    assert local_subnets(table) == ["10.213.0.0/27"]
    assert local_subnets(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("image", "user"),
    [
        pytest.param("registry.example:5000/team/odoo:18.0", "team", id="private"),
        pytest.param("odoo:18.0", "hub", id="docker hub"),
        pytest.param("other.example/odoo:18.0", None, id="unknown"),
    ],
)
def test_login_is_that_of_the_images_registry(image: str, user: str | None) -> None:
    def auth(name: str) -> dict[str, str]:
        return {"auth": base64.b64encode(f"{name}:secret:with:colons".encode()).decode()}

    auths = {"registry.example:5000": auth("team"), "https://index.docker.io/v1/": auth("hub")}
    found = login_for(image, json.dumps({"auths": auths}))
    assert (found and found["username"]) == user
    assert found is None or found["password"] == "secret:with:colons"


@pytest.mark.parametrize(
    "config",
    [
        pytest.param("team:secret", id="no JSON"),
        pytest.param('"team:secret"', id="a text"),
        pytest.param('{"auths": ["r.example"]}', id="a list"),
        pytest.param('{"auths": {"r.example": "team:secret"}}', id="a login that is a text"),
        pytest.param('{"auths": {"r.example": {"auth": "team:secret"}}}', id="not encoded"),
        pytest.param('{"auths": {"r.example": {"auth": "/////w=="}}}', id="encoded, and no text"),
    ],
)
def test_login_that_is_no_docker_configuration_is_refused(config: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        login_for("r.example/odoo:18.0", config)


def test_objects_with_one_of_the_labels_only_are_not_taken() -> None:
    both = {"Name": "both", "Labels": {"name": "shop", "kind": "x"}}
    one = {"Name": "one", "Labels": {"name": "shop", "kind": "y"}}
    none = {"Name": "none", "Labels": None}
    assert labelled([both, one, none], ["name=shop", "kind=x"]) == [both]
    assert labelled([both, one, none], ["kind"]) == [both, one]
    assert labelled([none], []) == [none]


def test_archives_end_where_their_readers_stop(tmp_path: Path) -> None:
    # A header, one block of content, and the two empty blocks that end every archive: Podman's reader closes its pipe after
    # them, and what came behind would break the upload now and then.
    assert len(render_archive([Entry("f", b"text", 1, 2, 0o600)])) == 4 * 512
    (tmp_path / "f").write_text("text")
    with pack_folder(tmp_path, "mnt", uid=7, gid=8) as packed:
        assert len(packed.read()) == 5 * 512
