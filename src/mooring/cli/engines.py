# SPDX-License-Identifier: Apache-2.0
"""The container engine that the environment points to. Only the command line reads that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mooring.drivers.docker.find import EngineAddress, find_engine


def find_address(environ: Mapping[str, str]) -> EngineAddress:
    """The first engine that answers, by DOCKER_HOST, DOCKER_CONTEXT and the usual sockets. Blocks for moments.

    Args:
        environ: the process's environment.

    Raises:
        EngineUnreachable: none answers; the details say what was tried.
    """
    home = environ.get("HOME", "")
    return find_engine(
        host=environ.get("DOCKER_HOST") or None,
        context=environ.get("DOCKER_CONTEXT") or None,
        cert_path=environ.get("DOCKER_CERT_PATH") or None,
        tls_verify=bool(environ.get("DOCKER_TLS_VERIFY")),
        home=Path(home) if home else None,
        runtime_dir=environ.get("XDG_RUNTIME_DIR") or None,
    )
