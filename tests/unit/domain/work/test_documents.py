# SPDX-License-Identifier: Apache-2.0
"""Every document and result survives JSON, and refuses what it does not know."""

from __future__ import annotations

import ast
import dataclasses
import json
import subprocess
from typing import Any

import pytest

from mooring.domain.work import errors, serve_probe
from mooring.domain.work.codec import Document, Shape
from mooring.domain.work.common import Connection, Fence
from mooring.domain.work.copies import DatabaseDrop, DatabaseReturn, DatabaseSafetyCopy
from mooring.domain.work.database import (
    DatabaseFinishInit,
    DatabaseInspect,
    DatabaseProvision,
    DatabaseVerify,
    ServerCheck,
)
from mooring.domain.work.filestore import FilestoreDrop, FilestoreReturn, FilestoreSafetyCopy
from mooring.domain.work.module_errors import EventedSilent, PdfFails
from mooring.domain.work.release_probe import SCRIPT, parse_release_probe
from mooring.domain.work.results import DatabaseFacts, Mark, ModuleFact
from mooring.errors import MooringError

ADMIN = Connection("db", 5432, "mooring", "/run/mooring/admin")
FENCE = Fence("op-1", 2)
DOCUMENTS: tuple[Document, ...] = (
    ServerCheck(ADMIN, minimum_major=12),
    DatabaseProvision(ADMIN, FENCE, "id-1", "shop", "shop", "/run/mooring/owner"),
    DatabaseInspect(ADMIN, "shop"),
    DatabaseVerify(ADMIN, "shop", ("base", "sale"), "14.0"),
    DatabaseFinishInit(ADMIN, FENCE, "id-1", "shop", admin_password_file="/run/mooring/x", language="fr_FR"),
    DatabaseSafetyCopy(ADMIN, FENCE, "id-1", "shop", free_bytes=7),
    DatabaseReturn(ADMIN, FENCE, "id-1", "shop", keep=True),
    DatabaseDrop(ADMIN, FENCE, "id-1", ("safety", "previous"), operation="op-1"),
    FilestoreSafetyCopy(FENCE, "id-1", "/data", "shop"),
    FilestoreReturn(FENCE, "id-1", "/data", "shop"),
    FilestoreDrop(FENCE, "id-1", "/data", "shop", ("current",), purge=True),
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda item: item.TASK)
def test_document_through_json_stays_the_same(document: Document) -> None:
    text = json.dumps(document.to_json())
    assert type(document).from_json(json.loads(text)) == document


def test_documents_have_a_task_name_of_their_own() -> None:
    assert len({item.TASK for item in DOCUMENTS}) == len(DOCUMENTS)


def test_result_with_nested_parts_through_json_stays_the_same() -> None:
    facts = DatabaseFacts(
        exists=True, mark=Mark("i", "current", None, None), modules={"base": ModuleFact("installed", "14.0.1.3")}
    )
    assert DatabaseFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


def _changed(**changes: Any) -> dict[str, Any]:
    return {**DatabaseSafetyCopy(ADMIN, FENCE, "id-1", "shop").to_json(), **changes}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        pytest.param(_changed(colour="red"), "colour is unknown", id="unknown key"),
        pytest.param(_changed(v=2), "version 2", id="newer version"),
        pytest.param({k: v for k, v in _changed().items() if k != "v"}, "version None", id="no version"),
        pytest.param({k: v for k, v in _changed().items() if k != "database"}, "database is missing", id="missing key"),
        pytest.param(_changed(disconnect="yes"), "disconnect must be bool", id="text for a truth value"),
        pytest.param(_changed(freeBytes=True), "freeBytes must be int", id="truth value for a number"),
        pytest.param(_changed(connection=[1]), "connection must be an object", id="list for an object"),
        pytest.param(_changed(database="postgres"), "the server's own", id="server's own database"),
        pytest.param(_changed(database="a\nb"), "not printable", id="line break in a name"),
        pytest.param(_changed(database="x" * 64), "too long", id="name that PostgreSQL would cut"),
        pytest.param(_changed(fence={"operation": "o", "attempt": 0}), "at least 1", id="attempt nought"),
        pytest.param([], "an object is expected", id="no object"),
    ],
)
def test_document_with_a_fault_is_refused_by_name(value: object, says: str) -> None:
    with pytest.raises(errors.InvalidDocument, match=says):
        DatabaseSafetyCopy.from_json(value)


def test_document_with_two_faults_names_both() -> None:
    with pytest.raises(errors.InvalidDocument) as caught:
        DatabaseSafetyCopy.from_json(_changed(colour="red", keep=1, instance=5))
    assert all(word in caught.value.brief for word in ("colour", "keep", "instance"))


