# SPDX-License-Identifier: Apache-2.0
"""What the commands on backup repositories share: find one, run a task on it, show snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mooring.cli.options import Options
from mooring.cli.output import mark_phase, render_bytes, render_table, style_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from mooring.domain.instance.repository import RepositoryAccess
    from mooring.domain.work.codec import Document


def ask_repository(options: Options, name: str, render: Callable[[RepositoryAccess], Document]) -> Mapping[str, Any]:
    """The result of a task on the repository `name` of the namespace in use.

    Args:
        render: makes the task's document.

    Raises:
        UnknownRepository: there is none of that name.
        RepositoryTaskFailed: in the task's own words.
    """
    from mooring.cli.context import App, run
    from mooring.control.repositories import find_repository
    from mooring.control.repository_tasks import run_repository_task

    async def work(app: App) -> Mapping[str, Any]:
        services = await app.services()
        access = await find_repository(services, options.place, name)
        return await run_repository_task(services, access, render(access), timeout_s=options.timeout_s)

    return run(options, work)


def render_snapshots(options: Options, rows: Sequence[Mapping[str, Any]]) -> str:
    """A table of snapshots, the newest first."""
    style = style_for(options)
    table = [
        (
            row["id"][:12],
            row["time"],
            f"{row['namespace']}/{row['name']}",
            mark_phase(style, row["state"]),
            row["series"],
            str(row["files"]),
            render_bytes(row["content"]),
            render_bytes(row["stored"]),
            " ".join(row["tags"]),
        )
        for row in rows
    ]
    head = ("SNAPSHOT", "TIME", "INSTANCE", "STATE", "ODOO", "FILES", "SIZE", "SENT", "TAGS")
    return render_table(head, table)
