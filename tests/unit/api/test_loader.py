# SPDX-License-Identifier: Apache-2.0
"""Manifests are read whole or refused with every fault, each at its place and without secrets."""

from __future__ import annotations

import json

import pytest
import yaml

from mooring.api.errors import MAX_RENDERED, Fault, ManifestError
from mooring.api.instance import OdooInstance
from mooring.api.kinds import KINDS
from mooring.api.loader import MAX_EXPLAINED, dump_document, dump_yaml, load_documents, load_located, load_resource
from mooring.api.repository import BackupRepository
from tests.unit.api.builders import API, EXAMPLE, VALID_SPECS, document, faults_of, load


def test_documents_example_of_the_manual_is_read() -> None:
    shop, offsite = load_documents(EXAMPLE, source="shop.yaml")
    assert isinstance(shop, OdooInstance)
    assert shop.spec.init.modules == ("sale_management", "stock")
    assert shop.spec.ingress is not None
    assert shop.spec.ingress.hosts == ("shop.example.com",)
    assert isinstance(offsite, BackupRepository)
    assert offsite.identity == ("BackupRepository", "default", "offsite")


@pytest.mark.parametrize("kind", list(KINDS))
def test_documents_valid_one_of_each_kind_survives_dump_and_load(kind: str) -> None:
    resource = load(document(kind))
    assert isinstance(resource, KINDS[kind])
    assert load(dump_yaml(resource).encode()) == resource
    assert load_resource(dump_document(resource), source="store") == resource
    assert dump_document(resource)["spec"] == VALID_SPECS[kind]


def test_dump_holds_what_was_written_alone_in_canonical_form() -> None:
    resource = load(
        document(
            resources={"cpu": "2000m", "memory": "2048Mi"},
            adminPasswordSecretRef="file:/etc/shop/password",
            ingress={"hosts": ["Shop.Example.COM"]},
            configOptions={"limit_time_real": 600, "list_db": False, "x": 1.5, "log_level": "no"},
        )
    )
    assert dump_document(resource) == {
        "apiVersion": API,
        "kind": "OdooInstance",
        "metadata": {"name": "shop"},
        "spec": {
            "image": "odoo:18.0",
            "resources": {"cpu": "2", "memory": "2Gi"},
            "adminPasswordSecretRef": "file:/etc/shop/password",
            "ingress": {"hosts": ["shop.example.com"]},
            "configOptions": {"limit_time_real": "600", "list_db": "False", "x": "1.5", "log_level": "no"},
        },
    }
    assert load(dump_yaml(resource).encode()) == resource


def test_dump_nulls_inside_what_is_passed_on_stay() -> None:
    resource = load(document(affinity={"a": None, "b": [None, 1.5]}, tolerations=None))
    assert dump_document(resource)["spec"]["affinity"] == {"a": None, "b": [None, 1.5]}


def test_error_unknown_field_names_place_and_nearest() -> None:
    text = b"apiVersion: mooring.dev/v1alpha1\nkind: OdooInstance\nmetadata: {name: a}\nspec:\n  ingres: {}\n"
    with pytest.raises(ManifestError) as caught:
        load_documents(text, source="shop.yaml")
    assert str(caught.value) == 'shop.yaml:5:3: spec.ingres: unknown field; did you mean "ingress"?'
    assert caught.value.exit_code == 2


def test_error_unknown_field_far_from_all_lists_what_is_allowed() -> None:
    (fault,) = faults_of(document(cron={"zzz": 1}))
    assert fault.allowed == ("replicas", "resources")
    assert fault.nearest is None


def test_error_python_name_of_a_field_is_unknown() -> None:
    (fault,) = faults_of(document(deletion_policy="Retain"))
    assert fault.message == "unknown field"
    assert fault.nearest == "deletionPolicy"


def test_error_all_faults_of_all_documents_come_at_once_in_order() -> None:
    text = b"""\
apiVersion: mooring.dev/v1alpha1
kind: OdooInstance
metadata: {name: Shop}
spec:
  image: odoo:18.0
  git: {repository: not a url}
  replicas: "3"
  addons:
    - path: /a
    - path: relative
      volume: v
---
kind: OdooInstanc
---
- a
---
b: [
"""
    found = [(fault.line, fault.column, fault.path) for fault in faults_of(text)]
    assert found == [
        (3, 18, "metadata.name"),
        (6, 3, "spec.git"),
        (6, 21, "spec.git.repository"),
        (7, 13, "spec.replicas"),
        (10, 13, "spec.addons[1].path"),
        (11, 7, "spec.addons[1].volume"),
        (13, 7, "kind"),
        (15, 1, ""),
        (18, 1, "b[0]"),
    ]


