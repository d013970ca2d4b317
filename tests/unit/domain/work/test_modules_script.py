# SPDX-License-Identifier: Apache-2.0
"""The script that reads a release's modules: its parts that need no Odoo. The whole is tried in a real one."""

from __future__ import annotations

import ast
import fnmatch
import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mooring.domain.work import modules_script
from mooring.domain.work.module_errors import ModulesUnread, RequirementsMissing
from mooring.domain.work.modules import checksums_lock_key


@pytest.mark.parametrize("kind", [ModulesUnread, RequirementsMissing], ids=lambda kind: kind.reason)
def test_script_says_the_codes_of_its_errors(kind: type[ModulesUnread | RequirementsMissing]) -> None:
    assert f'"{kind.code}", "{kind.reason}"' in modules_script.SCRIPT


def test_script_is_python_36_and_shell() -> None:
    ast.parse(modules_script._PYTHON, feature_version=(3, 6))
    subprocess.run(("sh", "-n", "-c", modules_script.SCRIPT), check=True)


def test_script_refuses_a_folder_that_odoo_would_read_as_two() -> None:
    with pytest.raises(ValueError, match="comma"):
        modules_script.render_modules_argv(["/a,b"], "/doc")


def checksum(top: Path, patterns: list[str], looked: list[str]) -> str:
    """What the script says of a folder; `looked` gets the folders that it read."""
    tree = ast.parse(modules_script._PYTHON)
    tree.body = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name in ("skipped", "checksum")]

    class Looking:
        path, fsencode = os.path, staticmethod(os.fsencode)

        @staticmethod
        def walk(folder: str) -> Any:
            for found in os.walk(folder):
                looked.append(os.path.relpath(found[0], top))
                yield found

    given = {"os": Looking, "fnmatch": fnmatch, "hashlib": hashlib, "asked": {"languages": [], "patterns": patterns}}
    exec(compile(tree, "script", "exec"), given)
    return str(given["checksum"](str(top)))  # type: ignore[operator]


def recipe(top: Path, patterns: list[str]) -> str:
    """click-odoo-update's recipe, which looks at every file."""
    digest = hashlib.sha1(usedforsecurity=False)
    for folder, folders, files in os.walk(top):
        folders.sort()
        for file in sorted(files):
            path = os.path.relpath(f"{folder}/{file}", top)
            if not any(fnmatch.fnmatch(path, pattern) for pattern in patterns):
                digest.update(os.fsencode(path) + Path(folder, file).read_bytes())
    return digest.hexdigest()


@pytest.mark.parametrize(
    ("patterns", "unseen"),
    [
        pytest.param(["*.pyc", "static/*", "tests/*"], {"static", "static/src", "tests"}, id="as usual"),
        pytest.param(["static/*.png", "i18n/*.pot"], set(), id="what fits only by its end"),
        pytest.param(["static/s*"], {"static/src"}, id="the beginning of a name"),
        pytest.param(["*"], {"models", "models/static", "static", "static/src", "tests"}, id="all"),
    ],
)
def test_folders_that_are_left_out_whole_are_not_looked_at_and_change_no_checksum(
    tmp_path: Path, patterns: list[str], unseen: set[str]
) -> None:
    for name in ("a.py", "models/b.py", "models/static/c.py", "static/d.png", "static/src/e.js", "tests/f.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    looked: list[str] = []
    assert checksum(tmp_path, patterns, looked) == recipe(tmp_path, patterns)
    assert {".", "models", "models/static", "static", "static/src", "tests"} - set(looked) == unseen


def test_lock_is_the_one_of_click_odoo_update() -> None:
    # int(hashlib.sha1(b"click-odoo-update/shop").hexdigest()[:14], 16), worked out apart from this code
    assert checksums_lock_key("shop") == 0x29BFD805F3FA4F
