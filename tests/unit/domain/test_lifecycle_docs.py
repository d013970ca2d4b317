# SPDX-License-Identifier: Apache-2.0
"""The pages about lifecycle and operations say what the tables say."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

from mooring.domain.lifecycle.table import TABLE, State
from mooring.domain.operations.conflicts import MATRIX
from mooring.domain.operations.plan import OperationType

TOOL = Path(__file__).parents[3] / "tools" / "diagrams.py"


@pytest.fixture(scope="module")
def diagrams() -> ModuleType:
    spec = importlib.util.spec_from_file_location("diagrams", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_are_those_of_the_golden_tables(diagrams: ModuleType) -> None:
    if os.environ.get("MOORING_GOLDEN") == "1":
        diagrams.main([])
    assert diagrams.main(["--check"]) == 0


def test_check_of_a_stale_page_names_it_and_changes_nothing(
    diagrams: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(diagrams, "REFERENCE", tmp_path / "reference")
    assert diagrams.main(["--check"]) == 1
    assert "reference/lifecycle.md is not up to date" in capsys.readouterr().out
    assert not (tmp_path / "reference").exists()
    assert diagrams.main([]) == 0
    (tmp_path / "reference" / "operations.md").write_text("changed by hand")
    assert diagrams.main(["--check"]) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("reference/operations.md is not up to date")


def test_lifecycle_page_has_every_state_with_a_way_out(diagrams: ModuleType) -> None:
    rows = re.findall(r"^\| `(\w+)` \| `\w+` \| .+\. \| (.*) \|$", diagrams.render_lifecycle(), re.MULTILINE)
    assert {state for state, _ in rows} == set(State)
    assert [state for state, way_out in rows if not way_out.strip()] == ["Running"]


def test_lifecycle_diagrams_have_every_row_of_the_table(diagrams: ModuleType) -> None:
    drawn = ["".join(node.itertext()) for node in ElementTree.fromstring(diagrams.render_svg())]
    page = diagrams.render_lifecycle()
    for number, row in enumerate(TABLE, 1):
        words = re.split("[`;.]", row.guard.__doc__ or "")[0]
        assert len(words) > 10
        assert any(text.startswith(words) for text in drawn)
        assert f"--> {row.target}: {number}. {words}" in page


def test_lifecycle_mermaid_labels_have_nothing_that_ends_them(diagrams: ModuleType) -> None:
    labels = [line.partition(": ")[2] for line in diagrams.render_lifecycle().splitlines() if " --> " in line]
    assert [label for label in labels if set(label) & set(":;`")] == []


def test_operations_page_has_every_pair(diagrams: ModuleType) -> None:
    page = diagrams.render_operations()
    rows = [line for line in page.splitlines() if line.startswith("| **`")]
    assert len(rows) == len(OperationType)
    assert sum(row.count("beside") + row.count("waits") + row.count("refused") for row in rows) == len(MATRIX)
