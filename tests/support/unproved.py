# SPDX-License-Identifier: Apache-2.0
"""What this project cannot show on its test ground, kept by hand; docs/conformance.md shows it.

Read by the page's writer (`tools/conformance.py`) and by `tests/conftest.py`, which lets any other
skip fail when CI is true.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unproved:
    """Something that nobody has seen work here.

    Attributes:
        what: for people.
        why: what is missing, and what stands in for it.
        skip: a part of the reason with which tests skip for it; empty when no test does.
    """

    what: str
    why: str
    skip: str = ""


UNPROVED = (
    Unproved("Certificates by ACME from a real authority", "There is no way out to one; the configuration is checked."),
    Unproved(
        "A real Ubuntu",
        "The test ground is Debian; the scripts know both.",
    ),
    Unproved(
        "The engine image on the official Python image",
        "No registry answers here: the same recipe builds it on Debian's packages.",
    ),
    Unproved(
        "Odoo 15 to 20", "Debian has Odoo 14; what is known of the others is in the table of facts, with sources."
    ),
    Unproved(
        "`mooring setup` on Ubuntu, and on a real machine",
        "It is proved in a container that boots systemd, with Debian 12 and the engine from its packages.",
    ),
    Unproved(
        "Rootless Podman and rootless Docker",
        "The test ground runs its engines as root. Rootless Podman 4.3 was tried there: it makes and runs containers without "
        "a network, and cannot make its own network namespace.",
    ),
    Unproved("Kubernetes", "The target comes with a later issue; its rows are below."),
    Unproved("Hosts over SSH", "The target comes with a later issue; its rows are below."),
    Unproved(
        "A reboot and a full disk with Podman",
        "The test ground has no machine of its own for Podman; a restart of its service is proved.",
        "podman: the test ground has no machine of its own",
    ),
    Unproved(
        "A network without a way out does not reach the engine's own machine, with Podman",
        "The bridge keeps its address there, so that it does reach it; with Docker it is closed and proved.",
        "podman: the bridge of an internal network keeps its address",
    ),
    Unproved("Names of the outside world", "No name server answers from within a container.", "no name server outside"),
    Unproved("Podman where it is not installed", "`testbed/with.sh podman` installs it.", "MOORING_PODMAN_HOST"),
    Unproved(
        "An S3 server with conditional writes, where versitygw is not installed",
        "`go install github.com/versity/versitygw/cmd/versitygw@latest` has it; without it a folder and memory stand in.",
        "no versitygw here",
    ),
    Unproved(
        "Object Lock of a real store",
        "A proxy in front of a real S3 server refuses deletions as a lock does; the prune keeps, reports and tries again.",
    ),
    Unproved("Google's and Azure's object stores", "Their clients are opened as documented; nobody answered here."),
    Unproved(
        "Cloudflare's R2, and S3 servers that name buckets by virtual hosts",
        "Neither is to be had here; a real S3 server with path-style addresses is proved, and how hosts are named is tested.",
    ),
    Unproved(
        "Reflinks",
        "The test ground's file system has none; where they are refused a copy is made, and that is proved.",
    ),
    Unproved(
        "PgBouncer in front of an external server",
        "Mooring's locks are of a session: a pooler by transaction would lose them, and nothing here notices it.",
    ),
    Unproved(
        "A collation that changed below a database when the server's image did",
        "Every server here has the libc of one release beside another's data only by dump and restore, which sorts anew.",
    ),
    Unproved(
        "WebSockets that stay open while another site of the ingress comes or goes",
        "Caddy 2.6 closes them at each reload and browsers open them again; requests and downloads are proved to go on.",
    ),
    Unproved("Private engines for users other than root", "Namespaces and mounts need root.", "needs root"),
    Unproved("Files of other owners, for users other than root", "Only root can make them.", "only root can"),
)


def allowed(reason: str) -> bool:
    """Whether a test may skip for this reason."""
    return any(one.skip and one.skip in reason for one in UNPROVED)