@pytest.mark.parametrize(
    ("shape", "changes", "says"),
    [
        pytest.param(
            DOCUMENTS[1], {"ownerPasswordFile": None}, "ownerPasswordFile is needed", id="role without password"
        ),
        pytest.param(DOCUMENTS[1], {"mode": "existing"}, "connects as the owner", id="existing with an administrator"),
        pytest.param(DOCUMENTS[7], {"roles": ["current"]}, "only with purge", id="current without purge"),
        pytest.param(DOCUMENTS[7], {"roles": ["everything"]}, "allowed are", id="unknown role"),
        pytest.param(DOCUMENTS[7], {"owner": "shop"}, "only together", id="role without its database"),
        pytest.param(DOCUMENTS[8], {"dataDir": "data"}, "absolute path", id="relative folder"),
        pytest.param(DOCUMENTS[8], {"dataDir": "/data/../etc"}, "absolute path", id="folder that climbs"),
        pytest.param(DOCUMENTS[8], {"database": "../etc"}, "cannot name a folder", id="database that climbs"),
        pytest.param(
            DOCUMENTS[8],
            {"fence": {"operation": "../x", "attempt": 1}},
            "cannot name a folder",
            id="operation that climbs",
        ),
        pytest.param(DOCUMENTS[10], {"purge": False}, "only with purge", id="filestore without purge"),
    ],
)
def test_document_that_would_do_harm_is_refused(shape: Shape, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(errors.InvalidDocument, match=says):
        type(shape).from_json({**shape.to_json(), **changes})


def test_documents_hold_no_field_for_a_secret_value() -> None:
    for document in (*DOCUMENTS, ADMIN):
        names = [item.name for item in dataclasses.fields(document) if "password" in item.name]  # type: ignore[arg-type]
        assert all(name.endswith("_file") for name in names)


def test_error_codes_are_in_range_and_unique() -> None:
    classes = [
        item
        for item in vars(errors).values()
        if isinstance(item, type) and issubclass(item, MooringError) and item.__module__ == errors.__name__
    ]
    codes = [item.code for item in classes]
    assert len(set(codes)) == len(codes) > 20
    assert all("MOOR-400" <= code <= "MOOR-449" for code in codes)


ANSWER = "\n".join(
    (
        "some warning",
        "MOORING_PROGRAM=/usr/bin/odoo",
        "MOORING_UID=101",
        "MOORING_GID=102",
        "MOORING_PYTHON=3.9",
        "MOORING_ADDONS=/usr/lib/python3/dist-packages/odoo/addons",
        "MOORING_SERIES=14.0",
    )
)


def test_release_probe_of_odoo_gives_its_facts() -> None:
    facts = parse_release_probe(ANSWER)
    assert (facts.series, facts.uid, facts.gid, facts.program, facts.python) == (
        "14.0",
        101,
        102,
        "/usr/bin/odoo",
        "3.9",
    )


@pytest.mark.parametrize("key", ["PROGRAM", "UID", "ADDONS", "SERIES", "PYTHON"])
def test_release_probe_that_lacks_a_fact_is_no_odoo(key: str) -> None:
    answer = "\n".join(line for line in ANSWER.splitlines() if not line.startswith(f"MOORING_{key}="))
    with pytest.raises(errors.NotOdoo):
        parse_release_probe(answer)


def test_release_probe_script_is_plain_posix_shell() -> None:
    assert subprocess.run(["sh", "-n", "-c", SCRIPT], check=False).returncode == 0


def test_serve_probe_script_is_python_of_the_oldest_odoo() -> None:
    ast.parse(serve_probe.SCRIPT, feature_version=(3, 6))


def test_serve_probe_runs_one_process_without_cron_for_exactly_this_database() -> None:
    argv = serve_probe.render_odoo_argv("odoo", "/etc/odoo.conf", database="my.shop", port=8070)
    assert {"--workers=0", "--max-cron-threads=0", "--load=base,web", "--http-interface=127.0.0.1"} <= set(argv)
    assert r"--db-filter=^my\.shop$" in argv
    probe = serve_probe.render_probe_argv(argv, port=8070, deadline_s=60)
    assert probe[:2] == ("python3", "-c")
    assert probe[3:] == ("8070", "60", "0", "", "", "--", *argv)


@pytest.mark.parametrize("kind", [EventedSilent, PdfFails], ids=lambda kind: kind.reason)
def test_serve_probe_says_the_codes_of_its_errors(kind: type[EventedSilent | PdfFails]) -> None:
    assert f'"{kind.code}", "{kind.reason}"' in serve_probe.SCRIPT
