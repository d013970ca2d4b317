# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.drivers import settings as module
from mooring.drivers.files import FileFailed
from mooring.drivers.paths import NoHome
from mooring.drivers.settings import (
    BadSettings,
    DefaultSettings,
    DockerSettings,
    IngressSettings,
    PortRange,
    Settings,
    default_settings_path,
    load_settings,
    parse_settings,
)

FULL = """
default_target = "docker"
[docker]
network_pool = "172.30.0.0/15"
network_prefix = 27
publish_ports = "20000-20099"
engine_image = "registry.example.com/engine:1"
[docker.ingress]
http_port = 8080
https_port = 8443
image = "caddy:2.8"
[defaults]
image = "odoo:18.0"
"""


@pytest.mark.parametrize(
    ("environ", "uid", "path"),
    [
        pytest.param({}, 0, "/etc/mooring/config.toml", id="root"),
        pytest.param({"HOME": "/home/a"}, 1000, "/home/a/.config/mooring/config.toml", id="user"),
        pytest.param({"HOME": "/home/a", "XDG_CONFIG_HOME": "/x"}, 1000, "/x/mooring/config.toml", id="user with XDG"),
    ],
)
def test_default_settings_path_follows_the_environment(environ: dict[str, str], uid: int, path: str) -> None:
    assert default_settings_path(environ, uid) == Path(path)


def test_load_of_a_missing_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "none" / "config.toml") == Settings()


def test_load_reads_every_key(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(FULL)
    assert load_settings(tmp_path / "config.toml") == Settings(
        default_target="docker",
        docker=DockerSettings(
            network_pool=IPv4Network("172.30.0.0/15"),
            network_prefix=27,
            publish_ports=PortRange(20000, 20099),
            engine_image="registry.example.com/engine:1",
            ingress=IngressSettings(http_port=8080, https_port=8443, image="caddy:2.8"),
        ),
        defaults=DefaultSettings(image="odoo:18.0"),
    )


def test_example_in_the_documentation_is_accepted_and_shows_the_defaults() -> None:
    assert module.__doc__ is not None
    example = module.__doc__[module.__doc__.index("    default_target") :].replace("    ", "")
    assert parse_settings(example, source="x") == Settings(defaults=DefaultSettings(image="odoo:19.0"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            'defualt_target = "docker"', "defualt_target is unknown (did you mean default_target?)", id="near"
        ),
        pytest.param("zzz = 1", "zzz is unknown (there are default_target, defaults, docker)", id="far"),
        pytest.param("[docker.ingress]\nhttp_prot = 1", "docker.ingress.http_prot is unknown", id="unknown below"),
        pytest.param('default_target = "dokcer"', "'dokcer'; allowed: docker", id="target"),
        pytest.param("default_target = 1", "it must be text", id="number for text"),
        pytest.param("docker = 1", "docker is 1; it must be a table", id="no table"),
        pytest.param('[docker]\nnetwork_pool = "8.8.0.0/16"', "private IPv4", id="public pool"),
        pytest.param('[docker]\nnetwork_pool = "10.0.0.1/16"', "private IPv4", id="host bits"),
        pytest.param('[docker]\nnetwork_pool = "fd00::/64"', "private IPv4", id="IPv6 pool"),
        pytest.param("[docker]\nnetwork_prefix = 8", "allowed: 16 to 29", id="prefix wider than the pool"),
        pytest.param("[docker]\nnetwork_prefix = true", "whole number", id="bool for number"),
        pytest.param('[docker]\nnetwork_prefix = "28"', "whole number", id="text for number"),
        pytest.param('[docker]\npublish_ports = "80-90"', "FIRST-LAST", id="privileged ports"),
        pytest.param('[docker]\npublish_ports = "3000-2000"', "FIRST-LAST", id="ports backwards"),
        pytest.param('[docker]\npublish_ports = "3000"', "FIRST-LAST", id="one port"),
        pytest.param("[docker.ingress]\nhttp_port = 0", "allowed: 1 to 65535", id="port zero"),
        pytest.param("[docker.ingress]\nhttp_port = 443", "https_port is the same", id="ports equal"),
        pytest.param('[docker]\nengine_image = ""', "one word", id="empty image"),
        pytest.param('[defaults]\nimage = "odoo 18"', "one word", id="space in image"),
        pytest.param('[defaults]\nimage = "odoo\\n18"', "one word", id="line break in image"),
        pytest.param("a = [", "not TOML", id="not TOML"),
    ],
)
def test_parse_of_a_mistake_names_it(text: str, words: str) -> None:
    with pytest.raises(BadSettings) as caught:
        parse_settings(text, source="/etc/mooring/config.toml")
    assert words in caught.value.brief
    assert "/etc/mooring/config.toml" in caught.value.brief


def test_parse_of_several_mistakes_names_all() -> None:
    with pytest.raises(BadSettings, match="3 mistakes") as caught:
        parse_settings('x = 1\n[docker]\nnetwork_prefix = 99\n[docker.ingress]\nhttp_port = "a"', source="x")
    assert len(caught.value.details.splitlines()) == 3


def test_load_of_what_is_no_text_says_so(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\xfe")
    with pytest.raises(BadSettings, match="UTF-8"):
        load_settings(tmp_path / "a")
    (tmp_path / "b").write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(BadSettings, match="1 MiB"):
        load_settings(tmp_path / "b")
    with pytest.raises(FileFailed):
        load_settings(tmp_path)


@given(st.text() | st.sampled_from(FULL.splitlines()).map(lambda line: line.replace('"', "", 1)))
def test_parse_of_anything_gives_settings_or_the_typed_error(text: str) -> None:
    try:
        settings = parse_settings(text, source="x")
    except BadSettings:
        return
    assert isinstance(settings, Settings)


def test_settings_path_without_a_home_names_the_variables_that_lead_to_it() -> None:
    with pytest.raises(NoHome) as caught:
        default_settings_path({"MOORING_HOME": "/m"}, 1000)
    assert "XDG_CONFIG_HOME" in caught.value.resolution
    assert "MOORING_HOME" not in caught.value.resolution
