# SPDX-License-Identifier: Apache-2.0
"""How replicas are counted, and releases named."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mooring.domain.model.identity import Ref
from mooring.domain.model.observed import Observed, Replica, WorkloadSeen
from mooring.domain.model.release import Release

UP = Replica("web-0", running=True, ready=True)
SILENT = Replica("web-1", running=True, ready=False)
DEAD = Replica("web-2", running=False, ready=True, exit_code=1)


def test_workload_counts_as_ready_only_what_runs_and_answers() -> None:
    seen = WorkloadSeen("web", (UP, SILENT, DEAD))
    assert (seen.running, seen.ready) == (2, 1)


def test_observed_unknown_workload_is_empty() -> None:
    seen = Observed(Ref("OdooInstance", "default", "shop"), datetime(2026, 1, 1, tzinfo=UTC))
    assert seen.workload("web") == WorkloadSeen("web", ())


@pytest.mark.parametrize(
    ("release", "display"),
    [
        pytest.param(Release(image="odoo:14.0"), "odoo:14.0", id="image"),
        pytest.param(Release(git_repository="https://a/b", git_ref="main"), "https://a/b@main", id="git"),
    ],
)
def test_release_is_called_what_people_wrote(release: Release, display: str) -> None:
    assert release.display == display
