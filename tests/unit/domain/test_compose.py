# SPDX-License-Identifier: Apache-2.0
"""What a Compose file may look like: each shape that Compose knows is read, any other is named, nothing ends in a traceback."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mooring.api.loader import dump_yaml, load_resource
from mooring.domain.compose import Stack, Translated, translate_stack
from mooring.domain.compose_service import StackRefused
from mooring.errors import MooringError

ENV = {
    "CF_R2_ENDPOINT": "https://acc.r2.example.com",
    "CF_R2_BUCKET": "shop-backups",
    "CF_R2_ACCESS_KEY_ID": "the-key",
    "CF_R2_SECRET_ACCESS_KEY": "hidden-value",
    "PORT": "8080",
}
SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.binary(max_size=4)
    | st.dates()
    | st.text(max_size=12)
    | st.sampled_from(["${PORT}:8069", "$PORT", "${X:-2}", "4g", "0.5", "80:8069", "odoo:17.0", "FOO=bar", "./a:/b:ro"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["resources", "limits", "cpus", "memory", "target", "published", "odoo"])
            | st.text(max_size=8)
            | st.integers()
            | st.none(),
            inner,
            max_size=3,
        )
        | st.frozensets(st.integers(), max_size=2)
    ),
)
KEYS = (
    "image",
    "build",
    "deploy",
    "cpus",
    "mem_limit",
    "ports",
    "environment",
    "env_file",
    "volumes",
    "command",
    "entrypoint",
)


def translated(service: Any, *, env: dict[str, str] | None = None, image: str | None = None) -> Translated:
    compose = {"services": {"odoo": service}}
    return translate_stack(
        Stack(env=env or {}, compose=compose, conf={}), name="shop", namespace="default", image=image
    )


def instance(found: Translated) -> dict[str, Any]:
    spec: dict[str, Any] = found.documents[-1]["spec"]
    return spec


@pytest.mark.parametrize(
    ("deploy", "said"),
    [
        pytest.param(None, None, id="deploy null"),
        pytest.param([], "`deploy` is a list", id="deploy a list"),
        pytest.param("2g", "`deploy` is a text", id="deploy a text"),
        pytest.param({"resources": None}, None, id="resources null"),
        pytest.param({"resources": [1]}, "`deploy.resources` is a list", id="resources a list"),
        pytest.param({"resources": "x"}, "`deploy.resources` is a text", id="resources a text"),
        pytest.param({"resources": {"limits": None}}, None, id="limits null"),
        pytest.param({"resources": {"limits": ["cpus"]}}, "`deploy.resources.limits` is a list", id="limits a list"),
        pytest.param({"resources": {"limits": 3}}, "`deploy.resources.limits` is a number", id="limits a number"),
        pytest.param(
            {"resources": {"limits": {"cpus": [2]}}}, "`deploy.resources.limits.cpus` is no", id="cpus a list"
        ),
        pytest.param(
            {"resources": {"limits": {"memory": "much"}}}, "`deploy.resources.limits.memory` is no", id="memory a word"
        ),
        pytest.param(
            {"resources": {"limits": {"memory": True}}}, "`deploy.resources.limits.memory` is no", id="memory true"
        ),
    ],
)
def test_limits_in_another_shape_are_named_and_those_of_the_service_taken(deploy: Any, said: str | None) -> None:
    found = translated({"image": "odoo:17.0", "deploy": deploy, "cpus": 1.5, "mem_limit": "2gb"})
    resources = instance(found).get("resources", {})
    told = [one for one in found.told if "deploy" in one]
    if said is None:
        assert told == []
    else:
        assert len(told) == 1
        assert said in told[0]
    assert resources == {"cpu": "1.5", "memory": "2Gi"}


@pytest.mark.parametrize(
    ("ports", "said"),
    [
        pytest.param("8090:8069", "publishes 8090:8069:", id="a text"),
        pytest.param(["80:8069", "127.0.0.1:8072:8072/tcp"], "80:8069, 127.0.0.1:8072:8072/tcp:", id="texts"),
        pytest.param(["${PORT}:8069"], "publishes 8080:8069:", id="a variable"),
        pytest.param([{"target": 8069, "published": "80"}], "publishes 80:8069:", id="long syntax"),
        pytest.param([8069], None, id="not published"),
        pytest.param([{"target": 8069}], None, id="long syntax, not published"),
        pytest.param(None, None, id="null"),
        pytest.param({"80": 8069}, "`ports` is a mapping", id="a mapping"),
        pytest.param(True, "`ports` is true or false", id="true"),
        pytest.param(["80:8069", ["81:8069"]], "`ports[1]`", id="a list in it"),
        pytest.param([{"target": [1], "published": 80}], "`ports[0]`", id="long syntax with a list"),
        pytest.param(["$CF_R2_SECRET_ACCESS_KEY:80"], "`ports[0]`", id="no port"),
        pytest.param(
            ["[::1]:80:8069", "127.0.0.1::8072", "8000-8009:8000-8009/udp"], "[::1]:80:8069, 127", id="addresses"
        ),
        pytest.param(
            [{"target": 8069, "published": 80, "host_ip": "::1"}], "publishes ::1:80:8069:", id="long, address"
        ),
    ],
)
def test_ports_in_each_shape_are_told_or_named(ports: Any, said: str | None) -> None:
    found = translated({"image": "odoo:17.0", "ports": ports}, env=ENV)
    told = [one for one in found.told if "publishes" in one or "ports" in one]
    if said is None:
        assert told == []
    else:
        assert said in " ".join(told)
        assert "hidden-value" not in " ".join(told)


@pytest.mark.parametrize(
    ("service", "said"),
    [
        pytest.param({"build": "."}, "builds", id="built"),
        pytest.param({"build": {"context": "."}, "image": ""}, "builds", id="built, image empty"),
        pytest.param({"image": "${NOT_SET}"}, "image", id="variable not set"),
        pytest.param({"image": None}, "image", id="null"),
        pytest.param({"image": ["odoo:17.0"]}, "is a list", id="a list"),
    ],
)
def test_stack_without_an_image_is_refused_and_the_given_one_taken(service: dict[str, Any], said: str) -> None:
    with pytest.raises(StackRefused, match=said) as caught:
        translated(service)
    assert "--image" in caught.value.resolution
    assert instance(translated(service, image="shop:17.0"))["image"] == "shop:17.0"


def test_given_image_wins_over_that_of_the_file_and_says_the_series() -> None:
    stack = Stack(
        env={}, compose={"services": {"odoo": {"image": "ours/erp", "build": "."}}}, conf={"limit_time_real": "1200"}
    )
    found = translate_stack(stack, name="shop", namespace="default", image="registry.example.com/odoo:16.0")
    assert instance(found)["image"] == "registry.example.com/odoo:16.0"
    assert instance(found)["configOptions"] == {"limit_time_real": "1200"}
    assert not [one for one in found.told if "builds" in one]


def test_service_of_another_name_that_builds_its_image_is_found_by_the_given_image() -> None:
    compose = {"services": {"db": {"image": "postgres:15"}, "web": {"build": ".", "cpus": 3}}}
    stack = Stack(env={}, compose=compose, conf={})
    with pytest.raises(StackRefused, match="runs Odoo") as caught:
        translate_stack(stack, name="shop", namespace="default")
    assert "--image" in caught.value.resolution
    found = translate_stack(stack, name="shop", namespace="default", image="shop:17.0")
    assert instance(found)["resources"] == {"cpu": "3"}


@pytest.mark.parametrize(
    ("services", "said"),
    [
        pytest.param(None, "no `services`", id="null"),
        pytest.param(["odoo"], "`services` is a list", id="a list"),
        pytest.param("odoo", "`services` is a text", id="a text"),
        pytest.param({"odoo": "odoo:17.0"}, "`odoo` is a text", id="a service that is a text"),
        pytest.param({"odoo": None}, "`odoo` is empty", id="a service that is empty"),
    ],
)
def test_services_in_another_shape_are_refused_by_name(services: Any, said: str) -> None:
    with pytest.raises(StackRefused) as caught:
        translate_stack(Stack(env={}, compose={"services": services}, conf={}), name="shop", namespace="default")
    assert said in f"{caught.value.brief}\n{caught.value.details}"


def test_what_of_the_service_is_not_taken_over_is_named_without_its_values() -> None:
    service = {
        "image": "odoo:17.0",
        "environment": ["PASSWORD=hidden-value"],
        "env_file": "a.env",
        "command": "odoo -d",
    }
    told = [one for one in translated(service).told if "environment" in one]
    assert len(told) == 1
    assert "command, env_file, environment" in told[0]
    assert "hidden-value" not in told[0]


def test_other_secret_is_the_one_that_the_manifest_names() -> None:
    stack = Stack(env=ENV, compose={"services": {"odoo": {"image": "odoo:17.0"}}}, conf={})
    found = translate_stack(stack, name="shop", namespace="shops", secret="old-bucket")
    assert found.documents[0]["spec"]["credentialsSecretRef"] == {"name": "old-bucket"}
    said = " ".join(found.told)
    assert "mooring secret set -n shops old-bucket passphrase" in said
    assert "r2" not in said.replace("CF_R2", "")


def test_value_that_holds_itself_is_read_no_deeper_than_needed() -> None:
    loop: list[Any] = []
    loop.append(loop)
    service = {"image": "odoo:17.0", "environment": loop, "ports": loop, "deploy": {"resources": {"limits": loop}}}
    assert instance(translated(service))["image"] == "odoo:17.0"


@pytest.mark.parametrize("key", KEYS)
def test_number_of_too_many_digits_is_no_text(key: str) -> None:
    huge = 1 << 20_000  # str() refuses it
    for value in (huge, [huge], {"target": huge, "resources": {"limits": {"cpus": huge, "memory": huge}}}):
        _try(Stack(env=ENV, compose={"services": {"odoo": {"image": "odoo:17.0", key: value}}}, conf={}))
        _try(Stack(env=ENV, compose={"services": {huge: {"image": "odoo:17.0"}, "x": value}}, conf={}))


def _try(stack: Stack, image: str | None = None) -> None:
    with contextlib.suppress(MooringError):
        found = translate_stack(stack, name="shop", namespace="default", image=image)
        for one in found.documents:
            dump_yaml(load_resource(one, source="it"))
        assert "hidden-value" not in repr(found)
        assert all(one.isprintable() for one in found.told)


@SETTINGS
@given(st.data())
def test_service_with_any_value_anywhere_raises_nothing_but_our_errors(data: st.DataObject) -> None:
    service = {key: data.draw(values, label=key) for key in data.draw(st.sets(st.sampled_from(KEYS), max_size=4))}
    service.setdefault("image", "odoo:17.0")
    _try(Stack(env=ENV, compose={"services": {"odoo": service}}, conf={}))


@SETTINGS
@given(values)
def test_limits_with_any_value_raise_nothing_but_our_errors(value: Any) -> None:
    for deploy in (value, {"resources": value}, {"resources": {"limits": value}}):
        _try(Stack(env=ENV, compose={"services": {"odoo": {"image": "odoo:17.0", "deploy": deploy}}}, conf={}))
    for limit in ("cpus", "memory"):
        deploy = {"resources": {"limits": {limit: value}}}
        _try(Stack(env=ENV, compose={"services": {"odoo": {"image": "odoo:17.0", "deploy": deploy}}}, conf={}))


@SETTINGS
@given(st.dictionaries(st.text(max_size=6) | st.integers() | st.none(), values, max_size=3), st.none() | st.text())
def test_services_with_any_value_raise_nothing_but_our_errors(services: dict[Any, Any], image: str | None) -> None:
    _try(Stack(env=ENV, compose={"services": services}, conf={}), image)


@SETTINGS
@given(values)
def test_compose_file_with_any_services_raises_nothing_but_our_errors(value: Any) -> None:
    _try(Stack(env=ENV, compose={"services": value}, conf={}))
    _try(Stack(env=ENV, compose={"services": {"odoo": value}}, conf={}), "shop:17.0")


@SETTINGS
@given(
    st.dictionaries(st.sampled_from([*ENV, "X"]), st.text(max_size=20), max_size=5),
    st.dictionaries(
        st.sampled_from(["workers", "limit_time_real", "db_host"]) | st.text(max_size=8), st.text(max_size=9)
    ),
    st.text(max_size=12),
)
def test_env_conf_and_image_with_any_text_raise_nothing_but_our_errors(
    env: dict[str, str], conf: dict[str, str], tag: str
) -> None:
    _try(Stack(env=env, compose={"services": {"odoo": {"image": f"odoo:{tag}"}}}, conf=conf))
    _try(Stack(env=env, compose={"services": {"odoo": {"image": "odoo:17.0"}}}, conf=conf))
