# SPDX-License-Identifier: Apache-2.0
"""Promises about copies of running instances: they are neutral, they are their own, and their source never notices."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from mooring.control.errors import OperationFailed
from mooring.domain.instance.module_tasks import HASH
from mooring.domain.instance.tasks import generated_secret
from mooring.domain.operations.refresh import BUILD, BUILD_FILES
from tests.conformance.odoo_client import Odoo
from tests.conformance.world import NEXT, Instance, World

pytestmark = pytest.mark.real
ATTACHMENTS = 300


def fill(odoo: Odoo) -> None:
    """Attachments with files of their own, and a server that would send mail."""
    content = [base64.b64encode(f"attachment {number} ".encode() * 50).decode() for number in range(ATTACHMENTS)]
    odoo.call("ir.attachment", "create", [{"name": f"a{number}", "datas": one} for number, one in enumerate(content)])
    odoo.call("ir.mail_server", "create", {"name": "out", "smtp_host": "mail.example.com"})


def count(odoo: Odoo, model: str, **wanted: Any) -> int:
    """Rows with these values."""
    return int(odoo.call(model, "search_count", [[key, "=", value] for key, value in wanted.items()]))


def alive(odoo: Odoo) -> Mapping[str, Any]:
    """What would act on the world, and who this says that it is."""
    servers = odoo.call("ir.mail_server", "search_read", [["active", "=", True]], ["smtp_host"])
    return {
        "mail servers": [one["smtp_host"] for one in servers],
        "uuid": odoo.parameter("database.uuid"),
    }


def test_refresh_of_a_staging_copy(world: World) -> None:
    """A staging copy begins as its running source's neutral data, and a refresh renews it; the source never notices."""
    live = world.instance("live").apply()
    fill(live.odoo)
    first = live.odoo.plant("before the copy")
    before, web = alive(live.odoo), live.processes("web")
    assert before["mail servers"] == ["mail.example.com"]

    staging = world.instance("staging", stagingOf={"name": "live"}).apply()
    assert staging.phase == "Running"
    assert staging.operations("Init") == []
    staging.odoo.check(first)
    after = alive(staging.odoo)
    assert "mail.example.com" not in after["mail servers"]  # the sink's may be there
    assert after["uuid"] != before["uuid"]
    (files,) = staging.results("Refresh", BUILD_FILES)
    assert files["copied"] >= ATTACHMENTS
    assert (files["linked"], files["absent"], files["damaged"]) == (0, 0, [])
    assert count(staging.odoo, "ir.attachment", name="a0") == 1

    password = world.read_secret(generated_secret(staging.ref, "database"), "password")
    assert "connected" in staging.connect(password)
    assert "permission denied" in staging.connect(password, database=live.database)
    assert (alive(live.odoo), live.processes("web")) == (before, web)

    second = live.odoo.plant("after the copy")
    mine = staging.odoo.plant("of staging")
    staging.ask("OdooStagingRefreshJob")
    assert staging.operations("Refresh")[-1][1] == "Succeeded", staging.failure("Refresh")
    staging.odoo.check(first)
    staging.odoo.check(second)
    assert staging.odoo.lacks(mine)
    again = staging.results("Refresh", BUILD_FILES)[-1]
    assert again["copied"] == 1  # what was planted since
    staging.ask("OdooStagingRefreshJob")
    assert staging.results("Refresh", BUILD_FILES)[-1]["copied"] == 0
    assert staging.results("Refresh", BUILD)[-1]["origin"] == document_id(live)
    assert (alive(live.odoo), live.processes("web")) == (before, web)

    staging.ask("Rollback")
    staging.odoo.check(second)
    for one in (staging, live):
        one.delete(purge=True)


@pytest.mark.full
def test_refresh_between_releases(world: World) -> None:
    """A refresh into a newer release updates the modules whose files differ, and no other; into an older one it is refused."""
    live = world.instance("onward").apply()
    planted = live.odoo.plant("before the copy")
    staging = world.instance("ahead", image=NEXT, stagingOf={"name": "onward"}).apply()
    staging.odoo.check(planted)
    assert (staging.odoo.version(), live.odoo.version()) == ("14.0.1.1.0", "14.0.1.0.0")
    (found,) = staging.results("Refresh", HASH)
    assert found["update"] == ["mooring_demo"]

    live = live.apply(image=NEXT)
    staging.ask("OdooStagingRefreshJob")
    assert staging.operations("Refresh")[-1][1] == "Succeeded", staging.failure("Refresh")
    assert len(staging.results("Refresh", HASH)) == 1  # nothing to find out: it is the same release

    behind = world.instance("behind", stagingOf={"name": "onward"})
    with pytest.raises(OperationFailed, match="newer release"):
        behind.apply()
    assert behind.failure("Refresh")["code"] == "MOOR-644"
    assert behind.processes() == []
    assert live.odoo.version() == "14.0.1.1.0"
    for one in (behind, staging, live):
        one.delete(purge=True)


def document_id(instance: Instance) -> str:
    """The instance's id."""
    doc = instance.document
    assert doc is not None
    return doc.id
