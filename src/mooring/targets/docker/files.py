# SPDX-License-Identifier: Apache-2.0
"""An instance as files for Compose or Quadlet: what the target is told, turned into text.

Changes nothing that runs. Secrets are read only when the files are to be written. Called by `mooring render`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mooring.domain.model.desired import Desired, File
from mooring.domain.model.identity import Ref
from mooring.targets.base import SecretReader
from mooring.targets.docker.compose import ENVIRONMENT, NAME, render_compose, render_environment
from mooring.targets.docker.files_readme import render_readme
from mooring.targets.docker.options import DockerOptions
from mooring.targets.docker.quadlet import render_quadlet
from mooring.targets.docker.rendering import (
    Stack,
    StackFolder,
    decide_stack,
    has_secrets,
    render_holes,
    stack_files,
    stack_folders,
)

Format = Literal["compose", "quadlet"]
README = "README.txt"


@dataclass(frozen=True)
class RenderedFile:
    """A file to write.

    Attributes:
        path: relative to the folder.
        uid: owner; None is whoever writes it.
        gid: group; None is that of whoever writes it.
    """

    path: str
    content: bytes
    mode: int = 0o644
    uid: int | None = None
    gid: int | None = None


@dataclass(frozen=True)
class Rendering:
    """An instance as files.

    Attributes:
        files: the text for Compose or Podman first, then what it mounts.
        folders: add-ons, copied beside it.
        holes: whether secrets are left out.
        notes: what the user should know, one sentence each.
    """

    ref: Ref
    stack: Stack
    files: tuple[RenderedFile, ...]
    folders: tuple[StackFolder, ...]
    holes: bool
    notes: tuple[str, ...] = ()


async def render_files(
    instance: Desired,
    server: Desired | None,
    options: DockerOptions,
    *,
    ports: Mapping[str, int],
    form: Format,
    secrets: SecretReader | None,
    notes: tuple[str, ...] = (),
) -> Rendering:
    """An instance, with its managed server, as files.

    Args:
        instance: what is wanted of it.
        server: what is wanted of its server; None for one that others run.
        options: settings of the Docker target.
        ports: endpoint → port that it publishes.
        form: what to write for.
        secrets: where their values come from; None leaves holes.
        notes: what the user should know, besides what is found here.

    Raises:
        PortUnknown: it has no address yet.
        NotRenderable, SiteRefused: something in it cannot be written.
        MissingSecret: a secret that it needs is not there.
    """
    stack = decide_stack(instance, server, options, ports=ports)
    texts = _texts(stack, options, form)
    contents = [(one, await _content(secrets, one.file)) for one in stack_files(stack)]
    readme = render_readme(stack, form=form, texts=tuple(texts))
    files = (
        *(RenderedFile(name, text.encode()) for name, text in texts.items()),
        *(RenderedFile(one.path, data, one.file.mode, one.file.uid, one.file.gid) for one, data in contents),
        RenderedFile(README, readme.encode()),
    )
    return Rendering(instance.ref, stack, files, stack_folders(stack), has_secrets(stack) and secrets is None, notes)


def _texts(stack: Stack, options: DockerOptions, form: Format) -> dict[str, str]:
    if form == "compose":
        return {NAME: render_compose(stack, options), ENVIRONMENT: render_environment(stack)}
    return render_quadlet(stack, options)


async def _content(secrets: SecretReader | None, file: File) -> bytes:
    if secrets is None:
        return render_holes(file).encode()
    parts = [part if isinstance(part, str) else (await secrets.value(part)).reveal() for part in file.parts]
    return "".join(parts).encode()


__all__ = ["Format", "RenderedFile", "Rendering", "render_files"]
