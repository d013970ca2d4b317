# SPDX-License-Identifier: Apache-2.0
"""What the engine image is made of: the recipe that comes with Mooring, the names that follow from it, and the contexts.

The image is two: a base that changes with the lock of dependencies, and Mooring itself on top of it. Both recipes are files of
`deploy/images/engine`, which the wheel carries. Nothing here talks to an engine; `mooring.cli.engine_image` does.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import mooring
from mooring.cli.errors import SetupFailed
from mooring.cli.service import run_program

PACKAGE = Path(mooring.__file__).parent
PACKAGED = PACKAGE / "_images" / "engine"
BASE, LAYER, LOCK = "base.Dockerfile", "layer.Dockerfile", "requirements.txt"
_LEFT_OUT = ("__pycache__", "_images")


@dataclass(frozen=True)
class Recipe:
    """The files, read.

    Attributes:
        image: what the base stands on where a registry answers.
        python: minor version of the Python in it, such as 3.13.
        suite: Debian's suite of the base where no registry answers.
        packages: Debian's packages in that.
        base: text of the base's Dockerfile.
        layer: text of the top layer's.
        lock: hash-pinned requirements of the base.
    """

    image: str
    python: str
    suite: str
    packages: tuple[str, ...]
    base: bytes
    layer: bytes
    lock: bytes

    @property
    def base_name(self) -> str:
        """The base's image name: another one whenever something in it is another."""
        digest = hashlib.sha256()
        for part in (self.lock, self.base, self.python.encode(), self.suite.encode(), *map(str.encode, self.packages)):
            digest.update(hashlib.sha256(part).digest())
        return f"mooring-engine-base:{digest.hexdigest()[:12]}"

    @property
    def source(self) -> str:
        """A digest of everything in the image: 16 hex digits that change with this Mooring's code."""
        digest = hashlib.sha256(self.base_name.encode() + self.layer)
        for path, name in _package_files():
            digest.update(name.encode() + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:16]


def load_recipe() -> Recipe:
    """The recipe that came with this Mooring: out of the package, or of the checkout that it runs from.

    Raises:
        SetupFailed: neither has it.
    """
    checkout = PACKAGE.parents[1]
    for folder, lock in (
        (PACKAGED, PACKAGED / LOCK),
        (checkout / "deploy" / "images" / "engine", checkout / "requirements" / "engine.txt"),
    ):
        if (folder / "recipe.toml").is_file() and lock.is_file():
            facts = tomllib.loads((folder / "recipe.toml").read_text(encoding="utf-8"))
            return Recipe(
                image=facts["image"],
                python=facts["python"],
                suite=facts["debian"]["suite"],
                packages=tuple(facts["debian"]["packages"]),
                base=(folder / BASE).read_bytes(),
                layer=(folder / LAYER).read_bytes(),
                lock=lock.read_bytes(),
            )
    raise SetupFailed(
        "This Mooring came without the recipe of its engine image.",
        details=f"Neither {PACKAGED} nor a checkout around {PACKAGE} has it.",
        resolution="Install Mooring from its wheel or its source, or load the engine image by hand.",
    )


@contextmanager
def base_context(recipe: Recipe, *, architecture: str, tried: list[str]) -> Iterator[tuple[IO[bytes], bool]]:
    """The context of the base, and whether the packages are in it; without them the image's own pip has to get them.

    Args:
        recipe: see there.
        architecture: of the engine's machine, as uname says it.
        tried: gets a line for every way that did not work.
    """
    with tempfile.TemporaryDirectory(prefix="mooring-engine-") as temporary:
        folder = Path(temporary)
        (folder / BASE).write_bytes(recipe.base)
        (folder / LOCK).write_bytes(recipe.lock)
        staged = _stage(folder, recipe.python, architecture, tried)
        with tempfile.TemporaryFile(dir=folder) as file:
            with tarfile.open(fileobj=file, mode="w") as archive:
                for name in (BASE, LOCK, "dependencies"):
                    archive.add(folder / name, arcname=name, filter=_anonymous)
            file.seek(0)
            yield file, staged


def layer_context(recipe: Recipe) -> IO[bytes]:
    """The context of the top layer: its Dockerfile and the package that runs here."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        head = tarfile.TarInfo(LAYER)
        head.size = len(recipe.layer)
        archive.addfile(head, io.BytesIO(recipe.layer))
        for path, name in _package_files():
            archive.add(path, arcname=f"mooring/{name}", filter=_anonymous)
    file.seek(0)
    return file


def _stage(folder: Path, python: str, architecture: str, tried: list[str]) -> bool:
    """Unpack the locked packages, for the image's Python and machine, with a pip or uv of this side."""
    target = folder / "dependencies"
    common = ["--no-deps", "--require-hashes", "--only-binary", ":all:"]
    common += ["--target", str(target), "-r", str(folder / LOCK)]
    platforms = [f"manylinux_2_{glibc}_{architecture}" for glibc in (28, 17)] + [f"manylinux2014_{architecture}"]
    pip = ["install", "-q", "--no-compile", "--disable-pip-version-check", "--implementation", "cp"]
    pip += ["--python-version", python, *(part for one in platforms for part in ("--platform", one))]
    commands = [[sys.executable, "-m", "pip", *pip, *common]]
    if (uv := shutil.which("uv")) is not None:
        of_uv = ["--python-version", python, "--python-platform", f"{architecture}-manylinux_2_28"]
        commands.append([uv, "pip", "install", "--quiet", "--python", sys.executable, *of_uv, *common])
    for command in commands:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(target)
        target.mkdir()
        try:
            run_program(command)
        except SetupFailed as error:
            reason = (error.details.strip().splitlines() or [error.brief])[-1]
            tried.append(f"packages by {Path(command[0]).name} on this side: {reason}")
        else:
            return True
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(target)
    target.mkdir()
    return False


def _package_files() -> Iterator[tuple[Path, str]]:
    for folder, folders, names in os.walk(PACKAGE):
        folders[:] = sorted(one for one in folders if one not in _LEFT_OUT)
        for name in sorted(names):
            path = Path(folder) / name
            yield path, path.relative_to(PACKAGE).as_posix()


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Whoever builds, from whatever file system: the image holds the same, and all may read it."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry
