# SPDX-License-Identifier: Apache-2.0
"""Which snapshots a manifest keeps, in the words of the tasks. Pure."""

from __future__ import annotations

from mooring.api.common import Retention
from mooring.domain.work.repository_work import KeepRule


def keep_rule(given: Retention, time_zone: str) -> KeepRule:
    """The rule of a manifest; days begin at midnight of `time_zone`."""
    return KeepRule(
        last=given.last,
        hourly=given.hourly,
        daily=given.daily,
        weekly=given.weekly,
        monthly=given.monthly,
        yearly=given.yearly,
        within_s=int(given.within.seconds) if given.within is not None else None,
        time_zone=time_zone,
    )
