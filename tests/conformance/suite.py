# SPDX-License-Identifier: Apache-2.0
"""The promises that this suite has, read from its own modules: one a test function, in the order of the files."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

from tools.conformance import Promise

from tests.conformance.places import PLACES

MODULES = (
    "test_running",
    "test_upgrading",
    "test_data",
    "test_backup",
    "test_copies",
    "test_refresh",
    "test_kills",
    "test_power",
)


def promises() -> list[Promise]:
    """All of them."""
    found: list[Promise] = []
    for name in MODULES:
        module = importlib.import_module(f"tests.conformance.{name}")
        functions = [
            one for _, one in inspect.getmembers(module, inspect.isfunction) if one.__module__ == module.__name__
        ]
        for function in sorted(functions, key=lambda one: one.__code__.co_firstlineno):
            test = function.__name__
            if test.startswith("test_"):
                words = (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ")
                found.append(Promise(test, words, tuple(PLACES)))
    return found


def modules_on_disk() -> set[str]:
    """The names of all test modules here, but the page's own."""
    return {path.stem for path in Path(__file__).parent.glob("test_*.py")} - {"test_page"}
