# SPDX-License-Identifier: Apache-2.0
"""How long `mooring --help` takes beside an interpreter that does nothing, and what it imports."""

from __future__ import annotations

import json

from bench.commands import MOORING, PYTHON, run
from bench.figures import Figure, Part, ratios

LIMIT = 8.0
_MODULES = (
    "import contextlib, io, json, sys\n"
    "before = set(sys.modules)\n"
    "from mooring.cli.main import main\n"
    "with contextlib.redirect_stdout(io.StringIO()):\n"
    "    main(['--help'])\n"
    "print(json.dumps(sorted(set(sys.modules) - before)))\n"
)


def measure(repeats: int) -> Part:
    """Both in turn, `repeats` times."""
    for argv in ([PYTHON, "-c", "pass"], [MOORING, "--help"]):
        run(argv)  # the first one reads from the disk what the others find in memory
    bare: list[float] = []
    ours: list[float] = []
    for _ in range(repeats):
        bare.append(run([PYTHON, "-c", "pass"]).wall_s)
        ours.append(run([MOORING, "--help"]).wall_s)
    modules = json.loads(run([PYTHON, "-c", _MODULES]).out)
    return Part(
        "Start-up",
        "`mooring --help` and `python -c pass` with the same interpreter, in turn.",
        (
            Figure("`mooring --help` by `python -c pass`", "ratio", ratios(tuple(ours), tuple(bare)), LIMIT),
            Figure("`python -c pass`", "s", tuple(bare)),
            Figure("`mooring --help`", "s", tuple(ours)),
        ),
        lists={
            f"The {len(modules)} modules that `mooring --help` imports beyond the interpreter's own": tuple(modules)
        },
    )
