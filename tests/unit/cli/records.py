# SPDX-License-Identifier: Apache-2.0
"""Records of an instance that runs, as tests of commands put them beside the program."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from mooring.domain.instance.ledger import Ledger
from mooring.domain.instance.subject import PinnedRelease
from mooring.domain.lifecycle import State
from mooring.domain.model.identity import Ref
from mooring.domain.model.release import ReleaseFacts, ResolvedRelease
from mooring.drivers.documents import Document
from tests.support.sim_clock import START

CREATED = (START - timedelta(hours=3)).isoformat()


def running(name: str = "shop", namespace: str = "default", **status: Any) -> tuple[Document, dict[str, Any]]:
    doc = Document(
        Ref("OdooInstance", namespace, name), "0123456789", meta={"createdAt": CREATED}, spec={"image": "odoo:14.0"}
    )
    return doc, {
        "phase": "Running",
        "environment": "Production",
        "observedGeneration": 1,
        "url": f"http://{name}.example.com",
        "release": {"image": "odoo:14.0", "digest": "sha256:1", "version": "14.0"},
        "database": {"server": "default", "name": name},
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Running",
                "message": "Every replica answers.",
                "lastTransitionTime": "2026-01-05T07:00:00Z",
                "observedGeneration": 1,
            }
        ],
        **status,
    }


def pinned(source: str, digest: str) -> PinnedRelease:
    facts = ReleaseFacts("14.0", 101, 101, "/usr/lib/python3/dist-packages/odoo/addons", "/usr/bin/odoo", "3.9")
    return PinnedRelease(ResolvedRelease(source, source, digest), facts)


def ledger_of(name: str = "shop", *, environment: str = "Production", **changes: Any) -> Ledger:
    """The ledger of an instance that was initialized with the release `sha256:1`, and runs."""
    return Ledger(
        state=State.RUNNING,
        environment=environment,
        database=f"default_{name}",
        provisioned=f"DatabaseServer default/default/default_{name}",
        initialized=True,
        runs="sha256:1",
        releases={"sha256:1": pinned("odoo:14.0", "sha256:1")},
        **changes,
    )
