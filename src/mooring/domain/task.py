# SPDX-License-Identifier: Apache-2.0
"""The only thing that targets and the engine share: what a task is, and what its process says.

A task is a process run to its end next to the data: a container, a Job, a transient unit. There are two runtimes: the
engine's own (`mooring task NAME --document FILE`: JSON lines on standard output, protocol below) and Odoo's release (plain
arguments; its exit code proves nothing, an engine task proves its effect).

Protocol of the engine, one JSON object a line, on standard output:
    {"v": 1, "type": "progress", "step": "text", "done": 3, "total": 10}
    {"v": 1, "type": "result", "result": {…}}
    {"v": 1, "type": "error", "error": {"code": "MOOR-…", "reason": …, "brief": …, "details": …, "resolution": …}}
Exit code 0 only after a result. SIGTERM: stopped within 10 s. At least one line every 15 s.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from mooring.domain.model.desired import Destination, File, Folder, Link, Mount, Resources
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.release import ResolvedRelease

Json = Any
PROTOCOL = 1
LOG_TAIL_BYTES = 4096
DOCUMENT_PATH = "/run/mooring/document.json"


@dataclass(frozen=True)
class Upload:
    """A file or folder of the machine that Mooring runs on, given to one task when it starts; it is only read.

    What is not a file or a folder in it is refused. It need not lie still: nothing of it is part of what is wanted.

    Attributes:
        path: absolute path inside.
        source: absolute path on this machine.
    """

    path: str
    source: str
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class TaskSpec:
    """A task that a target can run without knowing what it does.

    Attributes:
        name: deterministic: from operation id, step and attempt. Starting it again adopts it.
        place: the instance or server whose side it runs on: its network, its volumes.
        image: None is the engine's own.
        argv: the whole command. For the engine `("mooring", "task", NAME, "--document", DOCUMENT_PATH)`.
        files: the document and what else it reads; secrets only as slots.
        uploads: what a person brings; given to it once, when it starts.
        user: (uid, gid).
        groups: further groups of the process, for folders that several users share.
        links: what else it may reach.
        egress: whether it may reach the whole world.
        allow: what it reaches of the world nevertheless; nothing else.
        deadline: it is killed after this.
        fence: attempt number; a data task with a lower one than the last seen is refused.
    """

    name: str
    place: Ref
    identity: Identity
    argv: tuple[str, ...]
    image: ResolvedRelease | None = None
    files: tuple[File, ...] = ()
    mounts: tuple[Mount, ...] = ()
    folders: tuple[Folder, ...] = ()
    uploads: tuple[Upload, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    user: tuple[int, int] = (65532, 65532)
    groups: tuple[int, ...] = ()
    resources: Resources = field(default_factory=Resources)
    links: tuple[Link, ...] = ()
    egress: bool = False
    allow: tuple[Destination, ...] = ()
    deadline: timedelta = timedelta(hours=1)
    fence: int = 1


@dataclass(frozen=True)
class Progress:
    """How far a task is: `done` of `total` units of `step`; total 0 is unknown."""

    step: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class TaskState:
    """What a target knows of a task.

    Attributes:
        phase: `succeeded` and `failed` mean that no process is left.
        exit_code: of the process; None while there is one or when it could not be started.
        result: the engine's result object.
        error: the engine's error object, or {"code", "reason", "brief", "details", "resolution"} made from the exit.
        log_tail: the end of what it printed, at most LOG_TAIL_BYTES bytes.
    """

    phase: Literal["absent", "pending", "running", "succeeded", "failed"]
    exit_code: int | None = None
    progress: Progress | None = None
    result: Json = None
    error: Mapping[str, str] | None = None
    log_tail: str = ""


@dataclass(frozen=True)
class Messages:
    """What the lines of a task said so far."""

    progress: Progress | None = None
    result: Json = None
    error: Mapping[str, str] | None = None
    other: tuple[str, ...] = field(default=())


def read_messages(lines: Iterable[str]) -> Messages:
    """Sort the lines of a task into messages; a line that is none is kept as `other`. Never raises."""
    progress: Progress | None = None
    result: Json = None
    error: Mapping[str, str] | None = None
    other: list[str] = []
    for line in lines:
        match _message(line):
            case {"type": "progress", **rest}:
                progress = Progress(str(rest.get("step", "")), _count(rest.get("done")), _count(rest.get("total")))
            case {"type": "result", "result": value}:
                result = value
            case {"type": "error", "error": dict() as fault}:
                error = {str(key): str(value) for key, value in fault.items()}
            case _:
                other.append(line)
    return Messages(progress, result, error, tuple(other))


def tail(text: str, limit: int = LOG_TAIL_BYTES) -> str:
    """The end of `text`, at most `limit` bytes of UTF-8, from the start of a line where one begins in it.

    What was not decoded (lone surrogates) becomes a question mark, so that the end can be written anywhere.
    """
    data = text.encode(errors="replace")
    start = max(len(data) - limit, 0)
    cut = data[start:].decode(errors="ignore")
    if data[:start].endswith(b"\n") or not start:
        return cut
    _, newline, rest = cut.partition("\n")
    return rest if newline and rest else cut


def _message(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        value = json.loads(line)
        if not isinstance(value, dict) or type(value.get("v")) is not int or value["v"] != PROTOCOL:
            return None
        # Strict and back: refuses NaN, and makes what was not decoded (lone surrogates) writable.
        clean: dict[str, Any] = json.loads(
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode(errors="replace")
        )
    except (ValueError, RecursionError):
        return None
    return clean


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
