# SPDX-License-Identifier: Apache-2.0
"""Which container engine Mooring would use here, in one line: `docker` or `podman`, its address, `asked` or `found`.

`asked`: DOCKER_HOST or a context of Docker's names it; `found`: it answers at a usual socket. Changes nothing. Ends with 1 and
says what was tried where none answers. Run by testbed/engines.sh.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from mooring.cli.engines import find_address
from mooring.drivers.docker.engine import Engine
from mooring.errors import MooringError


def main() -> int:
    """Ask, print, and say whether one answers."""
    try:
        address = find_address(os.environ)
        engine = Engine(address)
        try:
            kind = "podman" if engine.podman else "docker"
        finally:
            engine.close()
    except MooringError as error:
        sys.stderr.write(f"{error.brief}\n{error.details or ''}\n")
        return 1
    sys.stdout.write(f"{kind} {address.url} {'found' if address.origin == 'usual socket' else 'asked'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
