# SPDX-License-Identifier: Apache-2.0
"""Builds what a command works with, from options, environment and configuration file, and closes it again.

`run` is the one way from a command into asyncio. The target is made only when a command asks for it: looking at records
needs no engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from mooring.cli.logs import setup_logging
from mooring.cli.options import Options
from mooring.cli.progress import REFRESH_S, Progress, make_progress
from mooring.cli.style import decide_colour
from mooring.cli.targets import make_target, prepare
from mooring.control.events import Listener
from mooring.control.services import Defaults, Services
from mooring.drivers.clock import Clock, SystemClock
from mooring.drivers.documents import Documents
from mooring.drivers.locks import FileLocks
from mooring.drivers.secret_files import SecretFiles
from mooring.drivers.settings import Settings, default_settings_path, load_settings
from mooring.drivers.state import StateDir, default_state_dir
from mooring.targets.base import Target

T = TypeVar("T")


class App:
    """The records of this machine, and what acts on them.

    Attributes:
        options: of the command line.
        state: the state directory.
        settings: of the configuration file.
        documents: all records.
        secrets: the store of secrets.
        clock: time.
        progress: where words and events go.
    """

    def __init__(
        self,
        *,
        options: Options,
        state: StateDir,
        settings: Settings,
        documents: Documents,
        secrets: SecretFiles,
        clock: Clock,
        progress: Progress,
        make_target: Callable[[App], Awaitable[Target]],
        prepare: Callable[[App], Awaitable[None]] | None = None,
    ) -> None:
        self.options = options
        self.state = state
        self.settings = settings
        self.documents = documents
        self.secrets = secrets
        self.clock = clock
        self.progress = progress
        self._make_target = make_target
        self._prepare = prepare
        self._target: Target | None = None

    async def target(self) -> Target:
        """The target, made at the first call.

        Raises:
            UnknownTarget: -t or the configuration names none that there is.
            EngineUnreachable: no engine answers.
        """
        if self._target is None:
            self._target = await self._make_target(self)
        return self._target

    async def prepare(self) -> None:
        """Have on the target what Mooring's own tasks need, said before it takes time. Nothing where all is there.

        Raises:
            EngineImageUnavailable: the target is an engine that has no engine image, and no way to have it worked.
        """
        if self._prepare is not None:
            await self._prepare(self)

    async def services(self, *, listener: Listener | None = None) -> Services:
        """What control works with; events go to the progress unless `listener` is given.

        Raises:
            UnknownTarget, EngineUnreachable: as `target`.
        """
        defaults = Defaults(image=self.settings.defaults.image) if self.settings.defaults.image else Defaults()
        return Services(
            documents=self.documents,
            secrets=self.secrets,
            target=await self.target(),
            clock=self.clock,
            installation=self.state.installation,
            locks=FileLocks(self.state.locks),
            defaults=defaults,
            listener=listener or self.progress,
            machine=os.uname().nodename,
        )

    async def become(self, installation: str) -> None:
        """Step in for another installation; the target is made anew at its next use.

        Raises:
            StateCorrupt, NotWritable: as `StateDir.adopt_installation`.
        """
        self.state = self.state.adopt_installation(installation)
        target, self._target = self._target, None
        if target is not None:
            await target.close()

    async def close(self) -> None:
        """Release everything; safe to repeat."""
        target, self._target = self._target, None
        if target is not None:
            await target.close()
        await self.documents.close()


def run(options: Options, work: Callable[[App], Awaitable[T]]) -> T:
    """Open, work, close; what `work` returned.

    Raises:
        MooringError: whatever `work` raises.
        KeyboardInterrupt: after closing.
    """
    setup_logging(options)
    return asyncio.run(_run(options, work))


async def _run(options: Options, work: Callable[[App], Awaitable[T]]) -> T:
    async with open_app(options) as app:
        ticker = asyncio.create_task(_tick(app.progress))
        try:
            return await work(app)
        finally:
            ticker.cancel()
            app.progress.close()


async def _tick(progress: Progress) -> None:
    while True:
        await asyncio.sleep(REFRESH_S)
        progress.tick()


@contextlib.asynccontextmanager
async def open_app(options: Options) -> AsyncIterator[App]:
    """The records, open; closed at the end of the block.

    Raises:
        NotWritable, StateTooNew, StateCorrupt, BadSettings: of the state directory and the configuration file.
    """
    from mooring.drivers.sqlite_documents import SqliteDocuments

    clock = SystemClock()
    settings = load_settings(default_settings_path(options.environ, os.geteuid()))
    state = StateDir.open(home_of(options))
    documents = await SqliteDocuments.open(state.documents, clock=clock)
    app = App(
        options=options,
        state=state,
        settings=settings,
        documents=documents,
        secrets=SecretFiles(state.secrets),
        clock=clock,
        progress=progress_for(options),
        make_target=make_target,
        prepare=prepare,
    )
    try:
        yield app
    finally:
        await app.close()


def home_of(options: Options) -> Path:
    """The state directory: --home, else by the rule.

    Raises:
        NoHome: neither says where.
    """
    return options.home or default_state_dir(options.environ, os.geteuid())


def progress_for(options: Options) -> Progress:
    """Where events go."""
    terminal = sys.stderr.isatty()
    return make_progress(
        output=options.output,
        colour=decide_colour(options.environ, terminal=terminal),
        terminal=terminal and options.environ.get("TERM") != "dumb",
        columns=shutil.get_terminal_size().columns,
    )