def test_error_value_in_an_aliased_part_points_at_the_text() -> None:
    text = b"""\
apiVersion: mooring.dev/v1alpha1
kind: OdooInstance
metadata: {name: shop}
spec:
  resources: &r
    cpu: lots
  cron:
    resources: *r
"""
    found = [(fault.line, fault.column, fault.path) for fault in faults_of(text)]
    assert found == [(6, 10, "spec.resources.cpu"), (6, 10, "spec.cron.resources.cpu")]


def test_error_of_yaml_is_not_repeated_as_one_of_its_field() -> None:
    text = b"apiVersion: mooring.dev/v1alpha1\nkind: OdooInstance\nmetadata: {name: a}\nspec: {replicas: *nowhere}\n"
    (fault,) = faults_of(text)
    assert "without its anchor" in fault.message


def test_error_enum_lists_what_is_allowed_and_the_nearest() -> None:
    (fault,) = faults_of(document(environment="staging"))
    assert fault.allowed == ("Production", "Staging")
    assert fault.nearest == "Staging"
    assert fault.value == '"staging"'


def test_error_yes_for_a_switch_says_true_or_false() -> None:
    (fault,) = faults_of(document(paused="yes"))
    assert fault.message == "expected true or false, without quotes"


def test_error_needed_field_left_out_points_at_its_parent() -> None:
    text = b"apiVersion: mooring.dev/v1alpha1\nkind: OdooInitJob\nmetadata: {name: a}\nspec:\n  demo: true\n"
    (fault,) = faults_of(text)
    assert str(fault) == "shop.yaml:4:1: spec.instanceRef: is needed"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"# only a comment\n---\n", "empty", id="comment"),
        pytest.param(b"- a\n- b\n", "not a list", id="list"),
        pytest.param(b"just text", "not a single value", id="scalar"),
        pytest.param(b"\x89PNG\r\n", "not UTF-8", id="binary"),
        pytest.param(b"a" * 10_000_000, "larger than 1 MiB", id="10-mb"),
        pytest.param(b"a: [", "not YAML", id="not-yaml"),
        pytest.param(b"a: &a {b: *a}", "stands inside", id="alias-in-itself"),
    ],
)
def test_error_file_that_is_no_manifest_is_refused(data: bytes, message: str) -> None:
    assert any(message in fault.message for fault in faults_of(data))


@pytest.mark.parametrize(
    ("head", "path", "nearest"),
    [
        pytest.param({"kind": "OdooInstance"}, "apiVersion", None, id="version-missing"),
        pytest.param({"apiVersion": API}, "kind", None, id="kind-missing"),
        pytest.param({"apiVersion": API, "kind": "odooinstance"}, "kind", "OdooInstance", id="kind-in-lower-case"),
        pytest.param({"apiVersion": API, "kind": ["a"]}, "kind", None, id="kind-is-a-list"),
        pytest.param({"apiVersion": "mooring.dev/v1", "kind": "OdooInstance"}, "apiVersion", API, id="version-unknown"),
        pytest.param({"apiVersion": "cloud.alterway.fr/v1alpha1", "kind": "Odoo"}, "kind", None, id="foreign-kind"),
    ],
)
def test_error_head_of_a_document_is_explained(head: dict[str, object], path: str, nearest: str | None) -> None:
    (fault,) = faults_of(json.dumps({**head, "metadata": {"name": "a"}}).encode())
    assert (fault.path, fault.nearest) == (path, nearest)


