# SPDX-License-Identifier: Apache-2.0
"""Add-ons of others with a real Odoo: the OCA's from the release's image, one's own from a folder of this machine."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from tests.conformance.odoo_client import Odoo

pytestmark = [pytest.mark.real, pytest.mark.full]

MOORING = Path(sys.executable).with_name("mooring")
NAME, OCA, OWN = "shop", ("date_range", "partner_firstname"), "mooring_shelf"
APPLY_S = 900
WORD = "served from a folder of the machine"
MODULE = {
    "__init__.py": "from . import controllers\n",
    "__manifest__.py": '{"name": "Shelf", "version": "14.0.1.0.0", "license": "LGPL-3", "depends": ["web"]}\n',
    "controllers.py": f"""from odoo import http


class Shelf(http.Controller):
    @http.route("/{OWN}/word", type="http", auth="none")
    def word(self):
        return "{WORD}"
""",
}


@dataclass(frozen=True)
class Person:
    """Somebody with a state directory and a namespace of their own."""

    folder: Path
    namespace: str

    def mooring(self, *arguments: str) -> str:
        """Run the real program; what it printed."""
        environ = {**os.environ, "MOORING_HOME": str(self.folder / "state"), "XDG_CONFIG_HOME": str(self.folder)}
        done = subprocess.run(
            [str(MOORING), "-n", self.namespace, *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=APPLY_S,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout.strip()


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    namespace = f"oca-{secrets.token_hex(4)}"
    yield Person(tmp_path, namespace)
    client = docker.from_env()
    mine: dict[str, str | list[str] | bool] = {"label": f"dev.mooring.namespace={namespace}"}
    try:
        for container in client.containers.list(all=True, filters=mine):
            container.remove(force=True)
        for volume in client.volumes.list(filters=mine):
            volume.remove(force=True)
        for network in client.networks.list(filters=mine):
            network.remove()
    finally:
        client.close()


def write_module(folder: Path) -> Path:
    """A folder of add-ons with one's own module."""
    module = folder / "addons" / OWN
    module.mkdir(parents=True)
    for name, text in MODULE.items():
        (module / name).write_text(text)
    return module.parent


def test_addons_of_the_oca_and_of_a_folder_of_the_machine_are_installed_and_served(person: Person) -> None:
    manifest = person.folder / "shop.json"
    spec = {
        "image": "odoo:14.0-oca",
        "workers": 0,
        "resources": {"cpu": "2", "memory": "1Gi"},
        "addons": [{"path": str(write_module(person.folder))}],
        "init": {"modules": [*OCA, OWN]},
    }
    document = {"apiVersion": "mooring.dev/v1alpha1", "kind": "OdooInstance", "metadata": {"name": NAME}, "spec": spec}
    manifest.write_text(json.dumps(document))

    person.mooring("apply", "-f", str(manifest))

    found = json.loads(person.mooring("list", "--instances", "-o", "json"))
    url = next(one["url"] for one in found if one["name"] == NAME).rstrip("/")
    database = json.loads(person.mooring("status", NAME, "-o", "json"))["database"]["name"]
    password = person.mooring("secret", "show", f"{NAME}-odoo", "admin-password")
    odoo = Odoo(url, database, password)
    assert odoo.answers()
    assert odoo.get(f"/{OWN}/word") == (200, WORD)
    rows = odoo.call("ir.module.module", "search_read", [["name", "in", [*OCA, OWN]]], ["name", "state"])
    assert {row["name"]: row["state"] for row in rows} == dict.fromkeys((*OCA, OWN), "installed")
    # They work, too: one splits the names of people, the other has a model of its own.
    partner = odoo.call("res.partner", "create", {"firstname": "Ada", "lastname": "Byron"})
    (named,) = odoo.call("res.partner", "read", [partner], ["name"])
    assert set(named["name"].split()) == {"Ada", "Byron"}
    assert odoo.call("date.range.type", "create", {"name": "Quarter"}) > 0
