# SPDX-License-Identifier: Apache-2.0
"""Runs the program in this process, on records in memory and a simulated target."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mooring.cli import context
from mooring.cli.context import App
from mooring.cli.main import main
from mooring.cli.options import Options
from mooring.control.operations import ALL_KINDS
from mooring.domain.model.identity import Ref
from mooring.drivers.documents import Document
from mooring.drivers.secret_files import SecretFiles
from mooring.drivers.settings import Settings
from mooring.drivers.state import StateDir
from mooring.targets.base import Target
from tests.support.memory_documents import MemoryDocuments
from tests.support.sim_clock import SimClock
from tests.support.sim_target import SimTarget
from tests.support.sim_world import SimWorld


@dataclass(frozen=True)
class Result:
    """What a command line came to."""

    code: int
    out: str
    err: str


class Program:
    """The program on one home.

    Attributes:
        documents: its records.
        target: what it acts on.
        clock: its time.
    """

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self.documents = MemoryDocuments()
        self.clock = SimClock()
        self.state = StateDir.open(home)
        self.secrets = SecretFiles(self.state.secrets)
        self.target = SimTarget(SimWorld(self.clock), secrets=self.secrets, installation=self.state.installation)
        self._capsys = capsys
        monkeypatch.setenv("MOORING_HOME", str(home))
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.delenv("CLICOLOR_FORCE", raising=False)
        monkeypatch.setattr(context, "open_app", self.open)

    def __call__(self, *arguments: str) -> Result:
        self._capsys.readouterr()
        code = main(arguments)
        shown = self._capsys.readouterr()
        return Result(code, shown.out, shown.err)

    def put(self, doc: Document, status: Mapping[str, Any] | None = None) -> None:
        """Have a record."""

        async def write() -> None:
            stored = await self.documents.put(doc, if_version=None)
            if status is not None:
                await self.documents.put_status(replace(stored, status=dict(status)), if_version=stored.version)

        asyncio.run(write())

    def get(self, kind: str, name: str, namespace: str = "default") -> Document | None:
        """The record as it is."""
        return asyncio.run(self.documents.get(Ref(kind, namespace, name)))

    def operations(self) -> list[Document]:
        """Every operation on record."""
        docs = [asyncio.run(self.documents.list(kind)) for kind in ALL_KINDS]
        return [one for some in docs for one in some]

    @contextlib.asynccontextmanager
    async def open(self, options: Options) -> AsyncIterator[App]:
        async def make(app: App) -> Target:
            del app
            return self.target

        yield App(
            options=options,
            state=self.state,
            settings=Settings(),
            documents=self.documents,
            secrets=self.secrets,
            clock=self.clock,
            progress=context.progress_for(options),
            make_target=make,
        )
