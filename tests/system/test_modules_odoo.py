# SPDX-License-Identifier: Apache-2.0
"""Which modules changed, with a real Odoo 14 and PostgreSQL, and in the words of click-odoo-update: both ways."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mooring.domain.work.common import Fence
from mooring.domain.work.database import DatabaseProvision
from mooring.domain.work.modules import ModulesHash, ModulesRead, ModulesStore, checksums_lock_key
from mooring.domain.work.modules_script import render_modules_argv
from mooring.domain.work.written import WrittenCount
from tests.support.engine_server import Server, done, postgres, refused

pytestmark = pytest.mark.real

NAME, PASSWORD = "shop", "owner-secret"
ADDONS = "/usr/lib/python3/dist-packages/odoo/addons"
SOURCES = Path(__file__).parents[2] / "testbed" / "addons"
PATTERNS = ("*.pyc", "*.pyo", "i18n/*.pot", "i18n_extra/*.pot", "static/*", "tests/*")


def run(image: str, *argv: str, files: Mapping[str, str | Path], **options: str) -> subprocess.CompletedProcess[str]:
    """Run a command in an image as Odoo's user, with these files put into it."""
    flags = [f"--{key}={value}" for key, value in options.items()]
    name = subprocess.run(
        ("docker", "create", "--rm", "--user", "101:101", "--entrypoint", argv[0], *flags, image, *argv[1:]),
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    for target, source in files.items():
        subprocess.run(("docker", "cp", "-q", str(source), f"{name}:{target}"), check=True, capture_output=True)
    return subprocess.run(("docker", "start", "-a", name), capture_output=True, text=True, timeout=300, check=False)


def ask(image: str, folder: Path, *addons: str, extra: Mapping[str, str | Path] | None = None, **document: Any) -> Any:
    """What the script says of an image's modules: its result, or its error."""
    given = folder / "document.json"
    given.write_text(json.dumps({**ModulesHash().to_json(), **document}))
    given.chmod(0o644)
    argv = render_modules_argv([*addons, ADDONS], "/document.json")
    ran = run(image, *argv, files={"/document.json": given, **(extra or {})}, network="none")
    lines = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    found = next((line for line in lines if line["type"] in ("result", "error")), None)
    assert found is not None, ran.stdout + ran.stderr
    return found["result"] if found["type"] == "result" else found["error"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A database in which Odoo of `odoo:14.0-base` installed `mooring_demo`."""
    with postgres(tmp_path_factory.mktemp("modules")) as found:
        done(
            DatabaseProvision(
                found.connection(), Fence("op-init", 1), "id-shop", NAME, NAME, found.secret(PASSWORD), "create"
            )
        )
        conf = found.folder / "odoo.conf"
        conf.write_text(
            f"[options]\ndb_host = {found.address}\ndb_port = 5432\ndb_user = {NAME}\ndb_password = {PASSWORD}\n"
            f"db_name = {NAME}\nlist_db = False\ndata_dir = /tmp/data\n"
        )
        conf.chmod(0o644)
        ran = run(
            "odoo:14.0-base", "odoo", "-c", "/tmp/odoo.conf", "-i", "mooring_demo", "--without-demo=all",
            "--stop-after-init", "--no-http", files={"/tmp/odoo.conf": conf},
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr[-3000:]
        yield found


def read(server: Server, **changes: int) -> ModulesRead:
    return ModulesRead(server.connection(NAME, PASSWORD), NAME, **changes)


def store(server: Server, checksums: Mapping[str, str], attempt: int, **changes: Any) -> ModulesStore:
    fence = Fence("op-upgrade", attempt, wait_s=2)
    return ModulesStore(server.connection(NAME, PASSWORD), fence, "id-shop", NAME, checksums, **changes)


def look(server: Server, image: str, **document: Any) -> Any:
    """Both steps of an upgrade: what the database says, and what the image says to that."""
    known = done(read(server))
    fields = {key: known[key] for key in ("modules", "languages", "patterns")}
    return ask(image, server.folder, **fields, known=known["checksums"], **document)


def stored(server: Server) -> Any:
    """The parameter, past everything that is tested."""
    rows = server.query(
        "SELECT value FROM ir_config_parameter WHERE key = 'module_auto_update.installed_checksums'", database=NAME
    )
    return json.loads(rows[0][0]) if rows else None


def write(server: Server, value: str) -> None:
    """As another tool would."""
    server.query(
        "INSERT INTO ir_config_parameter (key, value) VALUES ('module_auto_update.installed_checksums', %s)"
        " ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value",
        (value,),
        database=NAME,
    )


def recipe(*layers: Path) -> str:
    """The checksum of a module by click-odoo-update's recipe, in other words than the script's; later layers win."""
    files = {
        path.relative_to(layer).as_posix(): path for layer in layers for path in layer.rglob("*") if path.is_file()
    }
    kept = {name for name in files if not any(fnmatch.fnmatch(name, pattern) for pattern in PATTERNS)}

    def order(name: str) -> tuple[tuple[str, ...], str]:
        *folders, file = name.split("/")
        return tuple(folders), file

    # A folder's own files come before what is in its folders.
    digest = hashlib.sha1()
    for name in sorted(kept, key=order):
        digest.update(name.encode() + files[name].read_bytes())
    return digest.hexdigest()


BASE = recipe(SOURCES / "base" / "mooring_demo")
NEXT = recipe(SOURCES / "base" / "mooring_demo", SOURCES / "next" / "mooring_demo")


def test_database_without_checksums_has_everything_updated(server: Server) -> None:
    server.query("DELETE FROM ir_config_parameter WHERE key LIKE 'module_auto_update%%'", database=NAME)
    found = look(server, "odoo:14.0-base")
    assert (found["update"], found["missing"]) == (["all"], [])
    assert found["checksums"]["mooring_demo"] == BASE
    assert {"base", "web", "mooring_demo"} <= set(found["changed"])


def test_what_was_stored_leaves_nothing_to_do_and_one_changed_module_alone(server: Server) -> None:
    before = look(server, "odoo:14.0-base")
    made = done(store(server, before["checksums"], 1))
    assert (made["modules"], made["written"]) == (len(before["checksums"]), True)
    assert done(store(server, before["checksums"], 1))["written"] is False
    assert look(server, "odoo:14.0-base")["touched"] == []
    after = look(server, "odoo:14.0-next")
    assert (after["update"], after["touched"]) == (["mooring_demo"], ["mooring_demo"])
    assert after["checksums"]["mooring_demo"] == NEXT


def test_what_click_odoo_update_stored_is_understood(server: Server) -> None:
    # Its JSON, with a module that had no code then, and one that is installed no more.
    sums = {**look(server, "odoo:14.0-base")["checksums"], "mooring_demo": BASE}
    write(server, json.dumps({**dict(sorted(sums.items(), reverse=True)), "lost": False, "gone": "0" * 40}))
    assert look(server, "odoo:14.0-base")["touched"] == []
    write(server, json.dumps({**sums, "mooring_demo": False}))
    assert look(server, "odoo:14.0-base")["touched"] == ["mooring_demo"]


def test_what_is_stored_is_what_click_odoo_update_would_compare_with(server: Server) -> None:
    done(store(server, look(server, "odoo:14.0-next")["checksums"], 2))
    value = stored(server)
    installed = {
        name for (name,) in server.query("SELECT name FROM ir_module_module WHERE state = 'installed'", database=NAME)
    }
    assert set(value) == installed
    assert value["mooring_demo"] == NEXT
    done(store(server, {"mooring_demo": BASE, "base": "0" * 40}, 3, only=("mooring_demo",)))
    assert stored(server) == {**value, "mooring_demo": BASE}


@pytest.mark.parametrize("value", ["", "{", "[1]", '{"base": 5}'], ids=["empty", "cut off", "a list", "a number"])
def test_parameter_that_is_no_such_json_counts_as_nothing(value: str, server: Server) -> None:
    write(server, value)
    assert done(read(server))["checksums"] == {}


def test_patterns_and_languages_of_the_database_count(server: Server) -> None:
    server.query(
        "INSERT INTO ir_config_parameter (key, value) VALUES ('module_auto_update.exclude_patterns', 'static/*, *.xml')",
        database=NAME,
    )
    try:
        found = done(read(server))
    finally:
        server.query("DELETE FROM ir_config_parameter WHERE key LIKE '%%exclude_patterns'", database=NAME)
    assert (found["patterns"], found["languages"]) == (["static/*", "*.xml"], ["en_US"])
    sums = {
        (languages, patterns): ask(
            "odoo:14.0", server.folder, modules=["base"], languages=list(languages), patterns=list(patterns)
        )["checksums"]["base"]
        for languages, patterns in [
            (("en_US",), PATTERNS),
            (("en_US", "fr_FR"), PATTERNS),
            (("en_GB", "fr_BE"), PATTERNS),
            (("en_US",), (*PATTERNS, "*.xml")),
        ]
    }
    us, french, other, fewer = sums.values()
    assert us != french
    assert french == other  # en_US and en_GB are one language, as are fr_FR and fr_BE
    assert fewer not in (us, french)


def test_lock_of_click_odoo_update_is_waited_for(server: Server) -> None:
    with psycopg.connect(
        host="127.0.0.1", port=server.port, user="admin", password="admin-secret", dbname=NAME, autocommit=True
    ) as link:
        link.execute("SELECT pg_advisory_lock(%s)", (checksums_lock_key(NAME),))
        fault = refused(read(server, wait_s=1), "MOOR-590")
        refused(store(server, {}, 9), "MOOR-590")
    assert "updating the database shop" in fault["brief"]


def test_custom_add_on_is_found_before_the_one_of_the_image(server: Server, tmp_path: Path) -> None:
    module = tmp_path / "custom" / "ours"
    module.mkdir(parents=True)
    (module / "__init__.py").touch()
    (module / "__manifest__.py").write_text("{'name': 'Ours', 'depends': ['contacts']}")
    found = ask("odoo:14.0", server.folder, "/custom", extra={"/custom": module.parent}, modules=["ours", "lost"])
    assert (found["checksums"], found["missing"]) == ({"ours": recipe(module)}, ["lost"])
    found = ask("odoo:14.0", server.folder, "/custom", extra={"/custom": module.parent}, install=["ours"])
    # What it brings with it is known, too, so that it is not updated the next time.
    assert {"ours", "contacts", "base", "web"} <= set(found["checksums"])
    assert found["touched"] == ["ours"]


def test_requirement_that_the_image_lacks_is_named_before_anything_stops(server: Server, tmp_path: Path) -> None:
    module = tmp_path / "custom" / "ours"
    module.mkdir(parents=True)
    (module / "__init__.py").touch()
    needs = "['lxml', 'python-dateutil', 'dateutil', 'no_such_thing>=2', 'other; python_version < \"3\"']"
    (module / "__manifest__.py").write_text(f"{{'external_dependencies': {{'python': {needs}}}}}")
    fault = ask("odoo:14.0", server.folder, "/custom", extra={"/custom": module.parent}, install=["ours"])
    assert (fault["code"], fault["details"]) == ("MOOR-592", "ours needs no_such_thing>=2")


def test_folder_that_odoo_refuses_is_an_error_with_its_reason(server: Server) -> None:
    fault = ask("odoo:14.0", server.folder, "/nowhere", modules=["base"])
    assert fault["code"] == "MOOR-591"


def test_rows_written_since_a_time_are_counted_by_table(server: Server) -> None:
    connection = server.connection(NAME, PASSWORD)
    server.query("UPDATE res_partner SET write_date = '2030-01-01 12:00:00' WHERE id IN (1, 2)", database=NAME)
    since = {
        text: done(WrittenCount(connection, NAME, text))["tables"]
        for text in ("2030-01-01T12:00:00Z", "2031-01-01T00:00:00Z")
    }
    assert list(since.values()) == [[{"table": "res_partner", "rows": 2, "more": False}], []]
    # The same moment, written elsewhere on earth.
    assert done(WrittenCount(connection, NAME, "2030-01-01T13:00:01+01:00"))["tables"] == []
