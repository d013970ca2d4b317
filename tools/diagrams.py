# SPDX-License-Identifier: Apache-2.0
"""Write the pages about lifecycle and operations from the tables that the program decides by.

    python tools/diagrams.py           write docs/reference/{lifecycle.md,lifecycle.svg,operations.md}
    python tools/diagrams.py --check   change nothing; name what is not up to date and exit with 1

The picture is an SVG of our own: the documentation loads nothing from outside, and a renderer of Mermaid would come from
there. The same as Mermaid text stands below it, for whoever reads the page where Mermaid is drawn.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import product
from pathlib import Path
from xml.sax.saxutils import escape

from mooring.domain.lifecycle.table import (
    EVERYWHERE,
    OUTPUTS,
    TABLE,
    Snapshot,
    State,
    Transition,
    explain,
    next_state,
)
from mooring.domain.operations.conflicts import (
    CHANGES_CODE,
    MATRIX,
    READS,
    REPLACES_DATA,
    RUNS,
    SWITCHES,
    Verdict,
)
from mooring.domain.operations.plan import PHASES, OperationType

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"
MADE = "<!-- Made by tools/diagrams.py from the program's tables; change those, not this file. -->"

GROUPS = (
    ("reads the data", READS),
    ("replaces data", REPLACES_DATA),
    ("changes the code", CHANGES_CODE),
    ("starts and stops processes", RUNS),
    ("changes what the instance is allowed to do", SWITCHES),
    ("removes the instance", frozenset({OperationType.DELETE})),
)
MARKS = {Verdict.PARALLEL: "beside", Verdict.QUEUE: "waits", Verdict.REFUSE: "**refused**"}


def main(argv: Sequence[str] | None = None) -> int:
    """Write or check the pages; gives the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say what is not up to date")
    check = parser.parse_args(argv).check
    stale = [path for path, text in pages().items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        print(f"{path.parent.name}/{path.name} {'is not up to date: run tools/diagrams.py' if check else 'written'}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(pages()[path], encoding="utf-8")
    return 1 if check and stale else 0


def pages() -> dict[Path, str]:
    """Every generated file with its text."""
    return {
        REFERENCE / "lifecycle.md": render_lifecycle(),
        REFERENCE / "lifecycle.svg": render_svg(),
        REFERENCE / "operations.md": render_operations(),
    }


# The lifecycle


def render_lifecycle() -> str:
    """The page about states."""
    return (
        "\n\n".join(
            (
                "# Lifecycle",
                MADE,
                (
                    "The lifecycle says what runs. At every look at an instance the questions below are asked from "
                    "the top; the first whose answer is yes gives the state. Nearly all are asked whatever the state "
                    "was before, so that the state follows the world also after something was missed. "
                    "[Operations](operations.md) change data; the `phase` that a status shows is this state, or the "
                    "operation in progress."
                ),
                "![The questions from the top, each with the state it leads to](lifecycle.svg)",
                "## States",
                "What a state runs, unless an operation in progress holds it back.",
                _table(("State", "Web", "Cron", "Starts by itself", "A command that waits"), _state_rows()),
                "## Reasons and ways out",
                "`Ready` carries the reason; `mooring status` shows all three.",
                _table(("State", "Reason", "What it means", "Way out"), _reason_rows()),
                "## The same as Mermaid",
                "```mermaid\n" + "\n".join(_mermaid()) + "\n```",
            )
        )
        + "\n"
    )


def _state_rows() -> Iterator[tuple[str, ...]]:
    for state, made in OUTPUTS.items():
        web, cron = ("runs" if runs else "off" for runs in (made.web, made.cron))
        yield f"`{state}`", web, cron, made.operation or "", "ends here" if made.settled else "goes on"


def _reason_rows() -> Iterator[tuple[str, ...]]:
    said = {(state, explain(state, seen)): None for state, seen in _reachable()}
    for state in OUTPUTS:
        for of, one in said:
            if of is state:
                yield f"`{state}`", f"`{one.reason}`", one.message, one.way_out


def _reachable() -> Iterator[tuple[State, Snapshot]]:
    names = [field.name for field in fields(Snapshot)]
    for values in product((True, False), repeat=len(names)):
        seen = Snapshot(**dict(zip(names, values, strict=True)))
        for state in State:
            yield next_state(state, seen), seen


def _mermaid() -> Iterator[str]:
    yield "stateDiagram-v2"
    yield "    [*] --> Provisioning"
    yield '    state "any state" as Any'
    for number, row in enumerate(TABLE, 1):
        for source in ["Any"] if row.sources == EVERYWHERE else sorted(row.sources):
            # A colon or a semicolon would end the label.
            words = _question(row).replace(":", "").replace(";", ",")
            yield f"    {source} --> {row.target}: {number}. {words}"


def _question(row: Transition) -> str:
    return " ".join((row.guard.__doc__ or "").replace("`", "").split()).rstrip(".")


def render_svg() -> str:
    """The table as a ladder of questions."""
    step, width = 56, 1000
    height = step * len(TABLE) + 24
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            'font-family="sans-serif" font-size="14">'
        ),
        "<title>The lifecycle: the first question whose answer is yes gives the state</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
        (
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
            '<path d="M0 0 L8 4 L0 8 z" fill="#555555"/></marker></defs>'
        ),
    ]
    for number, row in enumerate(TABLE):
        lines += _rung(row, 16 + number * step, last=number == len(TABLE) - 1)
    return "\n".join((*lines, "</svg>")) + "\n"


