# SPDX-License-Identifier: Apache-2.0
"""`mooring import compose`: a stack in Mooring's words; what has no place is named, secrets are in the Secret alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from mooring.api.loader import load_documents
from mooring.domain.model.secret import SecretKey, SecretRef
from tests.unit.cli.runner import Program

ENV = """\
# of the stack
POSTGRES_PASSWORD=of-the-database
ODOO_ADMIN_PASSWORD="master-word"
CF_R2_ENDPOINT=https://acc.r2.example.com
CF_R2_BUCKET=shop-backups # ours
CF_R2_ACCESS_KEY_ID=the-key
export CF_R2_SECRET_ACCESS_KEY='the=secret'
ODOO_WORKERS=4
"""
COMPOSE = """\
services:
  postgres: {image: "postgres:15", environment: {POSTGRES_PASSWORD: "${POSTGRES_PASSWORD}"}}
  web:
    image: odoo:${ODOO_VERSION:-17.0}
    ports: ["80:8069"]
    deploy: {resources: {limits: {cpus: "2", memory: 4g}}}
"""
CONF = """\
[options]
db_host = postgres
db_password = %(POSTGRES_PASSWORD)s
admin_passwd = %(ODOO_ADMIN_PASSWORD)s
workers = %(ODOO_WORKERS)s
limit_time_real = 1200
limit_time_cpu = %(ODOO_TIMEOUT)s
list_db = True
smtp_password = of-the-mail
"""
HIDDEN = ("of-the-database", "master-word", "the-key", "the=secret", "of-the-mail")


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    folder = tmp_path / "stack"
    (folder / "config").mkdir(parents=True)
    (folder / "addons" / "ours").mkdir(parents=True)
    (folder / "addons" / "ours" / "__manifest__.py").touch()
    (folder / ".env").write_text(ENV)
    (folder / "docker-compose.yml").write_text(COMPOSE)
    (folder / "config" / "odoo.conf").write_text(CONF)
    return folder


def specs(path: Path) -> dict[str, dict[str, Any]]:
    return {one["kind"]: one["spec"] for one in yaml.safe_load_all(path.read_text())}


def test_compose_stack_becomes_a_manifest_and_a_secret(program: Program, stack: Path, tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    result = program("import", "compose", str(stack), "--name", "shop", "-f", str(path))
    assert result.code == 0, result.err
    found = specs(path)
    assert found["BackupRepository"] == {
        "url": "s3://shop-backups/mooring",
        "endpoint": "https://acc.r2.example.com",
        "credentialsSecretRef": {"name": "r2"},
    }
    instance = found["OdooInstance"]
    assert (instance["image"], instance["init"]) == ("odoo:17.0", {"enabled": False})
    assert instance["resources"] == {"cpu": "2", "memory": "4Gi"}
    assert instance["addons"] == [{"path": str(stack / "addons")}]
    assert instance["configOptions"] == {"limit_time_real": "1200"}
    assert instance["backup"]["repository"] == "offsite"
    assert len(load_documents(path.read_bytes(), source="it")) == 2
    for key, value in (("accessKeyId", "the-key"), ("secretAccessKey", "the=secret")):
        kept = asyncio.run(program.secrets.value(SecretKey(SecretRef("default", "r2"), key)))
        assert kept.reveal() == value
    for word in ("workers", "limit_time_cpu", "list_db", "db_host", "smtp_password", "80:8069", "passphrase"):
        assert word in result.out
    assert not [one for one in HIDDEN if one in result.out + result.err + path.read_text()]


def test_compose_stack_without_a_bucket_says_that_nothing_is_backed_up(
    program: Program, stack: Path, tmp_path: Path
) -> None:
    (stack / ".env").unlink()
    path = tmp_path / "shop.yaml"
    result = program("import", "compose", str(stack), "-f", str(path))
    assert set(specs(path)) == {"OdooInstance"}
    assert "nothing is backed up" in result.out
    assert asyncio.run(program.secrets.list()) == {}


def test_compose_file_that_is_there_is_left_alone(program: Program, stack: Path, tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text("mine")
    result = program("import", "compose", str(stack), "-f", str(path))
    assert (result.code, path.read_text()) == (4, "mine")
    assert "MOOR-702" in result.err
    assert asyncio.run(program.secrets.list()) == {}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        pytest.param("docker-compose.yml", None, "has no Compose file", id="no file"),
        pytest.param("docker-compose.yml", b"services: [", "is no YAML", id="no yaml"),
        pytest.param("docker-compose.yml", b"- a", "no mapping", id="a list"),
        pytest.param("docker-compose.yml", b"services: {db: {image: 'postgres:15'}}", "runs Odoo", id="no odoo"),
        pytest.param("docker-compose.yml", b"services: 3", "runs Odoo", id="services a number"),
        pytest.param("docker-compose.yml", b"x" * (2 << 20), "larger than", id="too large"),
        pytest.param("config/odoo.conf", b"no section", "no configuration of Odoo", id="conf without a section"),
        pytest.param(".env", b"\xff\xfe\xfa", "not UTF-8", id="env not utf-8"),
    ],
)
def test_compose_stack_that_cannot_be_read_is_refused_and_writes_nothing(
    program: Program, stack: Path, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    (stack / name).unlink()
    if content is not None:
        (stack / name).write_bytes(content)
    path = tmp_path / "shop.yaml"
    result = program("import", "compose", str(stack), "-f", str(path))
    assert result.code == 2
    assert said in result.err
    assert not path.exists()
