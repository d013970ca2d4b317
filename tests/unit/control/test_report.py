# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import io
import json
import tarfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from mooring.control.report import Scrubber, masked, pack_report
from mooring.domain.model.identity import Ref
from mooring.domain.model.secret import SecretRef, SecretValue
from mooring.drivers.documents import Document
from mooring.drivers.secret_files import SecretFiles
from mooring.targets.errors import NotRunning
from tests.support.sim_clock import START
from tests.support.sim_target import SimTarget

PASSWORD = 'p/w"ö hunter2'
FILE_SECRET = "file-secret-value"
SHOP = Ref("OdooInstance", "default", "shop")


class TalkingTarget(SimTarget):
    """Writes secrets to the log, in every way that programs do."""

    async def logs(self, ref: Ref, *, role: str, follow: bool, lines: int) -> AsyncIterator[str]:
        if role == "cron":
            raise NotRunning(f"{ref} has no cron")
        yield f"connecting with {PASSWORD}"
        yield f"postgresql://u:{quote(PASSWORD, safe='')}@db"
        yield json.dumps({"password": PASSWORD})
        yield base64.b64encode(PASSWORD.encode()).decode()
        yield f"and {FILE_SECRET}, as user odoo-user"


async def report(tmp_path: Path, spec: Mapping[str, object]) -> dict[str, str]:
    secrets = SecretFiles(tmp_path / "secrets")
    await secrets.set(SecretRef("default", "db"), "password", SecretValue(PASSWORD))
    await secrets.set(SecretRef("default", "db"), "user", SecretValue("odoo-user"))
    doc = Document(SHOP, "1", spec=dict(spec), status={"steps": [{"step": "init", "result": {"said": PASSWORD}}]})
    data = await pack_report([doc], secrets, TalkingTarget(), versions={"mooring": "1"}, now=START)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {name: (tar.extractfile(name) or io.BytesIO()).read().decode() for name in tar.getnames()}


async def test_report_holds_no_secret_in_any_form_and_keeps_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "master"
    file.write_text(FILE_SECRET)
    file.chmod(0o600)

    files = await report(tmp_path, {"adminPasswordSecretRef": f"file:{file}"})

    text = "\n".join(files.values())
    for form in (PASSWORD, quote(PASSWORD, safe=""), json.dumps(PASSWORD)[1:-1], "hunter2", FILE_SECRET):
        assert form not in text
    assert base64.b64encode(PASSWORD.encode()).decode() not in text
    assert "as user odoo-user" in files["mooring-report/logs/OdooInstance.default.shop.web.log"]
    assert '"step": "init"' in files["mooring-report/records/OdooInstance.default.shop.json"]


async def test_report_says_what_it_could_not_read(tmp_path: Path) -> None:
    files = await report(tmp_path, {"adminPasswordSecretRef": f"file:{tmp_path / 'none'}"})

    problems = files["mooring-report/problems.txt"]
    assert "shop cron" in problems
    assert "none does not exist" in problems


def test_record_fields_that_may_hold_a_secret_are_masked_and_references_stay() -> None:
    spec = {
        "image": "odoo:18.0",
        "configOptions": {"smtp_password": "hunter2", "limit_time_real": "60"},
        "webhook": {"url": "https://hooks.example.com/T0KEN", "secretTokenSecretRef": {"name": "hook", "key": "token"}},
        "database": {"external": {"host": "db", "secretRef": {"name": "shop-db"}}},
        "git": {"repository": "https://user:hunter2@example.com/x.git"},
        "init": {"modules": ["base"], "adminPasswordSecretRef": "file:/etc/odoo/admin"},
    }

    shown = masked(spec)

    assert "hunter2" not in json.dumps(shown)
    assert "T0KEN" not in json.dumps(shown)
    assert shown["configOptions"]["limit_time_real"] == "60"
    assert shown["webhook"]["secretTokenSecretRef"] == {"name": "hook", "key": "token"}
    assert shown["database"]["external"]["secretRef"] == {"name": "shop-db"}
    assert shown["init"] == {"modules": ["base"], "adminPasswordSecretRef": "file:/etc/odoo/admin"}


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        pytest.param("password=abc sent", "password=*** sent", id="option"),
        pytest.param("db_password = abc", "db_password = ***", id="odoo.conf"),
        pytest.param('{"api_key": "abc"}', '{"api_key": "***"}', id="JSON"),
        pytest.param(r'"{\"token\": \"abc\"}"', r'"{\"token\": \"***\"}"', id="JSON in JSON"),
        pytest.param("PGPASSWORD='abc'", "PGPASSWORD='***'", id="environment"),
        pytest.param("postgresql://odoo:abc@db/x", "postgresql://odoo:***@db/x", id="address"),
        pytest.param("password=YWJj", "password=***", id="base64"),
        pytest.param("the abc of abcess", "the abc of abcess", id="a word of the text"),
        pytest.param("password=abcess", "password=abcess", id="another value"),
    ],
)
def test_short_secret_is_taken_out_where_the_text_says_that_it_is_one(line: str, shown: str) -> None:
    assert Scrubber.of(["abc"]).text(line) == shown


def test_short_secret_that_is_a_whole_value_of_a_record_is_taken_out() -> None:
    scrubber = Scrubber.of(["abc", "7", ""])

    shown = scrubber.record(
        {"mail": "abc", "port": 7, "replicas": 17, "on": True, "list": ["abc", "abcd"], "passRef": {"name": "abc"}}
    )

    assert shown == {
        "mail": "***",
        "port": "***",
        "replicas": 17,
        "on": True,
        "list": ["***", "abcd"],
        "passRef": {"name": "abc"},
    }


async def test_report_holds_no_short_secret_as_a_value(tmp_path: Path) -> None:
    file = tmp_path / "pin"
    file.write_text("x7q")
    file.chmod(0o600)

    files = await report(
        tmp_path, {"adminPasswordSecretRef": f"file:{file}", "init": {"language": "x7q"}, "extraEnv": {"PIN": "x7q"}}
    )

    assert "x7q" not in "\n".join(files.values())
