# SPDX-License-Identifier: Apache-2.0
"""The comment that says which database is what, and the same record beside a filestore. Pure.

A comment follows its database through a rename, so it and never the name says whose data it is:
    {"mooring": 1, "instance": ID, "role": "current", "operation": …, "steps": {TASK: attempt}, "at": …, "returned": …,
     "about": {…}}
`steps` remembers the highest attempt of each task of `operation`; a lower one is refused.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mooring.domain.work.common import Fence
from mooring.domain.work.errors import StaleAttempt
from mooring.domain.work.results import Mark

FORMAT = 1


@dataclass(frozen=True)
class DataMark:
    """What stands on data.

    Attributes:
        instance: id of the instance.
        role: current, previous, building, safety, template.
        operation: the last one that worked on it.
        steps: highest attempt seen, by task name.
        at: when the role was written, ISO 8601 in UTC.
        returned: operation whose safety copy this was before it became current again.
        about: of a template: what went into it.
    """

    instance: str
    role: str
    operation: str | None = None
    steps: Mapping[str, int] = field(default_factory=dict)
    at: str | None = None
    returned: str | None = None
    about: Mapping[str, str] = field(default_factory=dict)

    def fact(self) -> Mark:
        """What others need of it."""
        return Mark(instance=self.instance, role=self.role, operation=self.operation, at=self.at)


def parse_mark(text: str | None) -> DataMark | None:
    """Our comment, or None for no comment, a stranger's, or one of a format that this program does not know."""
    try:
        value: Any = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("mooring") != FORMAT:
        return None
    instance, role = value.get("instance"), value.get("role")
    if not isinstance(instance, str) or not isinstance(role, str):
        return None
    steps = value.get("steps")
    known = {str(key): item for key, item in steps.items() if isinstance(item, int)} if isinstance(steps, dict) else {}
    about = value.get("about")
    return DataMark(
        instance,
        role,
        _text(value, "operation"),
        known,
        at=_text(value, "at"),
        returned=_text(value, "returned"),
        about={str(key): str(item) for key, item in about.items()} if isinstance(about, dict) else {},
    )


def render_mark(mark: DataMark) -> str:
    """The comment's text; keys in a fixed order, empty ones left out."""
    given = {key: item for key, item in dataclasses.asdict(mark).items() if item}
    return json.dumps({"mooring": FORMAT, **given})


def decide_fence(mark: DataMark | None, fence: Fence, task: str) -> tuple[str, dict[str, int]]:
    """The operation and attempts to remember now.

    Raises:
        StaleAttempt: a higher attempt of this task of this operation has been here.
    """
    seen = dict(mark.steps) if mark and mark.operation == fence.operation else {}
    if seen.get(task, 0) > fence.attempt:
        raise StaleAttempt(
            f"Attempt {fence.attempt} of {task} for operation {fence.operation} came after attempt {seen[task]}."
        )
    return fence.operation, {**seen, task: fence.attempt}


def _text(value: Mapping[str, Any], key: str) -> str | None:
    item = value.get(key)
    return item if isinstance(item, str) else None
