# SPDX-License-Identifier: Apache-2.0
"""Caught mail for a person: a list, one message as it came, or none any more. Run inside the sink's own container.

    python3 -m mooring.engine.mailsink.read FOLDER list JSON|TABLE LAST
    python3 -m mooring.engine.mailsink.read FOLDER show NUMBER
    python3 -m mooring.engine.mailsink.read FOLDER clear

A message comes from whoever wrote to the instance: nothing of it reaches a terminal but characters that print. Called by
`mooring mail`.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from email import policy
from email.errors import MessageError
from email.parser import BytesParser
from pathlib import Path
from typing import Any

from mooring.engine.mailsink.store import Kept, list_kept

_HEAD_BYTES = 256 * 1024
_WIDTH = 60


def describe(kept: Kept) -> dict[str, Any]:
    """What a list says of a message: {number, time, from, to, subject, bytes}; times are RFC 3339, UTC."""
    head: dict[str, str] = {}
    try:
        with kept.path.open("rb") as file:
            parsed = BytesParser(policy=policy.default).parsebytes(file.read(_HEAD_BYTES), headersonly=True)
        for name, header in (("from", "From"), ("to", "X-Mooring-Envelope-To"), ("subject", "Subject")):
            head[name] = plain(str(parsed.get(header, "")))
    except FileNotFoundError:
        head = {"from": "", "to": "", "subject": "(it made room for newer ones just now)"}
    except (MessageError, ValueError, LookupError, AttributeError, TypeError) as fault:
        # The parser of this Python raises all of these for headers that break its rules.
        head = {"from": "", "to": "", "subject": f"(its head cannot be read: {type(fault).__name__})"}
    time = datetime.fromtimestamp(kept.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"number": kept.number, "time": time, **head, "bytes": kept.size}


def plain(text: str) -> str:
    """On one line, without what would steer a terminal."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def render_table(rows: list[dict[str, Any]]) -> str:
    """One line a message."""
    lines = [f"{'NO':>5}  {'TIME':20}  {'TO':30}  SUBJECT"]
    lines += [f"{row['number']:>5}  {row['time']:20}  {row['to'][:30]:30}  {row['subject'][:_WIDTH]}" for row in rows]
    return "\n".join(lines)


def show(path: Path) -> str:
    """A message's text as it came; control characters other than line ends and tabs are shown as `?`."""
    text = path.read_bytes().decode("utf-8", "replace")
    return "".join(char if char.isprintable() or char in "\n\t" else "" if char == "\r" else "?" for char in text)


def main(arguments: list[str]) -> int:
    """0 when it was done, 1 when there is no such message, 2 for words that it does not know."""
    folder, *words = arguments
    kept = list_kept(Path(folder))
    match words:
        case ["list", how, last]:
            rows = [describe(one) for one in kept[-int(last) :]]
            if how == "table":
                print(render_table(rows) if rows else "No mail was caught.")  # noqa: T201 - its output
            else:
                print(json.dumps(rows, ensure_ascii=False))  # noqa: T201 - its output
        case ["show", number]:
            found = next((one for one in kept if str(one.number) == number), None)
            if found is None:
                print(f"There is no message {number}.", file=sys.stderr)  # noqa: T201 - its output
                return 1
            sys.stdout.write(show(found.path))
        case ["clear"]:
            for one in kept:
                one.path.unlink(missing_ok=True)
            print(f"{len(kept)} message(s) removed.")  # noqa: T201 - its output
        case _:
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
