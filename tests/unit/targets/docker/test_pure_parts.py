# SPDX-License-Identifier: Apache-2.0
"""Caddy's files, labels, subnets, boxes and verdicts; pure."""

from __future__ import annotations

import json
from itertools import islice

import pytest

from mooring.domain.model.desired import Endpoint, File, Resources, Route, Tls
from mooring.domain.model.identity import Identity, Ref, child
from mooring.domain.model.secret import SecretKey, SecretRef
from mooring.domain.task import read_messages
from mooring.targets.docker import caddyfile
from mooring.targets.docker import labels as tag
from mooring.targets.docker.boxes import Attachment, Box, BoxMount, Publish, observed_limits, render_box
from mooring.targets.docker.images import decide_digest
from mooring.targets.docker.observe import read_time
from mooring.targets.docker.options import CAPABILITIES, DockerOptions
from mooring.targets.docker.subnets import plan_subnets
from mooring.targets.docker.tasks import verdict
from mooring.targets.errors import SiteRefused, SubnetsExhausted

SHOP = Ref("OdooInstance", "default", "shop")
OURS = Identity("here", "1")
ROUTES = (Route("/", "web", 8069), Route("/websocket", "web", 8072))


def site(**fields: object) -> str:
    """A site's text without its first line."""
    endpoint = Endpoint("web", ROUTES, ("shop.example.com",), **fields)  # type: ignore[arg-type]  # any field
    return caddyfile.render_site(SHOP, OURS, endpoint, http_port=80, https_port=443).partition("\n")[2]


def test_site_without_tls_reads_as_written_here() -> None:
    web = child(SHOP, "web")
    proxy = (
        "\t\treverse_proxy {{\n\t\t\tdynamic a {{\n\t\t\t\tname {name}\n\t\t\t\tport {port}\n\t\t\t\trefresh 2s\n\t\t\t}}\n"
        "\t\t\tlb_try_duration 10s\n"
        "\t\t\ttransport http {{\n\t\t\t\tdial_timeout 1s\n\t\t\t}}\n\t\t}}\n"
    )
    assert site() == (
        "http://shop.example.com {\n\trequest_body {\n\t\tmax_size 1073741824\n\t}\n"
        "\thandle /websocket* {\n" + proxy.format(name=web, port=8072) + "\t}\n"
        "\thandle {\n" + proxy.format(name=web, port=8069) + "\t}\n}\n"
    )


@pytest.mark.parametrize(
    ("tls", "line"),
    [
        pytest.param(Tls("internal"), "\ttls internal\n", id="internal"),
        pytest.param(Tls("acme", email="ops@example.com"), "\ttls ops@example.com\n", id="acme"),
        pytest.param(Tls("secret", secret=SecretRef("default", "cert")), ".crt /var/lib/mooring/sites/", id="secret"),
    ],
)
def test_site_with_tls_names_its_certificate_and_redirects(tls: Tls, line: str) -> None:
    text = site(tls=tls)
    assert line in text
    assert "https://shop.example.com {" in text
    assert "http://shop.example.com {\n\tredir https://{host}{uri} 308\n}" in text


@pytest.mark.parametrize(
    "endpoint",
    [
        pytest.param(Endpoint("web", ROUTES, ("a.example.com {\nrespond",)), id="host with syntax"),
        pytest.param(Endpoint("web", (Route("/ x {", "web", 1),), ("a.example.com",)), id="path with syntax"),
        pytest.param(Endpoint("web", ROUTES, ("a.example.com",), Tls("acme", email="a@b }")), id="address with syntax"),
    ],
)
def test_site_that_would_inject_syntax_is_refused(endpoint: Endpoint) -> None:
    with pytest.raises(SiteRefused):
        caddyfile.render_site(SHOP, OURS, endpoint, http_port=80, https_port=443)


