# SPDX-License-Identifier: Apache-2.0
"""Promises of an instance that runs: it comes up, serves, follows its manifest, and is kept in shape."""

from __future__ import annotations

import pytest

from tests.conformance.odoo_client import Odoo
from tests.conformance.world import Instance

pytestmark = pytest.mark.real


def test_bring_up(shop: Instance) -> None:
    """From a manifest alone to a running Odoo with its database."""
    assert shop.phase == "Running"
    assert sorted(one.role for one in shop.processes()) == ["cron", "web"]
    assert ("Init", "Succeeded") in shop.operations()


def test_log_in(odoo: Odoo) -> None:
    """The administrator logs in over HTTP with the chosen password, and with no other."""
    assert odoo.get("/web/login")[0] == 200
    assert odoo.authenticate() == 2
    assert Odoo(odoo.url, odoo.database, "admin").authenticate() == 0
