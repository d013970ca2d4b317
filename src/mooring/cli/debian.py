# SPDX-License-Identifier: Apache-2.0
"""Debian's packages: what `setup` installs from them, and a root file system made of them where no registry has a base image.

Needs root on Debian or Ubuntu; apt's own configuration (mirrors, proxies, keys) is used and never changed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mooring.cli.errors import SetupFailed
from mooring.cli.service import run_program
from mooring.drivers import host

QUIET = {"DEBIAN_FRONTEND": "noninteractive"}
# A tree that is thrown away if anything fails need not survive a power cut file by file (dpkg(1), DPKG_FORCE).
UNSAFE_IO = {"DPKG_FORCE": "unsafe-io"}
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# What a file system has for its packages alone, and an image does not need.
_CLEARED = ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/man", "usr/share/doc", "usr/share/locale")


def is_debian() -> bool:
    """Whether this is Debian, Ubuntu, or made of them."""
    release = host.observe_os_release()
    return bool({"debian", "ubuntu"} & {release.id, *release.id_like.split()})


def why_no_tree() -> str:
    """Why no tree can be made here; empty when one can."""
    if not is_debian():
        return f"this is {host.observe_os_release().pretty_name or 'another system'}, neither Debian nor Ubuntu"
    return "" if os.geteuid() == 0 else "only root can bootstrap a file system"


def install(packages: Sequence[str]) -> None:
    """Install packages with what they recommend left out only where apt is configured so. Safe to repeat.

    Raises:
        SetupFailed: apt-get ended badly; its words are in the details.
    """
    run_program(["apt-get", "update", "-qq"], env=QUIET)
    run_program(["apt-get", "install", "-y", "-qq", *packages], env=QUIET)


@contextmanager
def debian_tree(suite: str, packages: Sequence[str]) -> Iterator[IO[bytes]]:
    """A tar of a minimal Debian with these packages; its folder is gone afterwards.

    Raises:
        SetupFailed: debootstrap is not to be had, or ended badly.
    """
    if shutil.which("debootstrap") is None or not _KEYRING.exists():
        install(["debootstrap", "debian-archive-keyring"])
    with tempfile.TemporaryDirectory(prefix="mooring-debian-") as temporary:
        tree, archive = Path(temporary, "tree"), Path(temporary, "tree.tar")
        tree.mkdir(mode=0o755)
        include = f"--include={','.join(packages)}"
        mirror = [one] if (one := _mirror()) else []
        run_program(
            ["debootstrap", "--variant=minbase", f"--keyring={_KEYRING}", include, suite, str(tree), *mirror],
            env=QUIET | UNSAFE_IO,
        )
        for name in _CLEARED:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(tree / name)
        (tree / "etc" / "resolv.conf").write_text("")
        (tree / "etc" / "hostname").unlink(missing_ok=True)
        run_program(["tar", "-C", str(tree), "--numeric-owner", "--one-file-system", "-cf", str(archive), "."])
        with archive.open("rb") as file:
            yield file


def _mirror() -> str:
    """The mirror of Debian that this machine's apt uses; empty where it uses none, for debootstrap's own choice."""
    try:
        lines = run_program(
            ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Label: Debian", "Component: main"]
        )
    except SetupFailed:
        return ""  # apt is older than this question; debootstrap has an answer of its own
    return next((line.strip() for line in lines.splitlines() if line.startswith(("http://", "https://"))), "")
