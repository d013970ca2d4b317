# SPDX-License-Identifier: Apache-2.0
"""The targets that `-t` can name: a row each, imported when it is asked for.

A further target is a row here and in `drivers.settings.TARGETS`, and a module with the two functions of `Row`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast

from mooring.cli.errors import UnknownTarget
from mooring.targets.base import Target

if TYPE_CHECKING:
    from mooring.cli.context import App


class Row(Protocol):
    """What the module of a target has."""

    async def make_target(self, app: App) -> Target:
        """The target, by the settings and the environment.

        Raises:
            EngineUnreachable: nobody answers.
        """
        ...

    async def prepare(self, app: App) -> None:
        """Have there what Mooring's own tasks need, said before it takes time. Nothing where all is there."""
        ...


TABLE = {"docker": "mooring.cli.target_docker"}


def find_row(app: App) -> Row:
    """The row that -t names, else the configuration file.

    Raises:
        UnknownTarget: there is none of that name; says which there are.
    """
    name = app.options.target or app.settings.default_target
    if name not in TABLE:
        known = ", ".join(sorted(TABLE))
        raise UnknownTarget(
            f"There is no target {name!r} in this version of Mooring; there is: {known}.",
            resolution=f"Use -t with one of: {known}. Or leave -t out.",
        )
    return cast("Row", importlib.import_module(TABLE[name]))


async def make_target(app: App) -> Target:
    """See `Row.make_target`, of the row that is asked for."""
    return await find_row(app).make_target(app)


async def prepare(app: App) -> None:
    """See `Row.prepare`, of the row that is asked for."""
    await find_row(app).prepare(app)
