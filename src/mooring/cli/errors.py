# SPDX-License-Identifier: Apache-2.0
"""What only the command line can refuse, and how every error is shown. Decides nothing about retrying."""

from __future__ import annotations

import json

from mooring.cli.style import Style
from mooring.errors import (
    ConflictError,
    FailedError,
    MooringError,
    NotFoundError,
    Retry,
    SeveralErrors,
    UsageError,
    raise_all,
)


class UnknownTarget(UsageError):
    """The target that was asked for is none that this version has."""

    code = "MOOR-700"
    reason = "UnknownTarget"
    default_resolution = "Leave -t out, or name one that there is."


class FileUnreadable(UsageError):
    """A file that was named cannot be read."""

    code = "MOOR-701"
    reason = "FileUnreadable"
    default_resolution = "Check the path and its rights; `-` reads standard input."


class FileExists(ConflictError):
    """A file that should be written is there already; it was left alone."""

    code = "MOOR-702"
    reason = "FileExists"
    default_resolution = "Choose another name, or move the file away."


class NotConfirmed(UsageError):
    """Something that cannot be taken back was not confirmed."""

    code = "MOOR-704"
    reason = "NotConfirmed"
    default_resolution = "Add --yes, or run the command on a terminal and answer."


class NoAddress(NotFoundError):
    """The instance has no address yet."""

    code = "MOOR-705"
    reason = "NoAddress"
    default_resolution = "Wait until `mooring status` says Running, then run the command again."


class NoServerHere(UsageError):
    """The instance's database server is not run by Mooring, so that nothing can be run inside it."""

    code = "MOOR-706"
    reason = "NoServerHere"
    default_resolution = "Use a client of your own with the address and secret that the manifest names."


class SetupFailed(FailedError):
    """A program that `mooring setup` or `mooring agent install` ran ended badly."""

    code = "MOOR-708"
    reason = "SetupFailed"
    default_resolution = "Read the program's own words in the details, mend it, then run the command again: it resumes."


class NotRoot(UsageError):
    """Something was asked for that only root may do."""

    code = "MOOR-709"
    reason = "NotRoot"
    default_resolution = "Run the command again with sudo."


class NothingToDo(NotFoundError):
    """The file or the request names nothing to act on."""

    code = "MOOR-710"
    reason = "NothingToDo"


class BadRequest(UsageError):
    """Options or arguments that do not go together."""

    code = "MOOR-711"
    reason = "BadRequest"
    default_resolution = "Read the command's --help; nothing was changed."


class OperationNotDone(FailedError):
    """An operation that was asked for did not succeed."""

    code = "MOOR-712"
    reason = "OperationNotDone"


class EngineImageUnavailable(FailedError):
    """The image that Mooring's own tasks run in is not on the engine, and no way to have it worked."""

    code = "MOOR-713"
    reason = "EngineImageUnavailable"
    default_resolution = (
        "Mend one of the ways in the details: a registry that the engine reaches, or `sudo mooring setup` on Debian or "
        "Ubuntu; or load the image by hand (`docker load`)."
    )


class NoServiceManager(FailedError):
    """This machine does not run systemd, which keeps the engine and the agent running and starts them with the machine."""

    code = "MOOR-714"
    reason = "NoServiceManager"
    default_resolution = (
        "Run `mooring setup --no-agent`, and let what starts services here (a supervisor, a container's command) run "
        "`mooring agent run`. On WSL: `systemd=true` under `[boot]` in /etc/wsl.conf, then `wsl --shutdown`."
    )


class SecretDiffers(ConflictError):
    """A secret that should be written is there already with another value; it was left alone."""

    code = "MOOR-716"
    reason = "SecretDiffers"
    retry = Retry.NEVER
    default_resolution = "Name another secret with --secret NAME, or delete the old one if nothing uses it."


class KeysMissing(UsageError):
    """A store needs keys that no Secret holds, and nobody is there to type them."""

    code = "MOOR-732"
    reason = "KeysMissing"
    default_resolution = "Set them by `mooring secret set`, or run the command on a terminal and type them."


def exit_code(error: MooringError) -> int:
    """What the process exits with: of several errors the common code, else 1."""
    if isinstance(error, SeveralErrors):
        codes = {exit_code(one) for one in error.errors}
        return codes.pop() if len(codes) == 1 else 1
    return error.exit_code


def render_error(error: MooringError, style: Style) -> str:
    """The lines for a person: code and what happened, details indented, then what to do."""
    if isinstance(error, SeveralErrors):
        return "\n".join(render_error(one, style) for one in error.errors)
    lines = [f"{style.bad('error')} {style.strong(error.code)}: {_visible(error.brief)}"]
    lines += [f"  {_visible(line)}" for line in error.details.splitlines()]
    lines.append(f"→ {_visible(error.resolution)}")
    return "\n".join(lines)


def _visible(text: str) -> str:
    # What others wrote, as a file's name or a log, may hold what a terminal obeys.
    return "".join(
        one if one.isprintable() or one == "\t" else one.encode("unicode_escape").decode("ascii") for one in text
    )


def render_error_json(error: MooringError) -> str:
    """The error object of `-o json` on one line: {type: error, code, reason, brief, details, resolution, retry}."""
    return json.dumps({"type": "error", **error.to_json()}, ensure_ascii=False)


def render_error_yaml(error: MooringError) -> str:
    """The same object as a YAML document of its own: data may stand before it."""
    import yaml

    text: str = yaml.safe_dump(
        {"type": "error", **error.to_json()}, sort_keys=False, allow_unicode=True, explicit_start=True
    )
    return text


__all__ = ["SeveralErrors", "raise_all"]
