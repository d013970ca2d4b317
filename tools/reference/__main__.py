# SPDX-License-Identifier: Apache-2.0
"""Write the pages that are made from the program.

python -m tools.reference           write docs/reference/{manifest,errors,exit-codes,settings,cli}.md
python -m tools.reference --check   change nothing; name what is not up to date and exit with 1
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.reference.cli import render_cli
from tools.reference.errors import render_errors
from tools.reference.exits import render_exits
from tools.reference.manifest import render_manifest
from tools.reference.settings import render_settings

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


def main(argv: Sequence[str] | None = None) -> int:
    """Write or check the pages; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.reference", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say what is not up to date")
    check = parser.parse_args(argv).check
    stale = 0
    for name, text in pages().items():
        path = REFERENCE / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        print(f"reference/{name} {'is not up to date: run python -m tools.reference' if check else 'written'}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 1 if check and stale else 0


def pages() -> Mapping[str, str]:
    """Every generated page with its text."""
    return {
        "manifest.md": render_manifest(),
        "errors.md": render_errors(),
        "exit-codes.md": render_exits(),
        "settings.md": render_settings(),
        "cli.md": render_cli(),
    }


if __name__ == "__main__":
    sys.exit(main())