def _rung(row: Transition, top: int, *, last: bool) -> Iterator[str]:
    middle = top + 20
    fill = "#d7f0dd" if OUTPUTS[row.target].web else "#e6e6ea"
    words = escape(_question(row))
    if row.sources != EVERYWHERE:
        words += f' <tspan fill="#777777">(only from {escape(", ".join(sorted(row.sources)))})</tspan>'
    line = 'stroke="#555555" marker-end="url(#tip)"'
    yield f'<rect x="16" y="{top}" width="740" height="40" rx="4" fill="#f4f6fb" stroke="#8899bb"/>'
    yield f'<text x="30" y="{middle + 5}" fill="#111111">{words}</text>'
    yield f'<line x1="756" y1="{middle}" x2="814" y2="{middle}" {line}/>'
    yield f'<text x="764" y="{middle - 5}" font-size="12" fill="#555555">yes</text>'
    yield f'<rect x="816" y="{top}" width="168" height="40" rx="20" fill="{fill}" stroke="#667788"/>'
    yield f'<text x="900" y="{middle + 5}" text-anchor="middle" fill="#111111">{escape(row.target)}</text>'
    if not last:
        yield f'<line x1="60" y1="{top + 40}" x2="60" y2="{top + 55}" {line}/>'
        yield f'<text x="68" y="{top + 52}" font-size="12" fill="#555555">no</text>'


# Operations


def render_operations() -> str:
    """The page about operations."""
    return (
        "\n\n".join(
            (
                "# Operations",
                MADE,
                (
                    "An operation is one bounded change of an instance's data, release or running. It is a list of "
                    "steps. Each is written down before it is carried out and again when it is done, so that a kill "
                    "at any point loses nothing: the next run goes on where the last one ended."
                ),
                (
                    "When a step fails for good, or a person cancels, what was begun is taken back, the last step "
                    "first, and the instance is as before. Once users were let in, nothing is taken back by itself. "
                    "When taking back fails, the operation is stuck: it keeps its hold on the instance until a person "
                    "runs `mooring operations retry`."
                ),
                "## Types",
                "The phase is what a status shows while the operation runs.",
                _table(("Type", "Phase", "What it does"), _type_rows()),
                "## Side by side",
                "A row for what runs, a column for what is asked for: it runs *beside* it, *waits* its turn, or is *refused*.",
                _table(("", *(f"`{asked}`" for asked in OperationType)), _matrix_rows()),
            )
        )
        + "\n"
    )


def _type_rows() -> Iterator[tuple[str, ...]]:
    for one in OperationType:
        yield f"`{one}`", f"`{PHASES[one]}`", next(words for words, group in GROUPS if one in group)


def _matrix_rows() -> Iterator[tuple[str, ...]]:
    for running in OperationType:
        yield f"**`{running}`**", *(MARKS[MATRIX[running, asked]] for asked in OperationType)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
