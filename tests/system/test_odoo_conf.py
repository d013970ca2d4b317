# SPDX-License-Identifier: Apache-2.0
"""The rendered odoo.conf and the command lines, read by the real Odoo 14."""

from __future__ import annotations

import io
import json
import tarfile

import docker
import docker.errors
import pytest

from mooring.domain.odoo.argv import argv_init, argv_serve, argv_shell, argv_update
from mooring.domain.odoo.conf import AddonPaths, ConfInput, DatabaseAccess, Role, render_conf
from mooring.domain.odoo.facts import facts_for
from mooring.domain.odoo.memory import MIB
from mooring.domain.odoo.options import OptionValue
from mooring.domain.odoo.sizing import SizingInput, decide_sizing

pytestmark = pytest.mark.real

IMAGE = "odoo:14.0"
FACTS = facts_for("14.0")
PASSWORD = "%(x)s $HOME ;#'\" é"

READER = """
import json, sys, odoo
from odoo.tools import config
shown = {}
for argv in json.loads(sys.argv[1]):
    config.__init__()
    config._parse_config(argv)
    shown[' '.join(argv)] = {k: config[k] for k in sorted(config.options) if k != 'log_handler'}
print('RESULT' + json.dumps(shown, default=str))
"""


def conf(role: Role) -> str:
    options: dict[str, OptionValue] = {"limit_time_real": 600, "email_from": "100% <a@b.c>"}
    sizing = decide_sizing(SizingInput(series="14.0", cpu_millicores=2000, memory_bytes=2048 * MIB, options=options))
    text = render_conf(
        ConfInput(
            series="14.0",
            role=role,
            sizing=sizing,
            database=DatabaseAccess(host="db", port=5433, name="Shop-1.x", user="u"),
            addons=AddonPaths(custom=("/mnt/custom",), core=("/usr/lib/python3/dist-packages/odoo/addons",)),
            options=options,
        )
    )
    secrets = {"db_password": PASSWORD, "admin_passwd": "m"}
    return "".join(part if isinstance(part, str) else secrets[part.name] for part in text.parts)


@pytest.fixture(scope="module")
def read() -> dict[str, dict[str, object]]:
    """Argument list, joined, to what Odoo's configuration says after it."""
    commands = {
        "web": argv_serve(FACTS, role="web", config="/tmp/web.conf")[1:],
        "cron": argv_serve(FACTS, role="cron", config="/tmp/cron.conf")[1:],
        "probe": argv_serve(FACTS, role="probe", config="/tmp/probe.conf")[1:],
        "init": argv_init(FACTS, database="d", modules=["base", "sale"], language="fr_FR", config="/tmp/task.conf")[1:],
        "demo": argv_init(FACTS, database="d", modules=["base"], demo=True, config="/tmp/none.conf")[1:],
        "update": argv_update(FACTS, database="d", modules=["all"], install=["stock"], config="/tmp/task.conf")[1:],
        "shell": argv_shell(FACTS, database="d", config="/tmp/task.conf")[2:],
    }
    try:
        engine = docker.from_env()
        engine.images.get(IMAGE)
    except docker.errors.DockerException as error:
        pytest.skip(f"no engine with {IMAGE}: {error}")
    buffer = io.BytesIO()
    files = {f"{role}.conf": conf(role).encode() for role in ("web", "cron", "task", "probe")} | {
        "none.conf": b"[options]\n",
        "read.py": READER.encode(),
    }
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o644
            tar.addfile(info, io.BytesIO(content))
    container = engine.containers.create(
        IMAGE,
        entrypoint=["python3"],
        command=["/tmp/read.py", json.dumps(list(commands.values()))],
        user=f"{FACTS.container_uid}:{FACTS.container_gid}",
        network_mode="none",
    )
    try:
        container.put_archive("/tmp", buffer.getvalue())
        container.start()
        code = container.wait(timeout=120)["StatusCode"]
        output = container.logs().decode()
    finally:
        container.remove(force=True, v=True)
        engine.close()
    assert code == 0, output
    shown = json.loads(output.split("RESULT", 1)[1])
    return {name: shown[" ".join(argv)] for name, argv in commands.items()}


def test_odoo_reads_web_configuration_as_it_was_meant(read: dict[str, dict[str, object]]) -> None:
    web = read["web"]
    assert {key: web[key] for key in ("list_db", "proxy_mode", "http_enable", "without_demo")} == {
        "list_db": False,
        "proxy_mode": True,
        "http_enable": True,
        "without_demo": "all",
    }
    assert (web["db_password"], web["email_from"]) == (PASSWORD, "100% <a@b.c>")
    assert (web["db_host"], web["db_port"], web["db_name"], web["db_user"]) == ("db", 5433, "Shop-1.x", "u")
    assert web["dbfilter"] == r"^Shop\-1\.x$"
    assert (web["workers"], web["max_cron_threads"], web["limit_time_real"]) == (2, 0, 600)
    assert (web["limit_memory_soft"], web["db_maxconn"]) == (640 * MIB, 16)
    assert web["addons_path"] == "/mnt/custom,/usr/lib/python3/dist-packages/odoo/addons"
    assert (web["longpolling_port"], web["http_port"]) == (8072, 8069)


def test_odoo_runs_cron_and_probe_as_they_were_meant(read: dict[str, dict[str, object]]) -> None:
    keys = ("workers", "max_cron_threads", "http_enable", "server_wide_modules")
    assert [read["cron"][key] for key in keys] == [0, 2, False, "base,web"]
    assert [read["probe"][key] for key in keys] == [0, 0, True, "base,web"]


def test_odoo_reads_tasks_as_they_were_meant(read: dict[str, dict[str, object]]) -> None:
    keys = ("workers", "max_cron_threads", "http_enable", "stop_after_init", "db_name")
    for name in ("init", "update"):
        assert [read[name][key] for key in keys] == [0, 0, False, True, "d"]
    assert (read["init"]["init"], read["init"]["demo"]) == ({"base": 1, "sale": 1}, {})
    assert read["init"]["load_language"] == "fr_FR"
    assert read["demo"]["demo"] == {"base": 1}
    assert (read["update"]["update"], read["update"]["init"], read["update"]["demo"]) == ({"all": 1}, {"stock": 1}, {})
    assert (read["shell"]["db_name"], read["shell"]["http_enable"]) == ("d", False)


def test_odoo_knows_the_keys_that_the_table_lists(read: dict[str, dict[str, object]]) -> None:
    only_command_line = {
        "config",
        "demo",
        "init",
        "language",
        "root_path",
        "save",
        "translate_in",
        "translate_out",
        "update",
    }
    assert set(read["web"]) - only_command_line | {"log_handler"} == FACTS.option_keys
