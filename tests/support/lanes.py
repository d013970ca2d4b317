# SPDX-License-Identifier: Apache-2.0
"""Which tests must run one after the other when several processes run tests: those that share what is slow to make.

Pure. Called by `tests/conftest.py`.
"""

from __future__ import annotations

from pathlib import PurePosixPath

PLACES = ("docker", "podman")


def lane(test: str) -> str:
    """The lane of a test, by its id.

    The promises of one place share its instance, but for those that have an engine of their own. Every other file is a
    lane of its own.

    Args:
        test: such as `tests/conformance/test_running.py::test_log_in[docker]`.
    """
    path = PurePosixPath(test.partition("::")[0])
    words = test.partition("[")[2].rstrip("]").split("-")
    place = next((word for word in words if word in PLACES), "")
    if path.parent.name != "conformance" or not place:
        return str(path)
    return f"{place}, {path.stem}" if path.stem == "test_power" else place
