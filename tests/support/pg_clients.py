# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's clients of another major than this machine's, out of the test image of that server."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from mooring.drivers.postgres_programs import Client, observe_clients

_PACK = """
cd /usr/lib/postgresql/*/bin
for program in pg_dump pg_restore; do ldd $program | sed -n 's/.*=> \\(\\/[^ ]*\\).*/\\1/p'; done | sort -u > /tmp/wanted
ls -d "$PWD"/pg_dump "$PWD"/pg_restore /lib64/ld-linux-*.so.* /lib/ld-linux-*.so.* 2>/dev/null >> /tmp/wanted
tar -ch -T /tmp/wanted 2>/dev/null
"""
_RUN = '#!/bin/sh\nexec "{loader}" --library-path "{home}/lib" "{home}/lib/{program}" "$@"\n'


def fetch_client(major: int, home: Path) -> Client:
    """The clients of this major, run by their own loader and with their own libraries."""
    packed = subprocess.run(
        ("docker", "run", "--rm", f"postgres:{major}", "sh", "-c", _PACK), check=True, capture_output=True
    ).stdout
    (home / "lib").mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                path = home / "lib" / Path(member.name).name
                path.write_bytes(content.read())
                path.chmod(0o755)
    loader = next(path for path in (home / "lib").glob("ld-linux-*"))
    for program in ("pg_dump", "pg_restore"):
        path = home / program
        path.write_text(_RUN.format(loader=loader, home=home, program=program))
        path.chmod(0o755)
    found = observe_clients(str(home))
    assert [client.major for client in found] == [major]
    return found[0]
