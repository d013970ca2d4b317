# SPDX-License-Identifier: Apache-2.0
"""Many instances without many Odoos: records copied from a real one, and an image whose `odoo` only pretends.

The records say that each is initialized and runs; the pretended Odoo answers the probes of web and cron and does nothing
else. For the agent and the engine that is a real load: real containers, networks, volumes, files and probes.
"""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

from bench.place import SPEC, Place
from mooring.control.services import new_id
from mooring.domain.model.identity import Identity, Ref, child
from mooring.domain.postgres.names import default_database_name
from mooring.drivers.clock import SystemClock
from mooring.drivers.documents import Document
from mooring.drivers.sqlite_documents import SqliteDocuments
from mooring.targets.docker.labels import owner_labels

IMAGE = "mooring-bench-odoo:1"
# An instance whose data is not there is never made anew.
FILESTORE = "filestore"
# What a year of weekly upgrades and a few verbs leave behind, where nobody sets ttlAfterFinished.
OLD_OPERATIONS = 40
INSTANCE = "OdooInstance"
# Web answers every request with 200; cron holds a connection to PostgreSQL, by which its probe knows it.
PRETENDER = """#!/usr/bin/python3
import configparser, http.server, signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
conf = configparser.RawConfigParser()
conf.read([one.partition("=")[2] for one in sys.argv if one.startswith("--config=")])
if "--no-http" in sys.argv:
    link = socket.create_connection((conf["options"]["db_host"], int(conf["options"]["db_port"])))
    while True:
        # PostgreSQL ends a connection that does not log in after a minute.
        try:
            link.settimeout(30)
            if not link.recv(1):
                link = socket.create_connection(link.getpeername())
        except OSError:
            link = socket.create_connection((conf["options"]["db_host"], int(conf["options"]["db_port"])))


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"login")

    def log_message(self, *_):
        pass


http.server.HTTPServer(("0.0.0.0", 8069), Page).serve_forever()
"""


def build_image(engine: Any) -> str:
    """The image of the pretended Odoo; its id."""
    packed = io.BytesIO()
    recipe = f"FROM {SPEC['image']}\nCOPY odoo /usr/bin/odoo\n"
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text, mode in (("Dockerfile", recipe, 0o644), ("odoo", PRETENDER, 0o755)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), mode
            archive.addfile(entry, io.BytesIO(text.encode()))
    for line in engine.build(
        fileobj=io.BytesIO(packed.getvalue()), custom_context=True, tag=IMAGE, decode=True, rm=True
    ):
        if "error" in line:
            raise RuntimeError(line["error"])
    return str(engine.inspect_image(IMAGE)["Id"])


def add_instances(place: Place, name: str, *, count: int, image_id: str) -> tuple[str, ...]:
    """Records for instances 2 to `count`, made from the one called `name`, and their empty volumes; their names."""
    return asyncio.run(_add(place, name, count=count, image_id=image_id))


def phases(place: Place) -> dict[str, str]:
    """Name → phase of every instance of the place."""
    return {doc.ref.name: str(doc.status.get("phase")) for doc in asyncio.run(_list(place))}


async def _list(place: Place) -> list[Document]:
    documents = await SqliteDocuments.open(place.home / "state.db", clock=SystemClock())
    try:
        return list(await documents.list(INSTANCE))
    finally:
        await documents.close()


async def _add(place: Place, name: str, *, count: int, image_id: str) -> tuple[str, ...]:
    documents = await SqliteDocuments.open(place.home / "state.db", clock=SystemClock())
    try:
        model = next(one for one in await documents.list(INSTANCE) if one.ref.name == name)
        operations = [
            one
            for one in await documents.list()
            if one.spec.get("instanceRef", {}).get("name") == name and one.ref.namespace == model.ref.namespace
        ]
        names = tuple(f"shop-{number:02}" for number in range(2, count + 1))
        for one in names:
            made = instance(model, one, image_id=image_id)
            await _put(documents, made)
            labels = owner_labels(made.ref, Identity(place.installation, made.id), FILESTORE)
            place.engine.create_volume(child(made.ref, FILESTORE), labels=labels)
            for number in range(OLD_OPERATIONS):
                await _put(documents, copy_operation(operations[number % len(operations)], one, number))
        return names
    finally:
        await documents.close()


async def _put(documents: SqliteDocuments, doc: Document) -> None:
    stored = await documents.put(doc, if_version=None)
    await documents.put_status(
        Document(stored.ref, stored.id, stored.generation, stored.version, stored.meta, stored.spec, doc.status, None),
        if_version=stored.version,
    )


def instance(model: Document, name: str, *, image_id: str) -> Document:
    """A further instance: on the real one's server, with a database that nobody asks for."""
    ref = Ref(INSTANCE, model.ref.namespace, name)
    spec = {**model.spec, "image": IMAGE, "database": {"server": model.ref.name}}
    database = default_database_name(namespace=ref.namespace, name=name)
    old = model.status["ledger"]
    (pinned,) = old["releases"].values()
    release = {**pinned["release"], "source": IMAGE, "reference": image_id, "digest": image_id}
    ledger = {
        **old,
        "database": database,
        "provisioned": f"{old['provisioned'].rpartition('/')[0]}/{database}",
        "owner_version": "",  # the server knows no such role
        "wanted_source": IMAGE,
        "wanted": image_id,
        "runs": image_id,
        "releases": {image_id: {**pinned, "release": release}},
        "done": [],
    }
    status = {**model.status, "ledger": ledger, "observedGeneration": 1}
    return Document(ref, new_id(), meta=dict(model.meta), spec=spec, status=status)


def copy_operation(model: Document, name: str, number: int) -> Document:
    """An operation that ended, of a further instance."""
    ref = Ref(model.ref.kind, model.ref.namespace, f"{name}-operation-{number}")
    text = json.dumps([model.spec, model.status]).replace(
        f'"name": "{model.spec["instanceRef"]["name"]}"', f'"name": "{name}"'
    )
    spec: Mapping[str, Any]
    status: Mapping[str, Any]
    spec, status = json.loads(text)
    return Document(ref, new_id(), meta=dict(model.meta), spec=spec, status=status)
