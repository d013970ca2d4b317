# SPDX-License-Identifier: Apache-2.0
"""The start of a managed server: its arguments; the script itself is tried on a real PostgreSQL in tests/system."""

from __future__ import annotations

import subprocess

import pytest

from mooring.domain.postgres import bootstrap
from mooring.domain.postgres.bootstrap import BOOTSTRAP, argv_postgres, server_user
from mooring.domain.postgres.errors import ServerUserMissing

PASSWD = """root:x:0:0:root:/root:/bin/bash
# a comment
postgresql:x:5:5::/:/bin/sh
postgres:x:999:998:,,,:/var/lib/postgresql:/bin/bash
"""


def test_argv_passes_inputs_as_arguments_only() -> None:
    argv = argv_postgres(root="/v'; x", major=17, password_file="/p", config_file="/c", hba_file="/h")
    assert argv == ("sh", "-c", BOOTSTRAP, "mooring-postgres", "/v'; x", "17", "/p", "/c", "/h", "mooring")


def test_script_is_valid_shell() -> None:
    subprocess.run(["sh", "-n", "-c", BOOTSTRAP], check=True)


@pytest.mark.parametrize("name", ["EXIT_WRONG_MAJOR", "EXIT_LOCKED", "EXIT_NO_SERVER", "EXIT_NO_PASSWORD"])
def test_script_ends_with_the_codes_that_are_documented(name: str) -> None:
    assert f"fail {getattr(bootstrap, name)} " in BOOTSTRAP


@pytest.mark.parametrize("name", ["DATA", "PASSWORD_COPY", "PASS_FILE"])
def test_script_uses_the_names_that_are_documented(name: str) -> None:
    assert f"$root/{getattr(bootstrap, name)}" in BOOTSTRAP


def test_script_without_its_arguments_does_nothing() -> None:
    done = subprocess.run(["sh", "-c", BOOTSTRAP, "x"], capture_output=True, check=False)
    assert done.returncode != 0


def test_server_user_is_read_from_passwd() -> None:
    assert server_user(PASSWD) == (999, 998)


@pytest.mark.parametrize(
    "passwd",
    ["", "root:x:0:0::/:/bin/sh", "postgres:x:0:0::/:/bin/sh", "postgres:x:a:b::", "postgres"],
    ids=["empty", "other", "root", "no-number", "short"],
)
def test_server_user_that_is_missing_or_root_is_refused(passwd: str) -> None:
    with pytest.raises(ServerUserMissing):
        server_user(passwd)