def test_error_status_in_a_manifest_says_whose_it_is() -> None:
    (fault,) = faults_of(document()[:-1] + b', "status": {}}')
    assert fault.message == "is written by Mooring; leave it out"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(document(adminPassword="hunter2"), id="unknown-field"),
        pytest.param(document(adminPasswordSecretRef="hunter2"), id="password-in-place-of-reference"),
        pytest.param(document(adminPasswordSecretRef={"name": "hunter2 ", "key": "hunter2!"}), id="in-a-reference"),
        pytest.param(document(configOptions={"smtp_password": "hunter2\n"}), id="option"),
        pytest.param(document(extraEnv=[{"name": "A", "value": "hunter2\n"}]), id="variable"),
        pytest.param(document(webhook={"url": "ftp://example.com/hunter2"}), id="webhook"),
        pytest.param(document(git={"repository": "https://me:hunter2@example.com/a"}, image=None), id="login-in-url"),
        pytest.param(document(git={"repository": "me:hunter2@example.com:a"}, image=None), id="login-in-git-address"),
        pytest.param(document("BackupRepository", endpoint="ftp://example.com/?a=hunter2"), id="query-in-url"),
        pytest.param(document("BackupRepository", url="s3://me:hunter2@bucket/a"), id="login-in-repository"),
        pytest.param(b"adminPassword: *hunter2\n", id="password-read-as-alias"),
        pytest.param(b"adminPassword: !hunter2!y x\n", id="password-read-as-tag"),
        pytest.param(b"kind: OdooInstance\nspec: {adminPassword: 'hunter2\n", id="unclosed-quote"),
        pytest.param(b"kind: OdooInstance\nspec: {adminPassword: &hunter2 &hunter2 x}\n", id="read-as-anchor"),
    ],
)
@pytest.mark.parametrize("parser", ["libyaml", "python"])
def test_error_never_shows_a_password(data: bytes, parser: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if parser == "python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    with pytest.raises(ManifestError) as caught:
        load_documents(data, source="shop.yaml")
    shown = [str(caught.value), repr(caught.value), repr(caught.value.faults), json.dumps(caught.value.to_json())]
    assert not any("hunter2" in text for text in shown)


@pytest.mark.parametrize(
    ("first", "second", "path"),
    [
        pytest.param({}, {"name": "shop"}, "metadata.name", id="name"),
        pytest.param(
            {"ingress": {"hosts": ["a.example.com", "b.example.com"]}},
            {"ingress": {"hosts": ["c.example.com", "B.example.com"]}},
            "spec.ingress.hosts[1]",
            id="host",
        ),
        pytest.param({"service": {"port": 8069}}, {"service": {"port": 8069}}, "spec.service.port", id="port"),
        pytest.param(
            {"database": {"name": "shop"}},
            {"database": {"server": "default", "name": "shop"}},
            "spec.database.name",
            id="database",
        ),
        pytest.param(
            {"database": {"name": "d", "external": {"host": "db", "secretRef": {"name": "s"}}}},
            {"database": {"name": "d", "external": {"host": "DB", "port": 5432, "secretRef": {"name": "s"}}}},
            "spec.database.name",
            id="external-database",
        ),
    ],
)
def test_error_two_instances_that_share_are_refused(
    first: dict[str, object], second: dict[str, object], path: str
) -> None:
    data = document(**first) + b"\n---\n" + document(**{"name": "other", **second})  # type: ignore[arg-type]
    (fault,) = faults_of(data)
    assert fault.path == path
    assert fault.line == 3
    assert fault.message.endswith("is taken by the document with line 1")


def test_documents_same_database_name_on_servers_of_their_own_is_accepted() -> None:
    database = {"name": "shop", "managed": {}}
    data = document(database=database) + b"\n---\n" + document(name="other", database=database)
    assert len(load_documents(data, source="f")) == 2


def test_error_many_faults_are_all_carried_and_some_shown() -> None:
    text = b"---\nkind: X\n" * 200
    with pytest.raises(ManifestError) as caught:
        load_documents(text, source="f")
    assert len(caught.value.faults) == 200
    assert len(str(caught.value).splitlines()) == MAX_RENDERED + 1
    assert str(caught.value).endswith(f"… and {200 - MAX_RENDERED} more")


def test_error_very_many_faults_of_one_document_are_counted() -> None:
    faults = faults_of(document(init={f"field{number}": 1 for number in range(MAX_EXPLAINED + 7)}))
    assert [fault.message for fault in faults if "more" in fault.message] == ["7 more faults in this document"]


def test_error_of_stored_data_has_no_line() -> None:
    with pytest.raises(ManifestError) as caught:
        load_resource({"apiVersion": API, "kind": "OdooInitJob", "metadata": {"name": "a"}, "spec": {}}, source="store")
    assert str(caught.value) == "store: spec.instanceRef: is needed"


def test_located_fault_points_at_what_was_written_or_the_part_above() -> None:
    (shop, _) = load_located(EXAMPLE, source="shop.yaml")
    assert (
        str(shop.fault(("spec", "image"), "is no Odoo")) == 'shop.yaml:5:10: spec.image: is no Odoo (got "odoo:18.0")'
    )
    fault = shop.fault(("spec", "init", "demo"), "needs more room")
    assert (fault.line, fault.column, fault.value) == (6, 3, None)


def test_fault_text_holds_all_that_helps() -> None:
    fault = Fault("f", 1, 2, "spec.a", "is wrong", value="3", allowed=("1", "2"), nearest="2")
    assert str(fault) == 'f:1:2: spec.a: is wrong (got 3); did you mean "2"?; allowed: 1, 2'
