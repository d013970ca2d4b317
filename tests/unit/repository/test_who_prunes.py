# SPDX-License-Identifier: Apache-2.0
"""Who prunes where the store cannot refuse a write: the machine that is named, else the installation that made it all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mooring.domain.work.repository import RepositorySettings
from mooring.engine.repository.opened import may_prune
from tests.support.repositories import memory_repository


@pytest.mark.parametrize(
    ("named", "machine", "client", "may"),
    [
        pytest.param("backup-1", "backup-1", "id-a", True, id="the machine that is named"),
        pytest.param("backup-1", "backup-2", "maker", False, id="another machine, also the maker's"),
        pytest.param("id-a", "backup-2", "id-a", True, id="the installation that is named"),
        pytest.param("backup-1", "", "", False, id="a machine without a name"),
        pytest.param(None, "backup-2", "maker", True, id="nobody named: the maker"),
        pytest.param(None, "backup-2", "id-a", False, id="nobody named: not the maker"),
        pytest.param(None, "", "", False, id="nobody named, nobody asks"),
    ],
)
def test_one_client_may_prune(named: str | None, machine: str, client: str, *, may: bool) -> None:
    config = replace(memory_repository().config, made_by="maker")
    settings = RepositorySettings("file:///x", client=client, machine=machine, prune_host=named)
    assert may_prune(settings, config) is may
