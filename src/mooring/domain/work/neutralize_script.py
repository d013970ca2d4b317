# SPDX-License-Identifier: Apache-2.0
"""What does this release hold, and what would its own neutralization do? A script for the release's own Python. Pure.

`odoo neutralize --stdout` prints, for each module that a database has, what `odoo.modules.neutralize` reads from that
module's add-on. The script calls that same function for every add-on that the release finds, without a database: it needs no
role, no password and no network, and so can change nothing. The engine picks what the database has installed.

It speaks the task protocol, and runs on Python 3.6 and newer. Its result is a `ReleaseCode`.
"""

from __future__ import annotations

from collections.abc import Iterable

from mooring.domain.work.release_probe import FIND_ODOO

_PYTHON = r"""
import base64, json, os, sys, traceback, zlib


def say(kind, **rest):
    print(json.dumps(dict(v=1, type=kind, **rest)), flush=True)


def fail(brief, details):
    say("error", error={
        "code": "MOOR-490", "reason": "ReleaseUnread", "brief": brief, "details": details[-3000:],
        "resolution": "Read the details: the release has to import Odoo and to read its add-ons' folders.",
        "retry": "never",
    })
    sys.exit(1)


def names():
    found = set()
    for path in list(odoo.addons.__path__):
        for name in os.listdir(path) if os.path.isdir(path) else ():
            if any(os.path.isfile(os.path.join(path, name, file)) for file in ("__manifest__.py", "__openerp__.py")):
                found.add(name)
    return sorted(found)


say("progress", step="read the add-ons", done=0, total=0)
try:
    import odoo
    import odoo.release
    from odoo.tools import config
    options = ["--config=/dev/null", "--data-dir=/tmp", "--logfile="]
    config.parse_config(options + (["--addons-path=" + sys.argv[1]] if sys.argv[1] else []))
    import odoo.addons
    try:
        from odoo.modules.neutralize import get_neutralization_queries
    except ImportError:
        get_neutralization_queries = None
    modules, sql = names(), {}
    for name in modules if get_neutralization_queries else ():
        text = "\n".join(get_neutralization_queries([name]))
        if text:
            sql[name] = text
    said = json.dumps({"modules": modules, "sql": sql}).encode()
    packed = base64.b64encode(zlib.compress(said, 9)).decode()
except SystemExit:
    fail("The release refuses its add-ons' folders.", traceback.format_exc())
except Exception as fault:
    fail("The release cannot read its add-ons: %s." % type(fault).__name__, traceback.format_exc())
say("result", result={
    "series": odoo.release.series, "native": get_neutralization_queries is not None, "modules": len(modules),
    "packed": packed,
})
"""

SCRIPT = f"""{FIND_ODOO}
[ -n "$program" ] && [ -n "$python" ] || {{ echo 'the release holds no Odoo with a Python that runs it' >&2; exit 1; }}
cd "$(dirname "$program")" || exit 1
exec $python -c '{_PYTHON.replace("'", chr(39) + chr(92) + chr(39) + chr(39))}' "$1"
"""


def render_neutralize_argv(addons: Iterable[str]) -> tuple[str, ...]:
    """The whole command of the task that reads a release.

    Args:
        addons: folders of add-ons as in `addons_path` of odoo.conf, in its order, as the release's processes see them.

    Raises:
        ValueError: a folder has a comma in its name, which Odoo would read as two.
    """
    folders = tuple(addons)
    if any("," in folder for folder in folders):
        raise ValueError("a folder of add-ons must not have a comma in its name")
    return ("sh", "-c", SCRIPT, "mooring-neutralize", ",".join(folders))
