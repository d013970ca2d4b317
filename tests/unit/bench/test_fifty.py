# SPDX-License-Identifier: Apache-2.0
"""Records of further instances differ from the real one's in what belongs to one instance, and in nothing else."""

from __future__ import annotations

from typing import Any

from bench.fifty import IMAGE, copy_operation, instance

from mooring.domain.instance.ledger import load_ledger
from mooring.domain.model.identity import Ref
from mooring.drivers.documents import Document

PINNED: dict[str, Any] = {
    "release": {"source": "odoo:14.0", "reference": "sha256:a", "digest": "sha256:a"},
    "facts": {
        "series": "14.0",
        "program": "/usr/bin/odoo",
        "uid": 101,
        "gid": 101,
        "core_addons": "/a",
        "python": "3.9",
    },
}
MODEL = Document(
    Ref("OdooInstance", "bench", "shop"),
    "one",
    meta={"createdAt": "2026-01-01T00:00:00+00:00"},
    spec={"image": "odoo:14.0", "workers": 0, "database": {"managed": {"version": 17}}},
    status={
        "phase": "Running",
        "ledger": {
            "state": "Running",
            "provisioned": "bench/shop (DatabaseServer)/bench_shop",
            "database": "bench_shop",
            "owner_version": "v1",
            "initialized": True,
            "wanted": "sha256:a",
            "runs": "sha256:a",
            "releases": {"sha256:a": PINNED},
            "done": ["x"],
        },
    },
)


def test_further_instance_uses_the_real_ones_server_and_a_database_of_its_own() -> None:
    made = instance(MODEL, "shop-02", image_id="sha256:b")

    ledger = made.status["ledger"]
    assert made.id != MODEL.id
    assert made.spec == {"image": IMAGE, "workers": 0, "database": {"server": "shop"}}
    assert ledger["provisioned"].startswith("bench/shop (DatabaseServer)/")
    assert ledger["provisioned"].endswith(ledger["database"])
    assert ledger["database"] != "bench_shop"
    assert ledger["runs"] == ledger["wanted"] == "sha256:b"
    assert set(ledger["releases"]) == {"sha256:b"}


def test_further_operation_is_for_the_further_instance() -> None:
    operation = Document(
        Ref("OdooOperation", "bench", "shop-init"),
        "op",
        spec={"type": "Init", "instanceRef": {"name": "shop"}},
        status={"phase": "Succeeded", "accepted": {"subject": {"ref": {"name": "shop", "kind": "OdooInstance"}}}},
    )

    made = copy_operation(operation, "shop-02", 0)

    assert made.ref.name == "shop-02-operation-0"
    assert made.spec["instanceRef"] == {"name": "shop-02"}
    assert made.status["accepted"]["subject"]["ref"]["name"] == "shop-02"


def test_further_instances_ledger_is_one_that_mooring_reads() -> None:
    ledger = load_ledger(instance(MODEL, "shop-02", image_id="sha256:b").status["ledger"])

    pinned = ledger.release(ledger.runs)
    assert ledger.initialized
    assert pinned is not None
    assert pinned.release.source == IMAGE
