# SPDX-License-Identifier: Apache-2.0
"""`mooring restore --repository ADDRESS` as a person types it, on a real engine, with an empty state directory.

What it reads comes from a real, encrypted repository. That the data comes back, too, `tests/conformance/test_backup.py` shows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mooring.domain.instance.repository import GROUP
from mooring.domain.repository.manifest import NamedStream
from mooring.domain.work.repository import RepositorySettings
from mooring.engine.backup.store import open_backup_store
from mooring.engine.repository.ports import Cut
from tests.conformance.places import machine_address
from tests.support.repositories import manifest
from tests.support.s3_servers import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server, rclone_server

pytestmark = pytest.mark.real
PASSPHRASE = "correct horse battery staple"
INSTANCE = "0123456789abcdef0123"
SHOP = {
    "apiVersion": "mooring.dev/v1alpha1",
    "kind": "OdooInstance",
    "metadata": {"name": "shop"},
    "spec": {"image": "odoo:14.0", "backup": {"repository": "offsite"}},
}


def docker(*words: str) -> str:
    return subprocess.run(("docker", *words), check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[S3Server]:
    """A real S3 server on this machine, where containers reach it."""
    with rclone_server(tmp_path / "s3", address=machine_address()) as server:
        yield server


def write_snapshot(settings: RepositorySettings, folder: Path) -> str:
    """A snapshot of `shop` that keeps its manifest; its id."""
    passphrase = folder / "passphrase"
    passphrase.write_text(PASSPHRASE)
    given = replace(settings, passphrase_file=str(passphrase))
    empty = replace(manifest(()), id=str(uuid.uuid4()))
    shop = replace(empty.instance, id=INSTANCE)
    with open_backup_store(given, shop) as made:
        kept = NamedStream("instance.json", made.write((json.dumps(SHOP).encode(),), cut=Cut.FIXED))
        return made.commit(lambda sizes: replace(empty, instance=shop, files=(kept,), sizes=sizes))


def mooring(home: Path, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """The program, in a namespace of this test's own."""
    return subprocess.run(
        [sys.executable, "-m", "mooring.cli.main", "-n", f"t{home.name[-12:].replace('_', '-')}", *words],
        env={**os.environ, "MOORING_HOME": str(home / "state")},
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("kind", ["s3", "folder"])
def test_empty_machine_reads_the_snapshot_and_writes_what_it_needs(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    home = tmp_path / f"n-{uuid.uuid4().hex[:8]}"
    home.mkdir()
    words = ["restore", "--instance", "shop", "--secret", "vault", "--yes", "--no-wait", "-o", "json"]
    keys = {"passphrase": PASSPHRASE}
    if kind == "s3":
        server: S3Server = request.getfixturevalue("store")
        url = f"s3://{BUCKET}/odoo"
        settings = RepositorySettings(url, endpoint=server.endpoint, credentials_dir=str(server.credentials))
        words += ["--endpoint", server.endpoint]
        keys |= {"accessKeyId": ACCESS_KEY, "secretAccessKey": SECRET_KEY}
    else:
        url = f"file://{tmp_path / 'repository'}"
        settings = RepositorySettings(url)
    snapshot = write_snapshot(settings, tmp_path)
    if kind == "folder":  # as tasks leave it: theirs by its group
        subprocess.run(("chgrp", "-R", str(GROUP), tmp_path / "repository"), check=True)
        subprocess.run(("chmod", "-R", "g+rwX", tmp_path / "repository"), check=True)
    words += ["--repository", url]

    refused = mooring(home, *words)
    assert refused.returncode != 0
    assert ("MOOR-732" in refused.stdout) == (kind == "s3"), refused.stdout

    for key, value in keys.items():
        assert mooring(home, "secret", "set", "vault", key, stdin=value).returncode == 0
    done = mooring(home, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = json.loads(done.stdout.splitlines()[-1])
    assert (shown["name"], shown["phase"]) == ("shop", "Pending")
    operation = json.loads(mooring(home, "operations", "list", "-o", "json").stdout)
    assert [(one["type"], one["instance"], one["phase"]) for one in operation] == [("Restore", "shop", "Pending")]
    repositories = mooring(home, "repository", "list", "offsite", "-o", "json")
    assert snapshot.replace("-", "") in repositories.stdout.replace("-", ""), repositories.stdout
    for value in keys.values():
        assert value not in done.stdout + done.stderr
    left = docker("ps", "-aq", "--filter", f"label=dev.mooring.namespace=t{home.name[-12:]}")
    assert left == ""
    for volume in docker("volume", "ls", "-q", "--filter", f"label=dev.mooring.namespace=t{home.name[-12:]}").split():
        docker("volume", "rm", volume)
