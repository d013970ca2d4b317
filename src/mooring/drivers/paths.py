# SPDX-License-Identifier: Apache-2.0
"""Where a user's own files go by the XDG base directory specification; pure, the environment is passed in.

Used by the rules for the state directory and the configuration file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from mooring.errors import UsageError


class NoHome(UsageError):
    """The environment does not say where this user's files are, or says it in a way that depends on the folder one is in."""

    code = "MOOR-516"
    reason = "NoHome"
    default_resolution = "Set HOME, or name the state directory with MOORING_HOME, as an absolute path."


def user_dir(environ: Mapping[str, str], variable: str, fallback: str) -> PurePosixPath:
    """The folder that `variable` names, else `fallback` below the home folder.

    A relative path in an XDG variable is ignored (https://specifications.freedesktop.org/basedir-spec/latest/, "Basics").

    Args:
        environ: the process's environment.
        variable: such as `XDG_STATE_HOME`.
        fallback: relative to HOME, such as `.local/state`.

    Raises:
        NoHome: it would be below HOME, which is not set or not absolute.
    """
    given = PurePosixPath(environ.get(variable, ""))
    if given.is_absolute():
        return given
    home = PurePosixPath(environ.get("HOME", ""))
    if not home.is_absolute():
        raise NoHome("HOME is not set to an absolute path.")
    return home / fallback
