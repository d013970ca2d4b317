# SPDX-License-Identifier: Apache-2.0
"""The script that reads a release's modules: its parts that need no Odoo. The whole is tried in a real one."""

from __future__ import annotations

import ast
import subprocess

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


def test_lock_is_the_one_of_click_odoo_update() -> None:
    # int(hashlib.sha1(b"click-odoo-update/shop").hexdigest()[:14], 16), worked out apart from this code
    assert checksums_lock_key("shop") == 0x29BFD805F3FA4F
