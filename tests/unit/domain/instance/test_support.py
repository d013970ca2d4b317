# SPDX-License-Identifier: Apache-2.0
"""What a manifest may not say: by field, by change, and beside others."""

from __future__ import annotations

from typing import Any

import pytest

from mooring.api.instance import OdooInstanceSpec
from mooring.domain.instance.support import Clash, find_clashes, find_immutable, find_unsupported, set_fields


def spec(**given: Any) -> OdooInstanceSpec:
    """As a manifest says it, camelCase."""
    return OdooInstanceSpec.model_validate(given)


def test_set_fields_names_every_field_that_was_written_and_no_default() -> None:
    found = set_fields(spec(cron={"replicas": 0}, addons=[{"path": "/a"}], image="odoo:14.0"))
    assert set(found) == {"cron", "cron.replicas", "addons", "addons.path", "image"}


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"logs": {"volume": False}}, id="logs as they are"),
        pytest.param({"autoUpgrade": {"modules": "all"}}, id="all modules"),
        pytest.param({"init": {"template": "auto"}}, id="template as it comes"),
        pytest.param({"readOnlySqlAccess": {"enabled": False}}, id="no reader"),
    ],
)
def test_unsupported_finds_nothing_in_what_asks_for_nothing(given: dict[str, Any]) -> None:
    assert find_unsupported(spec(**given), (), target="sim") == []


def test_unsupported_names_each_field_once_and_who_cannot() -> None:
    given = spec(nodeSelector={"disk": "fast"}, metrics={"enabled": True})
    found = find_unsupported(given, ["nodeSelector", "tolerations"], target="sim")
    assert found == [
        "spec.nodeSelector: the target sim cannot honour it.",
        "spec.metrics: this version of Mooring does not carry it out yet.",
    ]
    assert len(find_unsupported(given, ["metrics"], target="sim")) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({}, {"replicas": 3, "image": "odoo:15.0"}, id="what may change"),
        pytest.param({"filestore": {"storageSize": "10Gi"}}, {"filestore": {"storageSize": "20Gi"}}, id="grows"),
        pytest.param({}, {"environment": "Production"}, id="environment as it is"),
        pytest.param({}, {"database": {"name": "default_shop"}}, id="name as it is"),
    ],
)
def test_immutable_lets_pass_what_can_be_made(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert find_immutable(spec(**old), spec(**new), environment="Production", database="default_shop") == []


def test_immutable_names_all_faults_at_once() -> None:
    found = find_immutable(
        spec(filestore={"storageSize": "20Gi"}),
        spec(filestore={"storageSize": "10Gi"}, environment="Staging", database={"name": "x", "server": "main"}),
        environment="Production",
        database="default_shop",
    )
    words = ("database.name", "database.server", "storageSize", "environment")
    assert all(any(word in one for one in found) for word in words)
    assert len(found) == 4


def test_clashes_are_found_with_each_other_instance_and_not_with_itself() -> None:
    mine = spec(ingress={"hosts": ["a.example.com", "b.example.com"]}, service={"port": 18069})
    others = [
        ("shop", mine, "one"),
        ("blog", spec(ingress={"hosts": ["B.example.com"]}), "two"),
        ("wiki", spec(service={"port": 18069}), "one"),
        ("test", spec(), ""),
    ]
    assert find_clashes("shop", mine, "one", others) == [
        Clash("the host b.example.com", "blog"),
        Clash("the port 18069", "wiki"),
        Clash("the database one", "wiki"),
    ]


def test_database_that_only_a_secret_names_clashes_with_nothing() -> None:
    assert find_clashes("shop", spec(), "", [("blog", spec(), "")]) == []