@pytest.mark.parametrize(
    ("tls", "ports", "url"),
    [
        pytest.param("none", (80, 443), "http://a.example.com", id="plain"),
        pytest.param("none", (8080, 443), "http://a.example.com:8080", id="plain, another port"),
        pytest.param("internal", (80, 443), "https://a.example.com", id="secure"),
        pytest.param("internal", (80, 8443), "https://a.example.com:8443", id="secure, another port"),
    ],
)
def test_site_url_names_only_unusual_ports(tls: str, ports: tuple[int, int], url: str) -> None:
    endpoint = Endpoint("web", ROUTES, ("a.example.com",), Tls(tls))  # type: ignore[arg-type]  # a literal's text
    assert caddyfile.site_url(endpoint, http_port=ports[0], https_port=ports[1]) == url


def test_site_head_is_read_back_and_a_strangers_is_not() -> None:
    endpoint = Endpoint("web", ROUTES, ("Shop.example.com",))
    head = caddyfile.read_head(caddyfile.render_site(SHOP, OURS, endpoint, http_port=80, https_port=443))
    assert head is not None
    assert (head["hosts"], head["name"], head["instance"]) == (["shop.example.com"], "shop", "1")
    assert caddyfile.read_head("# mooring: not json\n") is None
    assert caddyfile.read_head("example.com {\n}\n") is None


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        pytest.param(child(SHOP, "web"), True, id="child"),
        pytest.param(f"{child(SHOP, 'web')}-3", True, id="replica"),
        pytest.param("shop-web-00000000", False, id="another digest"),
        pytest.param("shop", False, id="bare name"),
        pytest.param(child(Ref("OdooInstance", "default", "shop-web"), "x"), False, id="another owner"),
    ],
)
def test_child_names_are_told_from_strangers(name: str, ours: bool) -> None:
    assert tag.is_child_name(SHOP, name) is ours


def test_subnets_that_are_in_use_are_passed_over() -> None:
    found = plan_subnets("10.213.0.0/24", 27, ["10.213.0.0/26", "10.213.0.96/28", "fd00::/64", "junk"])
    assert list(islice(found, 2)) == ["10.213.0.64/27", "10.213.0.128/27"]


def test_subnets_of_a_used_up_pool_are_said_to_be_exhausted() -> None:
    with pytest.raises(SubnetsExhausted):
        next(plan_subnets("10.213.0.0/24", 27, ["10.0.0.0/8"]))


def box() -> Box:
    """A box with everything."""
    secret = SecretKey(SecretRef("default", "s"), "password", "7")
    return Box(
        name="shop-web-0",
        ref=SHOP,
        identity=OURS,
        role="web",
        purpose="workload",
        image="sha256:1",
        argv=("odoo", "-c", "x"),
        user=(101, 102),
        restart=True,
        files=(File("/etc/mooring/odoo.conf", ("password=", secret)),),
        mounts=(BoxMount("shop-filestore", "/var/lib/odoo", 101, 102, 0o750),),
        resources=Resources(1500, 1 << 30),
        networks=(Attachment("net", ("web",)), Attachment("other")),
        publish=(Publish(8080, 18069),),
        stop_signal="SIGINT",
    )


