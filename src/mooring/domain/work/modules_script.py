# SPDX-License-Identifier: Apache-2.0
"""What are this release's files of these modules? A script for the release's own Python, and its command. Pure.

It reads a `ModulesHash` document and gives a `HashedModules`. It needs no database, no password and no network. A module is
looked for where Odoo would: on the path that Odoo itself makes. It speaks the task protocol, and runs on Python 3.6 and newer.
"""

from __future__ import annotations

from collections.abc import Iterable

from mooring.domain.work.release_probe import FIND_ODOO

_PYTHON = r"""
import ast, fnmatch, hashlib, importlib.util, json, os, re, sys, traceback


def say(kind, **rest):
    print(json.dumps(dict(v=1, type=kind, **rest)), flush=True)


def fail(code, reason, brief, details, resolution):
    say("error", error={
        "code": code, "reason": reason, "brief": brief, "details": details[-3000:], "resolution": resolution,
        "retry": "never",
    })
    sys.exit(1)


def unread(brief):
    fail("MOOR-591", "ModulesUnread", brief, traceback.format_exc(),
         "Read the details: the release has to import Odoo and to read its add-ons' folders.")


def find(name):
    # As Odoo: the first folder on the path with a manifest in it.
    for path in paths:
        folder = os.path.join(path, name)
        for file in ("__manifest__.py", "__openerp__.py"):
            if os.path.isfile(os.path.join(folder, file)):
                return folder, os.path.join(folder, file)
    return None


def manifest(place):
    try:
        with open(place[1], "rb") as file:
            found = ast.literal_eval(file.read().decode("utf-8-sig"))
        return found if isinstance(found, dict) else {}
    except (SyntaxError, ValueError, OSError):
        return None


def skipped(folder):
    # What fits "static/*" by its beginning fits it whatever follows: nobody has to look at thousands of pictures.
    return any(one.endswith("*") and fnmatch.fnmatch(folder + "/", one) for one in asked["patterns"])


def checksum(top):
    kept = {code.split("_")[0] for code in asked["languages"]}
    digest = hashlib.sha1()
    for folder, folders, files in os.walk(top):
        inner = os.path.relpath(folder, top)
        inner = "" if inner == "." else inner
        folders[:] = sorted(one for one in folders if not skipped(os.path.join(inner, one)))
        for file in sorted(files):
            path = os.path.join(inner, file)
            if any(fnmatch.fnmatch(path, pattern) for pattern in asked["patterns"]):
                continue
            stem, ending = os.path.splitext(file)
            if kept and inner in ("i18n", "i18n_extra") and ending == ".po" and stem.split("_")[0] not in kept:
                continue
            digest.update(os.fsencode(path))
            with open(os.path.join(folder, file), "rb") as source:
                digest.update(source.read())
    return digest.hexdigest()


def lacks(requirement):
    # Odoo takes a distribution's name or a package's; what cannot be judged is left to Odoo.
    if ";" in requirement:
        return False
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement.strip())
    if not match:
        return False
    try:
        if importlib.util.find_spec(match.group()) is not None:
            return False
    except (ImportError, ValueError, AttributeError):
        pass
    try:
        try:
            from importlib import metadata
            metadata.distribution(match.group())
        except ImportError as fault:
            if type(fault).__name__ == "PackageNotFoundError":
                return True
            import pkg_resources
            try:
                pkg_resources.get_distribution(match.group())
            except pkg_resources.DistributionNotFound:
                return True
    except Exception:
        return False
    return False


say("progress", step="read the add-ons", done=0, total=0)
try:
    with open(sys.argv[2]) as file:
        asked = json.load(file)
    import odoo
    import odoo.release
    from odoo.tools import config
    options = ["--config=/dev/null", "--data-dir=/tmp", "--logfile="]
    config.parse_config(options + (["--addons-path=" + sys.argv[1]] if sys.argv[1] else []))
    import odoo.addons
    paths = list(odoo.addons.__path__)
    modules = sorted(asked["modules"])
    sums, missing, manifests, queue = {}, [], {}, modules + sorted(asked["install"])
    for number, name in enumerate(queue):
        if number % 20 == 0:
            say("progress", step="read the modules", done=number, total=len(queue))
        place = find(name)
        found = manifest(place) if place else None
        if found is None or not found.get("installable", True):
            missing.append(name)
            continue
        manifests[name] = found
        sums[name] = checksum(place[0])
        if number >= len(modules):
            queue += [one for one in found.get("depends") or ["base"] if one not in queue]
    missing = [name for name in missing if name in modules]
    changed = [name for name in modules if name in sums and sums[name] != asked["known"].get(name)]
except SystemExit:
    unread("The release refuses its add-ons' folders.")
except Exception as fault:
    unread("The release cannot read its add-ons: %s." % type(fault).__name__)
named = sorted(asked["also"])
update = {"all": ["all"], "named": named, "changed": sorted({*changed, *named})}[asked["select"]]
if asked["select"] == "changed" and "base" in update:
    update = ["all"]
ran = [name for name in manifests if "all" in update or name in update or name not in modules]
lacking = []
for name in sorted(ran):
    needs = (manifests[name].get("external_dependencies") or {}).get("python") or []
    lacking += ["%s needs %s" % (name, one) for one in needs if isinstance(one, str) and lacks(one)]
if lacking:
    fail("MOOR-592", "RequirementsMissing", "The release lacks %d Python package(s): %s." % (
        len(lacking), ", ".join(lacking[:5])), "\n".join(lacking),
        "Build the packages that the message names into the image, then upgrade to that image.")
say("result", result={
    "checksums": sums, "missing": missing, "changed": changed, "update": update,
    "touched": update + sorted(asked["install"]),
})
"""

SCRIPT = f"""{FIND_ODOO}
[ -n "$program" ] && [ -n "$python" ] || {{ echo 'the release holds no Odoo with a Python that runs it' >&2; exit 1; }}
cd "$(dirname "$program")" || exit 1
exec $python -c '{_PYTHON.replace("'", chr(39) + chr(92) + chr(39) + chr(39))}' "$1" "$2"
"""


def render_modules_argv(addons: Iterable[str], document: str) -> tuple[str, ...]:
    """The whole command of the task that reads a release's modules.

    Args:
        addons: folders of add-ons as in `addons_path` of odoo.conf, in its order, as the release's processes see them.
        document: path of the `ModulesHash`.

    Raises:
        ValueError: a folder has a comma in its name, which Odoo would read as two.
    """
    folders = tuple(addons)
    if any("," in folder for folder in folders):
        raise ValueError("a folder of add-ons must not have a comma in its name")
    return ("sh", "-c", SCRIPT, "mooring-modules", ",".join(folders), document)
