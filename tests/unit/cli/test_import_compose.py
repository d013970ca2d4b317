# SPDX-License-Identifier: Apache-2.0
"""`mooring import compose`: a stack in Mooring's words; what has no place is named, secrets are in the Secret alone."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mooring.api.loader import load_documents
from mooring.cli.commands.import_ import read_stack
from mooring.domain.model.secret import SecretKey, SecretRef, SecretValue
from mooring.errors import MooringError
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
        pytest.param("docker-compose.yml", b"services: 3", "`services` is a number", id="services a number"),
        pytest.param("docker-compose.yml", b"services: {odoo: {build: .}}", "--image IMAGE", id="built, no image"),
        pytest.param("docker-compose.yml", b"x: 2026-13-45", "is no YAML", id="no date"),
        pytest.param("docker-compose.yml", b"x: !!bool maybe", "is no YAML", id="no bool"),
        pytest.param("docker-compose.yml", b"x: !!timestamp never", "is no YAML", id="no time"),
        pytest.param("docker-compose.yml", b"x: " + b"9" * 5000, "is no YAML", id="too many digits"),
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
    assert "Traceback" not in result.err
    assert not path.exists()
    assert asyncio.run(program.secrets.list()) == {}


def test_compose_image_that_is_given_wins(program: Program, stack: Path, tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    (stack / "docker-compose.yml").write_text("services: {odoo: {build: .}}")
    result = program("import", "compose", str(stack), "--image", "shop/odoo:17.0", "-f", str(path))
    assert result.code == 0, result.err
    assert specs(path)["OdooInstance"]["image"] == "shop/odoo:17.0"


@given(
    st.binary(max_size=60) | st.text(alphabet="ab: -?&*!<[]{}#|>'\"\n\t0._~=%", max_size=60).map(str.encode),
    st.binary(max_size=60) | st.text(alphabet="[]options\n =:#;%", max_size=60).map(str.encode),
    st.binary(max_size=40),
)
@settings(max_examples=150, deadline=None)
def test_compose_stack_with_any_bytes_in_its_files_is_read_or_refused(compose: bytes, conf: bytes, env: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "compose.yaml").write_bytes(b"x: " + compose)
        for name, data in (("odoo.conf", b"[options]\n" + conf), (".env", env)):
            with contextlib.suppress(MooringError):
                read_stack(place)
            (place / "compose.yaml").write_bytes(b"{}")
            (place / name).write_bytes(data)
        with contextlib.suppress(MooringError):
            read_stack(place)


def put_secret(program: Program, name: str, **values: str) -> None:
    for key, value in values.items():
        asyncio.run(program.secrets.set(SecretRef("default", name), key, SecretValue(value)))


def kept_secret(program: Program, name: str) -> dict[str, str]:
    found = asyncio.run(program.secrets.read(SecretRef("default", name)))
    return {key: value.reveal() for key, value in found.items()}


@pytest.mark.parametrize(
    "there",
    [
        pytest.param({"accessKeyId": "of-another", "secretAccessKey": "of-another"}, id="both"),
        pytest.param({"accessKeyId": "the-key", "secretAccessKey": "of-another"}, id="one"),
        pytest.param({"accessKeyId": "of-another"}, id="one, the other missing"),
    ],
)
def test_compose_secret_with_another_value_is_left_alone_and_nothing_is_written(
    program: Program, stack: Path, tmp_path: Path, there: dict[str, str]
) -> None:
    path = tmp_path / "shop.yaml"
    put_secret(program, "r2", **there)
    result = program("import", "compose", str(stack), "-f", str(path))
    assert result.code == 4
    assert "MOOR-716" in result.err
    assert "--secret NAME" in result.err
    assert kept_secret(program, "r2") == there
    assert not path.exists()
    assert not [one for one in (*HIDDEN, "of-another") if one in result.out + result.err]


def test_compose_secret_with_the_same_values_is_kept_and_missing_ones_added(
    program: Program, stack: Path, tmp_path: Path
) -> None:
    put_secret(program, "r2", accessKeyId="the-key", passphrase="mine")
    result = program("import", "compose", str(stack), "-f", str(tmp_path / "shop.yaml"))
    assert result.code == 0, result.err
    assert kept_secret(program, "r2") == {
        "accessKeyId": "the-key",
        "secretAccessKey": "the=secret",
        "passphrase": "mine",
    }


def test_compose_secret_of_another_name_is_written_and_named_in_the_manifest(
    program: Program, stack: Path, tmp_path: Path
) -> None:
    path = tmp_path / "shop.yaml"
    put_secret(program, "r2", accessKeyId="of-another")
    result = program("import", "compose", str(stack), "--secret", "old-bucket", "-f", str(path))
    assert result.code == 0, result.err
    assert kept_secret(program, "old-bucket") == {"accessKeyId": "the-key", "secretAccessKey": "the=secret"}
    assert kept_secret(program, "r2") == {"accessKeyId": "of-another"}
    assert specs(path)["BackupRepository"]["credentialsSecretRef"] == {"name": "old-bucket"}
    assert "the secret old-bucket" in result.out
    assert "secret set old-bucket passphrase" in result.out


@pytest.mark.parametrize("name", ["file:/etc/keys", "Ours", "../x", ""])
def test_compose_secret_with_an_impossible_name_is_refused(
    program: Program, stack: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "shop.yaml"
    result = program("import", "compose", str(stack), "--secret", name, "-f", str(path))
    assert result.code == 2
    assert not path.exists()


def test_compose_secret_named_for_a_stack_without_keys_is_refused(
    program: Program, stack: Path, tmp_path: Path
) -> None:
    (stack / ".env").unlink()
    path = tmp_path / "shop.yaml"
    result = program("import", "compose", str(stack), "--secret", "mine", "-f", str(path))
    assert result.code == 2
    assert "MOOR-711" in result.err
    assert not path.exists()


def test_compose_file_that_cannot_be_written_is_named_and_a_second_run_goes_on(
    program: Program, stack: Path, tmp_path: Path
) -> None:
    result = program("import", "compose", str(stack), "-f", str(tmp_path / "none" / "shop.yaml"))
    assert result.code == 2
    assert "MOOR-701" in result.err
    assert program("import", "compose", str(stack), "-f", str(tmp_path / "shop.yaml")).code == 0


def test_compose_dangling_link_in_the_place_of_the_file_is_left_alone_before_secrets(
    program: Program, stack: Path, tmp_path: Path
) -> None:
    path = tmp_path / "shop.yaml"
    path.symlink_to(tmp_path / "nowhere")
    result = program("import", "compose", str(stack), "-f", str(path))
    assert (result.code, path.is_symlink()) == (4, True)
    assert asyncio.run(program.secrets.list()) == {}
