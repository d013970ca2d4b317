# SPDX-License-Identifier: Apache-2.0
"""What is written of a rendered instance, and what the text beside it says."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mooring.cli import engines
from mooring.cli.options import Options
from mooring.cli.target_docker import docker_options, make_target
from mooring.domain.model.desired import Folder
from mooring.drivers.docker.find import EngineAddress
from mooring.drivers.settings import Settings, parse_settings
from mooring.targets.docker.files import RenderedFile, Rendering
from mooring.targets.docker.files_readme import render_readme
from mooring.targets.docker.files_write import FolderTaken, write_rendering
from mooring.targets.docker.options import DockerOptions
from mooring.targets.docker.rendering import StackFolder
from mooring.targets.docker.target import DockerTarget
from tests.unit.targets.docker.stacks import REF, STACKS

STACK = STACKS["plain"]
OTHER = os.geteuid() + 1
SECRET = RenderedFile("files/web/etc/odoo.conf", b"db_password = x\n", 0o600, OTHER, OTHER)
SETTINGS = """
[docker]
network_pool = "10.99.0.0/16"
[docker.ingress]
image = "caddy:2.8"
http_port = 8081
"""
PUBLIC = RenderedFile("files/gateway/Caddyfile", b"x", 0o644, OTHER, OTHER)


def rendering(*files: RenderedFile, folders: tuple[StackFolder, ...] = ()) -> Rendering:
    return Rendering(REF, STACK, files, folders, holes=False)


def test_write_makes_private_folders_and_names_what_root_must_give_away(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "shop"
    assert write_rendering(rendering(SECRET, PUBLIC), folder, root=False) == (SECRET.path,)
    path = folder / SECRET.path
    assert path.read_bytes() == SECRET.content
    assert path.stat().st_mode & 0o777 == 0o600
    assert {one.stat().st_mode & 0o777 for one in (folder, path.parent, folder / "files")} == {0o700}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_write_by_root_gives_files_to_their_readers(tmp_path: Path) -> None:
    assert write_rendering(rendering(SECRET, PUBLIC), tmp_path / "shop", root=True) == ()
    found = (tmp_path / "shop" / SECRET.path).stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (OTHER, OTHER, 0o600)


def test_write_into_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(FolderTaken, match="is not empty"):
        write_rendering(rendering(SECRET), tmp_path, root=False)
    assert [one.name for one in tmp_path.iterdir()] == ["mine"]


def test_write_copies_addons_with_rights_that_odoo_can_use(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "module").mkdir(parents=True)
    (source / "module" / "__manifest__.py").write_text("{}")
    (source / "module" / "__manifest__.py").chmod(0o600)
    (source / "link").symlink_to("module")
    folder = StackFolder("addons/0", Folder("/mnt/mooring-addons/0", str(source), "d", os.geteuid(), os.getegid()))
    write_rendering(rendering(folders=(folder,)), tmp_path / "out", root=os.geteuid() == 0)
    copy = tmp_path / "out" / "addons" / "0"
    assert (copy / "module" / "__manifest__.py").read_text() == "{}"
    assert (copy / "module" / "__manifest__.py").stat().st_mode & 0o777 == 0o644
    assert not (copy / "link").is_symlink()  # what the digest does not count does not travel


def test_readme_warns_of_host_names_that_go_unserved() -> None:
    assert "THE INGRESS" in render_readme(STACKS["staging-hosts"], form="compose", texts=())
    assert "THE INGRESS" not in render_readme(STACK, form="compose", texts=())


@pytest.mark.parametrize("form", ["compose", "quadlet"])
def test_readme_names_every_container_that_mooring_leaves_running(form: str) -> None:
    text = render_readme(STACK, form=form, texts=("x.container",))
    others = [box.name for one in STACK.services if one.name in ("database", "gateway") for box in one.boxes]
    assert [line.split()[-1] for line in text.splitlines() if "docker rm" in line] == others
    assert "mooring stop shop" in text
    assert all(len(line) <= 128 for line in text.splitlines() if not line.startswith("    "))


def test_readme_says_owner_and_mode_of_every_file() -> None:
    text = render_readme(STACK, form="compose", texts=())
    assert "chown 101:101 files/web/etc/mooring/odoo.conf && chmod 0600 files/web/etc/mooring/odoo.conf" in text
    assert "chown 999:999 files/database/etc/mooring/superuser-password" in text


def test_readme_warns_of_what_cannot_be_had_elsewhere() -> None:
    assert "another machine cannot get them" in render_readme(STACKS["replicas"], form="compose", texts=())
    assert "IMAGES" not in render_readme(STACK, form="compose", texts=())
    assert "THE DATABASE SERVER" not in render_readme(STACKS["external"], form="compose", texts=())


class Bench:
    """As much of the command line's wiring as a target is made from."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.options = Options()
        self.secrets = self.clock = None
        self.state = SimpleNamespace(installation="i")


async def test_options_of_render_are_those_of_the_commands_target(monkeypatch: pytest.MonkeyPatch) -> None:
    address = EngineAddress("unix:///nobody-listens")
    monkeypatch.setattr(engines, "find_address", lambda _environ: address)
    settings = parse_settings(SETTINGS, source="test")
    target = await make_target(cast("Any", Bench(settings)))
    try:
        assert isinstance(target, DockerTarget)
        assert docker_options(settings) == target._options != DockerOptions()
    finally:
        await target.close()


def test_configuration_that_says_nothing_gives_the_targets_defaults() -> None:
    assert docker_options(Settings()) == DockerOptions()
