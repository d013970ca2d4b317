# SPDX-License-Identifier: Apache-2.0
"""The table of targets: each row can be imported, and what is not in it is named with what is."""

from __future__ import annotations

import importlib
import inspect
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mooring.cli.errors import UnknownTarget
from mooring.cli.targets import TABLE, find_row
from mooring.drivers.settings import TARGETS


def test_table_has_what_the_configuration_file_may_name() -> None:
    assert set(TABLE) == set(TARGETS)


@pytest.mark.parametrize("name", TABLE)
def test_row_has_both_functions(name: str) -> None:
    module = importlib.import_module(TABLE[name])
    assert inspect.iscoroutinefunction(module.make_target)
    assert inspect.iscoroutinefunction(module.prepare)


@pytest.mark.parametrize("name", ["dokcer", "kubernetes", ""], ids=["typing error", "not yet", "empty"])
def test_unknown_target_says_which_there_are(name: str) -> None:
    app = SimpleNamespace(options=SimpleNamespace(target=name), settings=SimpleNamespace(default_target="nowhere"))
    with pytest.raises(UnknownTarget) as caught:
        find_row(cast("Any", app))
    assert repr(name or "nowhere") in caught.value.brief
    assert "docker" in caught.value.brief
    assert "docker" in caught.value.resolution


def test_named_target_comes_before_the_configured_one() -> None:
    app = SimpleNamespace(options=SimpleNamespace(target="docker"), settings=SimpleNamespace(default_target="nowhere"))
    assert find_row(cast("Any", app)) is importlib.import_module("mooring.cli.target_docker")
