# SPDX-License-Identifier: Apache-2.0
"""An instance as files for Compose or Quadlet: what is recorded of it, decided as the target is told, turned into text.

Changes nothing that runs. Secrets are read only when the files are to be written. Called by `mooring render`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from mooring.api.instance import OdooInstanceSpec
from mooring.control.releases import check_version
from mooring.control.render_readme import render_readme
from mooring.control.servers import find_existing_server, server_desired
from mooring.control.services import Services
from mooring.control.subjects import describe_subject
from mooring.domain.instance.desired import decide_desired
from mooring.domain.instance.ledger import load_ledger
from mooring.domain.lifecycle import State, output
from mooring.domain.model.desired import Desired, File
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.operations.plan import NO_HOLD
from mooring.drivers.documents import Document
from mooring.errors import ConflictError, Retry
from mooring.targets.docker.compose import ENVIRONMENT, NAME, render_compose, render_environment
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


class NotApplied(ConflictError):
    """What the instance runs is not known yet: its image, or its server's, was never asked what it is."""

    code = "MOOR-347"
    reason = "NotApplied"
    retry = Retry.NEVER
    default_resolution = "Run `mooring apply -f FILE` first: it gets the images and learns what they are."


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


async def render_instance(
    services: Services, options: DockerOptions, doc: Document, *, form: Format, secrets: bool
) -> Rendering:
    """The instance of a record, which may differ from the stored one in its spec.

    Args:
        services: what is outside.
        options: settings of the Docker target.
        doc: the record.
        form: what to write for.
        secrets: read them, instead of leaving holes.

    Raises:
        NotApplied: its release, its server or its server's image is not known.
        PortUnknown: it has no address yet.
        NotRenderable, SiteRefused: something in it cannot be written.
        MissingSecret: a secret that it needs is not there.
    """
    instance, server, notes = await _decide(services, doc)
    stack = decide_stack(instance, server, options, ports=await _ports(services, doc))
    texts = _texts(stack, options, form)
    contents = [(one, await _content(services, one.file, secrets=secrets)) for one in stack_files(stack)]
    readme = render_readme(stack, form=form, texts=tuple(texts))
    files = (
        *(RenderedFile(name, text.encode()) for name, text in texts.items()),
        *(RenderedFile(one.path, data, one.file.mode, one.file.uid, one.file.gid) for one, data in contents),
        RenderedFile(README, readme.encode()),
    )
    return Rendering(doc.ref, stack, files, stack_folders(stack), has_secrets(stack) and not secrets, notes)


async def _decide(services: Services, doc: Document) -> tuple[Desired, Desired | None, tuple[str, ...]]:
    ref, spec = doc.ref, OdooInstanceSpec.model_validate(doc.spec)
    existing = await services.documents.get(ref)
    ledger = load_ledger(existing.status.get("ledger") if existing else None)
    release = ledger.release(ledger.runs) or ledger.release(ledger.wanted)
    if release is None:
        raise NotApplied(f"Nobody has asked yet what the image of {ref} is.")
    check_version(spec, release)
    where = await find_existing_server(services, ref, spec)
    if where is None and spec.database.external is None:
        raise NotApplied(f"The database server of {ref} does not exist yet.")
    identity = Identity(services.installation, doc.id)
    subject, notes = await describe_subject(services, ref, identity, spec, ledger, release, where)
    server = await server_desired(services, where) if where is not None and subject.server.managed else None
    if server is None and subject.server.managed:
        raise NotApplied(f"Nobody has asked yet what the image of {where} is.")
    wanted = spec.image or services.defaults.image
    if wanted != release.release.source:
        notes += (f"The manifest names {wanted}; written is {release.release.source}, which the data belongs to.",)
    if not ledger.initialized:
        notes += (f"The database of {ref} is not initialized yet: finish `mooring apply` before you start this.",)
    return decide_desired(subject, output(State.RUNNING), NO_HOLD), server, notes


async def _ports(services: Services, doc: Document) -> Mapping[str, int]:
    """What the endpoints publish: as it is now, else as it is on record."""
    seen = await services.target.observe(doc.ref)
    found = {name: one.port for name, one in seen.endpoints.items() if one.port}
    existing = await services.documents.get(doc.ref)
    known = urlsplit(str((existing.status.get("url") if existing else None) or ""))
    if known.hostname == "127.0.0.1" and known.port:
        found.setdefault("http", known.port)
    return found


def _texts(stack: Stack, options: DockerOptions, form: Format) -> dict[str, str]:
    if form == "compose":
        return {NAME: render_compose(stack, options), ENVIRONMENT: render_environment(stack)}
    return render_quadlet(stack, options)


async def _content(services: Services, file: File, *, secrets: bool) -> bytes:
    if not secrets:
        return render_holes(file).encode()
    parts = [part if isinstance(part, str) else (await services.secrets.value(part)).reveal() for part in file.parts]
    return "".join(parts).encode()


__all__ = ["Format", "NotApplied", "RenderedFile", "Rendering", "render_instance"]
