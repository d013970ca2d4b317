# SPDX-License-Identifier: Apache-2.0
"""Each field takes what it should and refuses the rest, at its path."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from mooring.api.base import Model
from mooring.api.instance import OdooInstance, OdooInstanceSpec
from mooring.api.jobs import OdooUpgradeJob
from mooring.api.kinds import KINDS
from mooring.api.meta import SecretKeyRef
from tests.unit.api.builders import API, document, faults_of, load

INSTANCE = "OdooInstance"


def _nested(path: str, value: object) -> dict[str, Any]:
    """{"a": {"b": value}} for "a.b"."""
    head, _, rest = path.partition(".")
    return {head: _nested(rest, value) if rest else value}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("image", "Odoo 18", id="image-blank"),
        pytest.param("image", "", id="image-empty"),
        pytest.param("version", "18", id="version-short"),
        pytest.param("version", "13.0", id="version-old"),
        pytest.param("version", "21.0", id="version-new"),
        pytest.param("version", 18, id="version-whole-number"),
        pytest.param("replicas", -1, id="replicas-negative"),
        pytest.param("replicas", 101, id="replicas-many"),
        pytest.param("replicas", True, id="replicas-boolean"),
        pytest.param("workers", "automatic", id="workers-word"),
        pytest.param("workers", -1, id="workers-negative"),
        pytest.param("workers", True, id="workers-boolean"),
        pytest.param("resources.cpu", "two", id="cpu"),
        pytest.param("resources.memory", "ten gigs", id="memory"),
        pytest.param("environment", "Test", id="environment"),
        pytest.param("deletionPolicy", "Keep", id="deletion-policy"),
        pytest.param("ingress.hosts", ["*.example.com"], id="host-wildcard"),
        pytest.param("ingress.hosts", ["a_b.example.com"], id="host-underscore"),
        pytest.param("ingress.hosts", ["-a.example.com"], id="host-hyphen"),
        pytest.param("ingress.hosts", ["a..example.com"], id="host-two-dots"),
        pytest.param("ingress.hosts", ["192.0.2.1"], id="host-address"),
        pytest.param("ingress.hosts", ["bücher.example"], id="host-not-ascii"),
        pytest.param("ingress.hosts", [f"{'a' * 64}.example"], id="host-label-long"),
        pytest.param("ingress.hosts", [".".join(["a" * 60] * 5)], id="host-long"),
        pytest.param("ingress.hosts", ["a.example.com\n"], id="host-line-break"),
        pytest.param("ingress.hosts", "a.example.com", id="hosts-text"),
        pytest.param("ingress.annotations", {"a/b": "x\ny"}, id="annotation-line-break"),
        pytest.param("ingress.tls", {}, id="tls-nothing"),
        pytest.param("ingress.tls.none", False, id="tls-none-false"),
        pytest.param("ingress.tls.acmeEmail", "ops", id="tls-email"),
        pytest.param("service.port", 0, id="port-zero"),
        pytest.param("service.port", 65536, id="port-large"),
        pytest.param("database.name", 'a"b', id="database-quote"),
        pytest.param("database.name", "a;drop", id="database-semicolon"),
        pytest.param("database.name", "a\nb", id="database-line-break"),
        pytest.param("database.name", "postgres", id="database-postgres"),
        pytest.param("database.name", "Template1", id="database-template1"),
        pytest.param("database.name", "a" * 64, id="database-long"),
        pytest.param("database.name", "1a", id="database-digit-first"),
        pytest.param("database.managed.version", 12, id="postgres-old"),
        pytest.param("database.managed.version", 19, id="postgres-new"),
        pytest.param("init.modules", ["Sale"], id="module-capital"),
        pytest.param("init.modules", ["sale,stock"], id="module-comma"),
        pytest.param("init.modules", ["--load"], id="module-option"),
        pytest.param("init.language", "french", id="language"),
        pytest.param("init.country", "fra", id="country"),
        pytest.param("configOptions", {"a": "b\nc = d"}, id="option-line-break"),
        pytest.param("configOptions", {"a": "b\u2028c"}, id="option-line-separator"),
        pytest.param("configOptions", {"a\nb": "c"}, id="option-key-line-break"),
        pytest.param("configOptions", {"a": None}, id="option-null"),
        pytest.param("configOptions", {"a": ["b"]}, id="option-list"),
        pytest.param("backup", {"repository": "r", "schedule": "61 * * * *"}, id="schedule-minute"),
        pytest.param("backup", {"repository": "r", "schedule": "@daily"}, id="schedule-word"),
        pytest.param("backup", {"repository": "r", "schedule": "0 0 2 * * *"}, id="schedule-six-fields"),
        pytest.param("backup", {"repository": "r", "schedule": "0 0 31 2 *"}, id="schedule-never"),
        pytest.param("backup", {"schedule": "0 2 * * *"}, id="schedule-without-repository"),
        pytest.param("backup.timeZone", "Mars/Olympus", id="time-zone"),
        pytest.param("backup.timeZone", "../../etc/passwd", id="time-zone-path"),
        pytest.param("backup.keepPrevious", "24", id="duration-without-unit"),
        pytest.param("backup", {"repository": "r", "retention": {"daily": -1}}, id="retention-negative"),
        pytest.param(
            "backup", {"repository": "r", "retention": {"daily": 0, "weekly": 0, "monthly": 0}}, id="retention-nothing"
        ),
        pytest.param("webhook.url", "example.com", id="url-without-scheme"),
        pytest.param("webhook.url", "https://", id="url-without-host"),
        pytest.param("webhook.url", "https://a b/", id="url-blank"),
        pytest.param("webhook.url", "https://example.com:99999/", id="url-port"),
        pytest.param("webhook.url", "https://me:pw@example.com/", id="url-login"),
        pytest.param("webhook.url", "https://example.com/\r\nX: y", id="url-line-break"),
        pytest.param("addons", [{}], id="addon-nothing"),
        pytest.param("addons", [{"path": "/a", "volume": "b"}], id="addon-two"),
        pytest.param("addons", [{"path": "/a/../b"}], id="addon-path-up"),
        pytest.param("adminPasswordSecretRef", {"name": "a"}, id="secret-without-key"),
        pytest.param("adminPasswordSecretRef", {}, id="secret-nothing"),
        pytest.param("adminPasswordSecretRef", "file:relative", id="secret-file-relative"),
        pytest.param("adminPasswordSecretRef", "file:/a\nb", id="secret-file-line-break"),
        pytest.param("stagingOf", {"name": "p", "x": 1}, id="staging-unknown"),
        pytest.param("refresh.schedule", "0 3 * * *", id="refresh-of-production"),
        pytest.param("neutralize.sql", ["select 1"], id="neutralize-of-production"),
        pytest.param("logs.storageSize", "1Gi", id="log-size-without-volume"),
        pytest.param("extraEnv", [{"name": "A=B", "value": "x"}], id="variable-name"),
    ],
)
def test_instance_bad_value_is_refused_at_its_path(path: str, value: object) -> None:
    faults = faults_of(document(**_nested(path, value)))
    assert faults
    assert all(fault.path.startswith(f"spec.{path.split('.', maxsplit=1)[0]}") for fault in faults)


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        pytest.param({"git": {"repository": "https://example.com/a"}}, "spec.git", id="image-and-git"),
        pytest.param({"database": {"server": "a", "managed": {}}}, "spec.database.managed", id="two-databases"),
        pytest.param(
            {"environment": "Production", "stagingOf": {"name": "p"}}, "spec.stagingOf", id="production-staging-of"
        ),
        pytest.param(
            {"environment": "Staging", "refresh": {"schedule": "0 3 * * *"}}, "spec.refresh", id="refresh-of-nothing"
        ),
        pytest.param({"deletionPolicy": "Snapshot"}, "spec.deletionPolicy", id="last-backup-nowhere"),
        pytest.param({"ingress": {"tls": {"issuer": "a", "none": True}}}, "spec.ingress.tls.none", id="two-tls"),
        pytest.param({"ingress": {"hosts": ["a.b", "A.b"]}}, "spec.ingress.hosts", id="host-twice"),
        pytest.param(
            {"adminPasswordSecretRef": {"name": "a", "key": "b", "file": "/c"}},
            "spec.adminPasswordSecretRef.name",
            id="secret-and-file",
        ),
    ],
)
def test_instance_broken_rule_points_at_the_field(spec: dict[str, Any], path: str) -> None:
    assert path in [fault.path for fault in faults_of(document(**spec))]


def test_instance_broken_rule_and_bad_value_are_both_reported() -> None:
    faults = faults_of(document(git={"repository": "https://example.com/a"}, replicas=1000, cron={"replicas": "x"}))
    assert {fault.path for fault in faults} == {"spec.git", "spec.replicas", "spec.cron.replicas"}


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        pytest.param("DatabaseServer", {"managed": None}, id="server-nothing"),
        pytest.param("DatabaseServer", {"cloudNativePG": {"cluster": "c"}}, id="server-two"),
        pytest.param("DatabaseServer", {"allowedNamespaces": ["A"]}, id="server-namespace"),
        pytest.param("BackupRepository", {"url": None}, id="repository-without-url"),
        pytest.param("BackupRepository", {"url": "/srv/backup"}, id="repository-path"),
        pytest.param("BackupRepository", {"url": "s3://"}, id="repository-without-bucket"),
        pytest.param("BackupRepository", {"url": "s3://bucket/../a"}, id="repository-path-up"),
        pytest.param("BackupRepository", {"url": "file:///srv", "endpoint": "https://a.b"}, id="folder-with-endpoint"),
        pytest.param("OdooInitJob", {"instanceRef": {"kind": "Pod", "name": "a"}}, id="instance-of-another-kind"),
        pytest.param("OdooUpgradeJob", {"scheduledTime": "tomorrow"}, id="time-word"),
        pytest.param("OdooUpgradeJob", {"scheduledTime": "2026-01-31T22:00:00"}, id="time-without-zone"),
        pytest.param("OdooUpgradeJob", {"scheduledTime": "2026-02-30T22:00:00Z"}, id="time-that-is-none"),
        pytest.param("OdooBackupJob", {"repository": None}, id="backup-nowhere"),
        pytest.param("OdooBackupJob", {"destination": {"url": "file:///a"}}, id="backup-two-places"),
        pytest.param("OdooBackupJob", {"format": "zip"}, id="archive-in-repository"),
        pytest.param("OdooBackupJob", {"withDatabase": False, "withFilestore": False}, id="backup-of-nothing"),
        pytest.param("OdooRestoreJob", {"source": {}}, id="restore-from-nothing"),
        pytest.param(
            "OdooRestoreJob",
            {"source": {"url": "https://a.b/c", "snapshotOf": "a"}},
            id="restore-archive-of-instance",
        ),
        pytest.param(
            "OdooRestoreJob",
            {"source": {"snapshot": "a", "snapshotOf": "b"}, "mode": "move"},
            id="restore-move-without-a-word",
        ),
        pytest.param(
            "OdooRestoreJob",
            {"source": {"snapshot": "a", "snapshotOf": "b"}, "sourceStopped": True},
            id="restore-word-for-a-copy",
        ),
        pytest.param("OdooRestoreJob", {"source": {"snapshot": "a", "url": "https://a.b/c"}}, id="restore-two-sources"),
        pytest.param("OdooRestoreJob", {"source": {"snapshot": "a", "endpoint": "https://a.b"}}, id="endpoint-alone"),
        pytest.param("OdooStagingRefreshJob", {"neutralize": False}, id="refresh-not-neutralized"),
        pytest.param("OdooOperation", {"type": "Migrate"}, id="migrate-nowhere"),
        pytest.param("OdooOperation", {"type": "Deploy"}, id="deploy-nothing"),
        pytest.param("OdooOperation", {"type": "Deploy", "to": {"server": "a"}}, id="deploy-server"),
        pytest.param("OdooOperation", {"type": "Stop", "to": {"server": "a"}}, id="stop-to"),
        pytest.param("OdooOperation", {"type": "Stop", "to": {}}, id="stop-to-nothing"),
        pytest.param("OdooOperation", {"type": "Explode"}, id="operation-unknown"),
    ],
)
def test_kind_bad_spec_is_refused(kind: str, spec: dict[str, Any]) -> None:
    assert all(fault.path.startswith("spec") for fault in faults_of(document(kind, **spec)))


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        pytest.param(INSTANCE, {"version": 18.0}, id="version-without-quotes"),
        pytest.param(INSTANCE, {"image": "registry.example.com:5000/a/b_c.d:1.0@sha256:" + "a" * 64}, id="image-whole"),
        pytest.param(INSTANCE, {"image": "localhost:5000/odoo"}, id="image-local"),
        pytest.param(
            INSTANCE, {"image": None, "git": {"repository": "git@example.com:a/b.git", "ref": "v1"}}, id="git"
        ),
        pytest.param(INSTANCE, {"stagingOf": {"name": "p"}, "refresh": {"schedule": "0 3 * * 0"}}, id="staging"),
        pytest.param(INSTANCE, {"init": {"language": "sr@latin"}}, id="language-with-script"),
        pytest.param(INSTANCE, {"init": {"language": "es_419"}}, id="language-with-region"),
        pytest.param(INSTANCE, {"workers": 0}, id="threaded"),
        pytest.param(INSTANCE, {"replicas": 0}, id="stopped"),
        pytest.param(INSTANCE, {"configOptions": {"a": "", "b": True, "c": 1}}, id="options"),
        pytest.param(INSTANCE, {"adminPasswordSecretRef": "file:/etc/pw"}, id="secret-file"),
        pytest.param(INSTANCE, {"webhook": {"url": "http://[2001:db8::1]:8080/x?y=z"}}, id="url-ipv6"),
        pytest.param(INSTANCE, {"affinity": {"a": [1, {"b": None}]}}, id="affinity"),
        pytest.param("DatabaseServer", {"managed": None, "external": {"host": "::1"}}, id="server-ipv6"),
        pytest.param("DatabaseServer", {"managed": None, "cloudNativePG": {"cluster": "c"}}, id="cloudnativepg"),
        pytest.param("BackupRepository", {"url": "file:///srv/backup"}, id="folder"),
        pytest.param("OdooBackupJob", {"repository": None, "destination": {"url": "file:///a.zip"}}, id="archive"),
        pytest.param("OdooRestoreJob", {"source": {"url": "https://example.com/a.zip"}}, id="restore-url"),
        pytest.param(
            "OdooRestoreJob",
            {"source": {"snapshot": "a", "snapshotOf": "b"}, "mode": "move", "sourceStopped": True},
            id="restore-move",
        ),
        pytest.param("OdooStagingRefreshJob", {"neutralize": True}, id="neutralized"),
        pytest.param("OdooOperation", {"type": "Deploy", "to": {"image": "odoo:18.0"}}, id="deploy"),
        pytest.param("OdooOperation", {"type": "Rollback"}, id="rollback"),
        pytest.param("OdooOperation", {"type": "Migrate", "to": {"server": "a"}}, id="migrate"),
    ],
)
def test_kind_good_spec_is_read(kind: str, spec: dict[str, Any]) -> None:
    assert load(document(kind, **spec)).kind == kind


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param({"ingress": {"hosts": ["*.a.b"]}}, "a wildcard is no host name; list each host", id="wildcard"),
        pytest.param({"configOptions": {"a": None}}, 'needs a value; write "" for an empty one', id="null-option"),
        pytest.param({"database": {"name": "postgres"}}, "belongs to PostgreSQL itself", id="own-database"),
        pytest.param({"webhook": {"url": "https://a:b@c/"}}, "name a Secret instead", id="login"),
        pytest.param({"replicas": 500}, "must be at most 100", id="many"),
        pytest.param(
            {"database": {"managed": {"version": 18}}}, "must be at most 17: the engine image has no", id="postgres"
        ),
    ],
)
def test_instance_bad_value_says_what_is_wrong(spec: dict[str, Any], message: str) -> None:
    (fault,) = faults_of(document(**spec))
    assert message in fault.message


def test_instance_null_counts_as_left_out() -> None:
    spec: dict[str, Any] = {
        "image": None,
        "git": {"repository": "https://example.com/a"},
        "database": {"server": None, "managed": {}},
    }
    whole = {"apiVersion": API, "kind": "OdooInstance", "metadata": {"name": "shop"}, "spec": spec}
    assert load(json.dumps(whole).encode()).kind == "OdooInstance"


def test_upgrade_time_without_zone_in_python_is_refused() -> None:
    spec = {"instance_ref": {"name": "shop"}, "scheduled_time": datetime(2026, 1, 31)}  # noqa: DTZ001 - the point
    with pytest.raises(ValidationError, match="time zone"):
        OdooUpgradeJob.model_validate({"metadata": {"name": "a"}, "spec": spec})


@pytest.mark.parametrize(
    "name", ["Shop", "1shop", "shop-", "a" * 41, "", "a.b", "a_b", "shop\n", "é"], ids=lambda name: repr(name)[:12]
)
def test_name_bad_is_refused(name: str) -> None:
    (fault,) = faults_of(document(name=name))
    assert fault.path == "metadata.name"


def test_name_of_40_characters_is_read() -> None:
    assert load(document(name="a" * 40)).name == "a" * 40


def test_instance_defaults_are_those_of_the_manual() -> None:
    spec = OdooInstanceSpec()
    assert spec.image is None
    assert (spec.replicas, spec.workers, spec.cron.replicas) == (1, "auto", 1)
    assert (spec.resources.cpu.millicores, spec.resources.memory.bytes) == (2000, 2 * 1024**3)
    assert spec.environment is None
    assert str(spec.filestore.storage_size) == "10Gi"
    assert spec.init.modules == ("base",)
    assert spec.auto_upgrade.rollback.window.seconds == 600
    assert spec.backup.keep_previous.seconds == 86_400
    assert spec.deletion_policy.value == "Retain"
    assert spec.network_policy.enabled
    assert spec.metrics.enabled
    assert not spec.read_only_sql_access.enabled


def test_instance_in_python_takes_snake_case_and_is_frozen() -> None:
    spec = OdooInstanceSpec(
        image="odoo:18.0", admin_password_secret_ref=SecretKeyRef(name="shop", key="admin"), config_options={"a": "b"}
    )
    instance = OdooInstance.model_validate({"metadata": {"name": "shop"}, "spec": spec})
    assert instance.spec.admin_password_secret_ref == SecretKeyRef(name="shop", key="admin")
    with pytest.raises(ValidationError, match="frozen"):
        setattr(instance.spec, "image", "odoo:17.0")  # noqa: B010 - a plain assignment is refused by mypy already


def test_upgrade_time_is_kept_in_utc() -> None:
    job = load(document("OdooUpgradeJob", scheduledTime="2026-01-31T23:30:00+01:00"))
    assert isinstance(job, OdooUpgradeJob)
    assert job.spec.scheduled_time is not None
    assert job.spec.scheduled_time.isoformat() == "2026-01-31T22:30:00+00:00"


def _models(root: type[Model]) -> set[type[Model]]:
    found = set(root.__subclasses__())
    return found.union(*(_models(child) for child in found)) if found else found


def test_models_every_field_is_documented() -> None:
    assert len(_models(Model)) > len(KINDS)
    bare = [
        f"{model.__name__}.{name}"
        for model in _models(Model)
        for name, info in model.model_fields.items()
        if not (info.description or "").strip().endswith(".")
    ]
    assert bare == []
