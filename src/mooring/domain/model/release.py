# SPDX-License-Identifier: Apache-2.0
"""What code runs: as the user names it, as the target pinned it, and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass

from mooring.domain.model.secret import SecretKey


@dataclass(frozen=True)
class Release:
    """A release as it is written: an image, or a git reference (one of both)."""

    image: str | None = None
    git_repository: str | None = None
    git_ref: str | None = None

    @property
    def display(self) -> str:
        """What people call it."""
        return self.image or f"{self.git_repository}@{self.git_ref}"


@dataclass(frozen=True)
class ResolvedRelease:
    """A release that can no longer move.

    Attributes:
        source: what the user wrote.
        reference: what a target runs: `name@sha256:…`, an image id, or a folder of a built commit.
        digest: the pin shown in status: an image's digest (else its id), or a commit.
        pull_secret: with which it is got again where it is no longer there; None without one. It says nothing about what
            runs, so another one restarts nothing.
    """

    source: str
    reference: str
    digest: str
    pull_secret: SecretKey | None = None


ENGINE_RELEASE = ResolvedRelease("", "engine", "engine")
"""What a workload runs that runs Mooring's own programs: each target has its own form of it, as for engine tasks.

Another version of Mooring has another, and makes no such workload anew for that.
"""


@dataclass(frozen=True)
class ReleaseFacts:
    """What a release's own files say; found by a task that runs in it (its tag proves nothing).

    Attributes:
        series: Odoo series, such as `14.0`; empty for an image that is no Odoo.
        uid: user that Odoo's image names `odoo`.
        gid: its group.
        core_addons: folder of the core add-ons.
        program: the program that starts Odoo.
        python: Python's version, such as `3.9`.
    """

    series: str
    uid: int
    gid: int
    core_addons: str
    program: str
    python: str
