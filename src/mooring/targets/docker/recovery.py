# SPDX-License-Identifier: Apache-2.0
"""Reads single files out of what runs, is kept, or is an image.

For an installation that lost its own records, and to ask an image what it is without starting it.

Files come by the engine's archives, so that nothing of them passes through a log or a command line. Blocking; called in
threads by the target.
"""

from __future__ import annotations

from mooring.domain.model.identity import Identity, Ref, child
from mooring.domain.model.release import ResolvedRelease
from mooring.drivers.docker.engine import Engine
from mooring.targets.docker import labels as tag
from mooring.targets.docker.boxes import Box, BoxMount, render_box
from mooring.targets.docker.networks import check_owner
from mooring.targets.docker.options import DockerOptions
from mooring.targets.errors import NameTaken

FOLDER = "/volume"


def read_replica_file(engine: Engine, ref: Ref, *, role: str, path: str) -> bytes | None:
    """A file of a replica of `role`, running or not; None where there is no replica or no such file."""
    for item in engine.containers(labels=tag.role_filter(ref, role)):
        found = engine.download(str(item["Id"]), path)
        if found:
            return next(iter(found.values()))
    return None


def read_image_file(
    engine: Engine, options: DockerOptions, image: ResolvedRelease, path: str, *, ref: Ref, identity: Identity
) -> bytes | None:
    """A regular file of an image; None where there is none, or while another process reads it, too.

    A container that never starts holds the image open meanwhile. One that a kill left is taken away by the next.
    """
    digest = image.digest.removeprefix("sha256:")[:12]
    box = Box(
        name=child(ref, f"image-{digest}"),
        ref=ref,
        identity=identity,
        role="image",
        purpose="task",
        image=image.reference,
        argv=("true",),
        user=(65532, 65532),
        restart=False,
    )
    left = engine.container(box.name)
    if left is not None:
        check_owner((left.get("Config") or {}).get("Labels"), ref, identity, f"container {box.name}")
        engine.remove(str(left["Id"]))
    try:
        container = engine.create(box.name, render_box(box, options, podman=engine.podman))
    except NameTaken:
        return None
    try:
        found = engine.download(container, path)
    finally:
        engine.remove(container)
    return next(iter(found.values())) if found else None


def read_volume_file(
    engine: Engine, options: DockerOptions, ref: Ref, identity: Identity, *, role: str, path: str
) -> bytes | None:
    """A file of a volume of `ref`; None where there is none. A container that never starts holds the volume meanwhile.

    Args:
        identity: of whoever reads; stands on that container.
        path: relative to the volume.
    """
    volume = child(ref, role)
    if engine.volume(volume) is None:
        return None
    purpose = f"recover-{role}"
    box = Box(
        name=child(ref, purpose),
        ref=ref,
        identity=identity,
        role=purpose,
        purpose="task",
        image=options.engine_image,
        argv=("true",),
        user=(65532, 65532),
        restart=False,
        mounts=(BoxMount(volume, FOLDER, 0, 0, 0o700, read_only=True, foreign=True),),
    )
    engine.remove(box.name)  # of one that was killed
    try:
        engine.create(box.name, render_box(box, options, podman=engine.podman))
        found = engine.download(box.name, f"{FOLDER}/{path}")
    finally:
        engine.remove(box.name)
    return next(iter(found.values())) if found else None
