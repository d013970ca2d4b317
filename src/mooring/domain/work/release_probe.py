# SPDX-License-Identifier: Apache-2.0
"""What a release is, asked of the release itself: a script for `sh -c` in its image, and the reader of its answer. Pure.

An image's tag proves nothing, so the series, the user and the add-ons folder come from what is inside. The script needs
a POSIX shell, `id` and the Python that Odoo runs on; it prints KEY=VALUE lines and ends with 0 whatever it finds.
"""

from __future__ import annotations

import re

from mooring.domain.model.release import ReleaseFacts
from mooring.domain.work.errors import NotOdoo

FIND_ODOO = r"""
program=$(command -v odoo || command -v odoo-bin || command -v odoo.py || true)
for candidate in /opt/odoo/odoo-bin /opt/odoo/odoo/odoo-bin /odoo/odoo-bin; do
    if [ -z "$program" ] && [ -x "$candidate" ]; then program=$candidate; fi
done
# Odoo's own interpreter may be another than the first python3: it stands in the first line of the program.
python=$(sed -n '1s/^#! *//p' "$program" 2>/dev/null | head -n 1)
case "$python" in
    "/usr/bin/env "*) python=$(command -v "${python#/usr/bin/env }" || true) ;;
esac
case "$python" in
    *python*) ;;
    *) python=$(command -v python3 || true) ;;
esac
"""
"""Shell that sets `program` to what starts Odoo and `python` to its interpreter; empty where there is none."""

SCRIPT = (
    FIND_ODOO
    + r"""
echo "MOORING_PROGRAM=$program"
echo "MOORING_UID=$(id -u odoo 2>/dev/null)"
echo "MOORING_GID=$(id -g odoo 2>/dev/null)"
[ -n "$program" ] || exit 0
[ -n "$python" ] || exit 0
cd "$(dirname "$program")" || exit 0
$python - <<'MOORING_END' 2>/dev/null
import os, sys
print("MOORING_PYTHON=%d.%d" % sys.version_info[:2])
import odoo
import odoo.release
roots = []
for path in list(odoo.__path__):
    roots.append(os.path.join(path, "addons"))
    roots.append(os.path.join(os.path.dirname(path), "addons"))
for path in roots:
    if os.path.isfile(os.path.join(path, "web", "__manifest__.py")):
        print("MOORING_ADDONS=" + os.path.abspath(path))
        break
print("MOORING_SERIES=" + odoo.release.series)
MOORING_END
exit 0
"""
)
_LINE = re.compile(r"^MOORING_([A-Z]+)=(.*)$")
_SERIES = re.compile(r"(\d+\.\d+)")


def parse_release_probe(output: str) -> ReleaseFacts:
    """Read what `SCRIPT` printed; other lines are passed over.

    Raises:
        NotOdoo: no program that starts Odoo, no user `odoo`, or no series; the message names every lack.
    """
    found = {match[1]: match[2].strip() for line in output.splitlines() if (match := _LINE.match(line))}
    series = _SERIES.search(found.get("SERIES", ""))
    lacks = [
        text
        for text, there in (
            ("no program `odoo`", found.get("PROGRAM")),
            ("no series in its version", series),
            ("no user `odoo`", found.get("UID", "").isdecimal() and found.get("GID", "").isdecimal()),
            ("no folder with the add-on `web`", found.get("ADDONS")),
            ("no Python that imports Odoo", found.get("PYTHON")),
        )
        if not there
    ]
    if lacks or series is None:
        raise NotOdoo(f"This is no release of Odoo: {', '.join(lacks)}.", details=output[-2000:])
    return ReleaseFacts(
        series=series[1],
        uid=int(found["UID"]),
        gid=int(found["GID"]),
        core_addons=found["ADDONS"],
        program=found["PROGRAM"],
        python=found["PYTHON"],
    )
