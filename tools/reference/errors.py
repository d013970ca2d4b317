# SPDX-License-Identifier: Apache-2.0
"""The trouble-shooting page: one entry for each error code, from the error classes themselves.

What a class cannot say (how to find the cause, what it usually is) stands in `docs/trouble-shooting/CODE.md` and is put
below the entry of that code. A file there for a code that no class has is a mistake, and is refused.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from tools.reference.text import MADE, render_page, render_table, sentences

import mooring
from mooring.errors import MooringError, Retry

NOTES = Path(__file__).resolve().parents[2] / "docs" / "trouble-shooting"

HEAD = """\
# Trouble-shooting

Every error of Mooring has a code, a sentence on what happened and a sentence on what to do. This page has one entry for
each code. The sentences that Mooring prints are often more precise than those here: they name the file, the instance or the
line.

When the entry does not help: `mooring status NAME` shows the reason and the way out of the state that the instance is in
([all of them](lifecycle.md)), `mooring logs NAME` shows what Odoo says, `mooring operations show NAME` shows each step of
an operation, `mooring doctor` checks the machine, and `mooring report` packs what a bug report needs.

"Exit code" is what the command ends with ([all exit codes](exit-codes.md)). "Again" says whether trying the same again
can help: where it can, Mooring also tries again by itself for a while.
"""

PARTS = (
    ("0", "General"),
    ("1", "Manifests"),
    ("2", "Decisions: Odoo, PostgreSQL and operations"),
    ("3", "Container engine and target"),
    ("4", "Tasks beside the data: PostgreSQL and filestore"),
    ("5", "State, secrets and settings of this machine"),
    ("6", "Instances and operations"),
    ("7", "Command line"),
)
AGAIN = {
    Retry.NEVER: "does not help by itself",
    Retry.NOW: "helps, at once",
    Retry.AFTER: "can help, after a while",
}


def find_errors() -> list[type[MooringError]]:
    """Every error class of Mooring, by code."""
    for module in pkgutil.walk_packages(mooring.__path__, "mooring."):
        importlib.import_module(module.name)
    return sorted(set(_walk(MooringError)), key=lambda one: (one.code, one.__name__))


def render_errors() -> str:
    """The whole page.

    Raises:
        ValueError: a note is for a code that does not exist, or two classes have one code.
    """
    found = [one for one in find_errors() if one.__module__.partition(".")[0] == "mooring"]
    codes = [one.code for one in found]
    twice = sorted({code for code in codes if codes.count(code) > 1})
    if twice:
        raise ValueError(f"two error classes have one code: {', '.join(twice)}")
    notes = read_notes()
    strangers = sorted(set(notes) - set(codes))
    if strangers:
        raise ValueError(f"docs/trouble-shooting has notes for codes that no error has: {', '.join(strangers)}")
    parts = [HEAD.replace("# Trouble-shooting\n", f"# Trouble-shooting\n\n{MADE}\n", 1)]
    parts.append("## All codes")
    parts.append(render_table(("Code", "Reason", "What happened"), (_line(one) for one in found)))
    for digit, title in PARTS:
        group = [one for one in found if one.code.startswith(f"MOOR-{digit}")]
        if group:
            parts.append(f"## {title}")
            parts += [_entry(one, notes.get(one.code, "")) for one in group]
    return render_page(*parts)


def read_notes() -> dict[str, str]:
    """The notes written by hand, by code."""
    return {path.stem: path.read_text(encoding="utf-8").strip() for path in sorted(NOTES.glob("*.md"))}


def _walk(root: type[MooringError]) -> Iterator[type[MooringError]]:
    yield root
    for child in root.__subclasses__():
        yield from _walk(child)


def _line(one: type[MooringError]) -> tuple[str, ...]:
    return f"[{one.code}](#{one.code.lower()})", f"`{one.reason}`", _happened(one).replace("\n", " ")


def _happened(one: type[MooringError]) -> str:
    if one is MooringError:
        return "Mooring met something that it does not know."
    return sentences(inspect.cleandoc(one.__doc__ or ""))


def _entry(one: type[MooringError], note: str) -> str:
    return render_page(
        f"### {one.code}: {one.reason} {{#{one.code.lower()}}}",
        _happened(one),
        f"**What to do:** {one.default_resolution}",
        f"Exit code {one.exit_code}. Trying again {AGAIN[one.retry]}.",
        note,
    )
