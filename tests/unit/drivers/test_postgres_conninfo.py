# SPDX-License-Identifier: Apache-2.0
"""Where a task connects to, and under which name it checks the server."""

from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from mooring.domain.work.common import Connection
from mooring.drivers.postgres import render_conninfo

BY_ADDRESS = Connection(host="192.0.2.7", port=6432, user="shop", password_file=None, sslmode="verify-full")


def test_address_that_a_target_stands_before_is_connected_to_elsewhere_and_checked_as_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGHOSTADDR", "10.213.0.62")
    found = conninfo_to_dict(render_conninfo(BY_ADDRESS, "shop", "verify"))
    assert (found["host"], found["hostaddr"], found["port"]) == ("192.0.2.7", "10.213.0.62", "6432")


def test_address_that_nobody_stands_before_is_connected_to_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGHOSTADDR", raising=False)
    assert "hostaddr" not in conninfo_to_dict(render_conninfo(BY_ADDRESS, "shop", "verify"))