def test_box_is_unprivileged_limited_and_ignores_the_images_entry_point() -> None:
    config = render_box(box(), DockerOptions())
    host = config["HostConfig"]
    assert (config["Entrypoint"], config["Cmd"], config["User"]) == (["odoo"], ["-c", "x"], "101:102")
    assert (host["CapDrop"], host["CapAdd"], host["SecurityOpt"]) == (["ALL"], [], ["no-new-privileges"])
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (1 << 30, 1 << 30, 1_500_000_000)
    assert host["LogConfig"]["Config"] == {"max-size": "10485760", "max-file": "3"}
    assert host["PortBindings"] == {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18069"}]}
    assert (config["StopSignal"], host["RestartPolicy"]) == ("SIGINT", {"Name": "always"})
    assert "Privileged" not in host
    assert observed_limits(host) == config["Labels"][tag.LIMITS]


def test_box_without_networks_has_none() -> None:
    config = render_box(Box(**{**vars(box()), "networks": ()}), DockerOptions())
    assert (config["HostConfig"]["NetworkMode"], config["NetworkingConfig"]["EndpointsConfig"]) == ("none", {})


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        pytest.param("2026-11-21T07:27:25.350836437Z", "2026-11-21T07:27:25.350836+00:00", id="nanoseconds"),
        pytest.param("2026-11-21T07:27:25Z", "2026-11-21T07:27:25+00:00", id="seconds"),
        pytest.param("2026-11-21T08:27:25.5+01:00", "2026-11-21T08:27:25.500000+01:00", id="zone"),
        pytest.param("0001-01-01T00:00:00Z", None, id="never"),
    ],
)
def test_time_of_an_engine_is_read(text: str, iso: str | None) -> None:
    found = read_time(text)
    assert (found.isoformat() if found else None) == iso


RESULT = json.dumps({"v": 1, "type": "result", "result": {"n": 1}})


@pytest.mark.parametrize(
    ("lines", "code", "facts", "phase", "reason"),
    [
        pytest.param([RESULT], 0, {}, "succeeded", None, id="result"),
        pytest.param(["done"], 0, {}, "failed", "TaskFailed", id="engine without result"),
        pytest.param(["done"], 0, {"engine_task": False}, "succeeded", None, id="image without result"),
        pytest.param([RESULT], 1, {}, "failed", "TaskFailed", id="result and a bad exit"),
        pytest.param([], 137, {"out_of_memory": True}, "failed", "OutOfMemory", id="out of memory"),
        pytest.param([], 143, {"late": True}, "failed", "TaskDeadlineExceeded", id="late"),
        pytest.param([], 137, {}, "failed", "TaskInterrupted", id="killed"),
        pytest.param([], 255, {}, "failed", "TaskInterrupted", id="ended while the engine was down"),
    ],
)
def test_verdict_of_a_task(lines: list[str], code: int, facts: dict[str, bool], phase: str, reason: str | None) -> None:
    known = {"engine_task": True, "out_of_memory": False, "late": False} | facts
    state = verdict("t", messages=read_messages(lines), exit_code=code, **known)
    assert (state.phase, (state.error or {}).get("reason")) == (phase, reason)


def test_unsupported_fields_are_paths_of_the_manifest() -> None:
    assert {"git", "affinity", "ingress.className", "filestore.storageClass"} <= CAPABILITIES.unsupported_fields
    assert not CAPABILITIES.git_releases
    assert not CAPABILITIES.enforces_size


@pytest.mark.parametrize(
    ("source", "digests", "expected"),
    [
        pytest.param("odoo:18.0", ["odoo@sha256:1"], "sha256:1", id="docker hub"),
        pytest.param("odoo:18.0", ["docker.io/library/odoo@sha256:1"], "sha256:1", id="docker hub on podman"),
        pytest.param("odoo:18.0", ["r.test:5000/odoo@sha256:2", "odoo@sha256:1"], "sha256:1", id="pushed elsewhere"),
        pytest.param("r.test:5000/odoo:1", ["odoo@sha256:1", "r.test:5000/odoo@sha256:2"], "sha256:2", id="its own"),
        pytest.param("r.test:5000/odoo", ["odoo@sha256:1", "r.test:5000/odoo@sha256:2"], "sha256:2", id="without tag"),
        pytest.param("odoo:new-name", ["r.test/shop@sha256:3"], "sha256:3", id="only elsewhere"),
        pytest.param("odoo:18.0", ["localhost/odoo@sha256:1"], "", id="loaded on podman"),
        pytest.param("odoo:18.0", [], "", id="built here"),
    ],
)
def test_digest_of_an_image_is_the_one_its_own_registry_knows(source: str, digests: list[str], expected: str) -> None:
    assert decide_digest(source, digests) == expected
