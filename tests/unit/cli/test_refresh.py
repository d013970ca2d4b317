# SPDX-License-Identifier: Apache-2.0
"""`mooring refresh` and `mooring clone`: what is asked for, and what nobody may ask for by accident."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mooring.domain.instance.ledger import dump_ledger
from tests.unit.cli.records import ledger_of, running
from tests.unit.cli.runner import Program

SHOP_ID, STAGING_ID = "a" * 20, "b" * 20
REFRESH = ("refresh", "staging", "--yes", "--no-wait")


def put(program: Program, name: str, doc_id: str, *, environment: str = "Production", **spec: Any) -> None:
    """An instance that runs."""
    doc, status = running(name, ledger=dump_ledger(ledger_of(name, environment=environment)))
    program.put(replace(doc, id=doc_id, spec={**doc.spec, **spec}), status)


@pytest.fixture
def pair(program: Program) -> Program:
    """`shop` and its staging copy."""
    put(program, "shop", SHOP_ID, backup={"repository": "nas"}, service={"port": 8070})
    put(program, "staging", STAGING_ID, environment="Staging", stagingOf={"name": "shop"})
    return program


@pytest.mark.parametrize(
    ("words", "kind", "spec"),
    [
        pytest.param((), "OdooStagingRefreshJob", {}, id="its source"),
        pytest.param(
            ("--from", "other", "--skip-files"),
            "OdooStagingRefreshJob",
            {"source": {"name": "other"}, "filestoreMethod": "skip"},
            id="another",
        ),
        pytest.param(
            ("--from-snapshot",),
            "OdooRestoreJob",
            {"source": {"snapshot": "latest", "snapshotOf": SHOP_ID, "repository": "nas"}, "mode": "copy"},
            id="snapshot",
        ),
        pytest.param(
            ("--from-snapshot", "--from", "gone", "--repository", "vault"),
            "OdooRestoreJob",
            {"source": {"snapshot": "latest", "snapshotOf": "gone", "repository": "vault"}, "mode": "copy"},
            id="snapshot of one that is not here",
        ),
    ],
)
def test_refresh_is_asked_for_as_it_was_said(
    pair: Program, words: tuple[str, ...], kind: str, spec: dict[str, Any]
) -> None:
    result = pair(*REFRESH, *words)
    assert result.code == 0, result.err
    (doc,) = pair.operations()
    assert doc.ref.kind == kind
    assert {key: value for key, value in doc.spec.items() if key != "instanceRef"} == spec


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(("refresh", "shop", "--from", "staging", "--yes"), 2, "MOOR-553", id="production"),
        pytest.param((*REFRESH, "--repository", "nas"), 2, "--from-snapshot", id="repository of nothing"),
        pytest.param((*REFRESH, "--from-snapshot", "--skip-files"), 2, "exclude each other", id="both"),
        pytest.param(("refresh", "staging", "--no-wait"), 2, "was not refreshed", id="nobody said yes"),
        pytest.param((*REFRESH, "--from-snapshot", "--from", "gone"), 2, "BackupRepository", id="no repository"),
        pytest.param(("clone", "shop", "staging"), 2, "mooring refresh staging", id="a clone that is there"),
        pytest.param(("clone", "gone", "new"), 3, "gone", id="a clone of nothing"),
    ],
)
def test_refresh_and_clone_refuse_what_was_not_meant(
    pair: Program, words: tuple[str, ...], code: int, said: str
) -> None:
    result = pair(*words)
    assert (result.code, said in result.err) == (code, True), result.err
    assert pair.operations() == []


def test_clone_is_a_manifest_that_begins_as_a_copy(pair: Program) -> None:
    result = pair("clone", "shop", "new", "--no-wait")
    assert result.code == 0, result.err
    doc = pair.get("OdooInstance", "new")
    assert doc is not None
    assert doc.spec == {"image": "odoo:14.0", "stagingOf": {"name": "shop"}}
    assert pair.operations() == []
