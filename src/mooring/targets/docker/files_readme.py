# SPDX-License-Identifier: Apache-2.0
"""The text beside a rendered instance: how to hand the data over, and who has to own what. Pure; called by `render`."""

from __future__ import annotations

import textwrap

from mooring import __version__
from mooring.targets.docker.rendering import Stack, stack_files

_STOPPED_BY_MOORING = ("web", "cron")


def render_readme(stack: Stack, *, form: str, texts: tuple[str, ...]) -> str:
    """The text.

    Args:
        stack: what was rendered.
        form: `compose` or `quadlet`.
        texts: names of the files that are read by Compose or Podman.
    """
    name = str(stack.ref)
    what = "a Compose file" if form == "compose" else "Quadlet units"
    parts = [
        f"{name} as {what}, written by Mooring {__version__}.",
        (
            "The files below files/ hold passwords. Each may be read by the user that needs it, and nobody else: keep it so. "
            "They do not follow later changes: after a change of the manifest or of a password, render again."
        ),
        *_hand_over(stack),
        *(_compose() if form == "compose" else _quadlet(stack, texts)),
        *_server(stack),
        *_ingress(stack),
        *_images(stack),
        *_owners(stack),
        *_volumes(stack),
    ]
    return "\n\n".join(_wrapped(part) for part in parts) + "\n"


def _hand_over(stack: Stack) -> list[str]:
    others = [
        one.name for service in stack.services if service.name not in _STOPPED_BY_MOORING for one in service.boxes
    ]
    name = _argument(stack)
    return [
        "BEFORE IT STARTS",
        (
            "The data is that of Mooring's own containers, and only one of the two may use it. Stop Mooring's agent if one "
            "runs, so that it does not bring its containers back; then (with Podman, podman in the place of docker):"
        ),
        f"    mooring stop {name}\n"
        + "".join(f"    docker stop -t 60 {one} && docker rm -v {one}\n" for one in others).rstrip("\n"),
        "Named volumes stay. While this runs, leave `mooring apply` and `mooring start` alone.",
    ]


def _compose() -> list[str]:
    return [
        "START AND STOP",
        "    docker compose up -d        (or: docker-compose up -d)\n    docker compose down",
        "After `down`, `mooring start` brings Mooring's own containers back, with the same data.",
    ]


def _quadlet(stack: Stack, texts: tuple[str, ...]) -> list[str]:
    units = " ".join(one.removesuffix(".container") for one in texts if one.endswith(".container"))
    return [
        "START AND STOP",
        (
            "Copy this whole folder (with owners: cp -a) below /etc/containers/systemd/, or for a user's own Podman below "
            "~/.config/containers/systemd/ (then systemctl --user). Podman 4.9 or later is needed; one that does not "
            "look into subfolders needs the content of this folder directly in that one."
        ),
        f"    systemctl daemon-reload\n    systemctl start {units}\n    systemctl stop {units}",
        (
            "Remove the folder and stop the units, and `mooring start` brings Mooring's own containers back, with the same "
            f"data, if Mooring ran {_argument(stack)} on this same Podman."
        ),
    ]


def _server(stack: Stack) -> list[str]:
    if stack.server is None:
        return []
    return [
        (
            f"THE DATABASE SERVER\n\n{stack.server} is in here, too. Other instances that use it are without a database as "
            "long as this runs, because it is not on their networks. `mooring list` shows them."
        )
    ]


def _ingress(stack: Stack) -> list[str]:
    if all(one.name != "ingress" for one in stack.services):
        return []
    return [
        (
            "THE INGRESS\n\nIt serves the host names of this instance alone. While it runs in the place of Mooring's, those of "
            "other instances are not served; they are again when Mooring's own is back."
        )
    ]


def _images(stack: Stack) -> list[str]:
    local = sorted({one.box.image for one in stack.services if one.box.image.startswith("sha256:")})
    if not local:
        return []
    return [
        "IMAGES\n\nThese are known by their id only, to the engine that Mooring used: another machine cannot get them.",
        "\n".join(f"    {one}" for one in local),
    ]


def _owners(stack: Stack) -> list[str]:
    rows = [(f"{one.file.uid}:{one.file.gid}", f"{one.file.mode:04o}", one.path) for one in stack_files(stack)]
    owned = "\n".join(f"    chown {owner} {path} && chmod {mode} {path}" for owner, mode, path in rows)
    return [
        "OWNERS",
        (
            "Written by root, the files have their owners already. Written by anybody else they have not, and what runs cannot "
            "read them until root has done this here (rootless Podman: each line after `podman unshare`):"
        ),
        owned,
    ]


def _volumes(stack: Stack) -> list[str]:
    rows = [f"    {one.volume}  (its top folder: {one.uid}:{one.gid}, {one.mode:04o})" for one in stack.mounts()]
    return ["VOLUMES", "They must be there; they are, on the engine that Mooring used.", "\n".join(rows)]


def _argument(stack: Stack) -> str:
    ref = stack.ref
    return ref.name if ref.namespace == "default" else f"-n {ref.namespace} {ref.name}"


def _wrapped(part: str) -> str:
    blocks = part.split("\n\n")
    return "\n\n".join(one if one.startswith("    ") else textwrap.fill(one, 118) for one in blocks)
