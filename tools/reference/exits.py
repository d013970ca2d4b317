# SPDX-License-Identifier: Apache-2.0
"""The page about exit codes: their meaning, and which errors end with which."""

from __future__ import annotations

from tools.reference.errors import find_errors
from tools.reference.text import MADE, render_page, render_table

from mooring.errors import ConflictError, FailedError, NotFoundError, TimeoutExceeded, UsageError

MEANINGS = (
    (0, "done", "What was asked for is so. Also when nothing had to be done."),
    (FailedError.exit_code, "failed", "It was tried and failed; the error says what is left."),
    (UsageError.exit_code, "usage", "What was written cannot be carried out; nothing was changed."),
    (NotFoundError.exit_code, "not found", "What was named does not exist."),
    (ConflictError.exit_code, "conflict", "Somebody or something else is in the way."),
    (TimeoutExceeded.exit_code, "timeout", "The world did not follow in time; the same command again goes on."),
    (130, "interrupted", "Ctrl-C. What was begun stays recorded; the same command again goes on."),
    (141, "broken pipe", "Whoever read the output stopped reading."),
)


def render_exits() -> str:
    """The whole page."""
    errors = find_errors()

    def codes(number: int) -> str:
        found = [one.code for one in errors if one.exit_code == number and one.__module__.startswith("mooring.")]
        return ", ".join(f"[{code[5:]}](errors.md#{code.lower()})" for code in sorted(set(found)))

    return render_page(
        "# Exit codes",
        MADE,
        "Every command ends with one of these. With `-o json` the last line of a failure is the error as one JSON object "
        "with `code`, `reason`, `brief`, `details`, `resolution` and `retry`.",
        render_table(
            ("Exit code", "Name", "Meaning", "Errors (MOOR-…)"),
            ((f"`{number}`", name, meaning, codes(number)) for number, name, meaning in MEANINGS),
        ),
        "When several instances fail in one command, the exit code is the one that they have in common, else 1.",
        "`mooring exec`, `shell` and `psql` end with the exit code of the program that they ran.",
    )
