# SPDX-License-Identifier: Apache-2.0
"""Judges the options that a user writes for odoo.conf: how they are written, which are refused, which are unknown.

A user's word wins, except for what would break a safety rule: such options are refused with the reason and the field to
use instead. Unknown keys pass (add-ons have keys of their own) with a warning that names the nearest known key. Nothing
is dropped silently. Values that could be secrets never appear in a message. Called by `conf`.

How Odoo reads the file (odoo/tools/config.py, RawConfigParser): no interpolation, so `%` is an ordinary character; keys
are lowered; a line break would begin another option; old names (`xmlrpc_port`) still set the new ones; and an option of
the command line, such as `stop_after_init` or `test_tags`, is obeyed in the file too.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from mooring.domain.odoo.errors import Refusal
from mooring.domain.odoo.facts import OdooFacts

OptionValue = str | int | float | bool
"""What a manifest may say for an option."""

Environment = Literal["Production", "Staging"]

_KEY: Final = re.compile(r"[a-z][a-z0-9_.-]{0,99}", re.ASCII)
_SECRET_KEY: Final = re.compile(r"passw|secret|token|passphrase|api_?key|private")

_PORTS = ("Odoo's ports inside are fixed; the ingress and the probes rely on them.", "Use `service.port` or `ingress`.")
_DATABASE = ("Mooring decides which database and role an instance uses.", "Use `database`.")
_DEMO = ("it would contradict what `init` installs.", "Use `init.demo`.")
_ONCE = (
    "it is for single runs: a server would stop, or change data, at every start.",
    "Use `mooring upgrade` or `init`.",
)
_TESTS = ("tests write to the database they run in.", "Run tests in an instance of their own, with `mooring exec`.")
_LOGS = ("logs go to standard output, where `mooring logs` reads them.", "Use `logs.volume: true` for a file.")

# Refused in every environment: key -> (reason, what to do instead).
_REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    "addons_path": ("its order is a matter of precedence that Mooring keeps.", "Use `addons`."),
    "admin_passwd": ("the master password never stands in clear.", "Use `adminPasswordSecretRef`."),
    "config": _ONCE,
    "data_dir": ("the filestore's volume is mounted where Mooring says.", "Use `filestore`."),
    "db_host": (_DATABASE[0], "Use `database.server` or `database.external.host`."),
    "db_name": (_DATABASE[0], "Use `database.name`."),
    "db_password": ("passwords never stand in clear.", "Use `database.external.secretRef`."),
    "db_port": (_DATABASE[0], "Use `database.external.port`."),
    "db_sslmode": (_DATABASE[0], "Use `database.external.sslMode`."),
    "db_template": ("databases are created by Mooring, from template0.", "Use `init.template`."),
    "db_user": (_DATABASE[0], "Use key `user` of `database.external.secretRef`."),
    "dbfilter": ("it keeps every other database of the server out of reach.", "Use `database.name`."),
    "gevent_port": _PORTS,
    "http_enable": ("the role of a process decides whether it serves HTTP.", "Use `replicas` and `cron`."),
    "http_interface": ("it would cut the ingress or the probes off, or open the port wider.", "Use `service`."),
    "http_port": _PORTS,
    "import_partial": _ONCE,
    "init": _ONCE,
    "list_db": ("the database manager would be open to everybody who knows the master password.", "Leave it out."),
    "log_db": ("logs would be written into a database.", _LOGS[1]),
    "longpolling_port": _PORTS,
    "overwrite_existing_translations": _ONCE,
    "pidfile": ("containers and systemd keep track of processes.", "Leave it out."),
    "root_path": ("it is where Odoo's code is.", "Use `image` or `git`."),
    "save": _ONCE,
    "skip_auto_install": ("it would contradict what `init` installs.", "Use `init.modules`."),
    "stop_after_init": _ONCE,
    "syslog": _LOGS,
    "test_enable": _TESTS,
    "test_file": _TESTS,
    "test_tags": _TESTS,
    "translate_in": _ONCE,
    "translate_out": _ONCE,
    "update": _ONCE,
    "with_demo": _DEMO,
    "without_demo": _DEMO,
    "xmlrpc": ("it is the old name of http_enable.", "Use `replicas` and `cron`."),
    "xmlrpc_interface": ("it is the old name of http_interface.", "Use `service`."),
    "xmlrpc_port": _PORTS,
}

_OUT: Final = "nothing may leave a staging instance but to its database and its mail sink."
_STAGING_REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    "db_replica_host": (_OUT, "Leave it out; `mooring promote` makes the instance a production one."),
    "db_replica_port": (_OUT, "Leave it out."),
    "max_cron_threads": ("scheduled actions of a copy would repeat what production does.", "Leave it out."),
    "server_wide_modules": (
        "modules that start by themselves, such as job runners, would act on a copy.",
        "Leave it out.",
    ),
}

# A debugger in the browser, or one that waits for a terminal that nobody has.
_DANGEROUS_DEV: Final = frozenset({"all", "werkzeug", "pdb", "wdb", "ipdb", "pudb"})


@dataclass(frozen=True)
class Judged:
    """What remains of a user's options.

    Attributes:
        accepted: key (lower case) to text, for the file.
        refusals: what must not be.
        warnings: one sentence each.
    """

    accepted: Mapping[str, str]
    refusals: tuple[Refusal, ...]
    warnings: tuple[str, ...]


def read_integer(value: OptionValue) -> int | None:
    """A whole number, as Odoo would read it, or None; True and False are none."""
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        return None
    try:
        return int(value)
    except (ValueError, OverflowError):
        return None


def write_value(value: OptionValue) -> str:
    """A value as Odoo reads it: `True`, `False`, a number, or text without blanks at its ends."""
    return str(value).strip()


def writing_fault(text: str) -> str | None:
    """Why `text` cannot be written on one line of the file, or None. Says nothing of the text itself."""
    if any(not character.isprintable() for character in text):
        return "has a line break or another control character."
    return None


def judge_options(
    options: Mapping[str, OptionValue],
    *,
    facts: OdooFacts,
    environment: Environment,
    logs_volume: bool,
    workers: int,
) -> Judged:
    """Sorts a user's options into accepted, refused and doubtful ones; never raises.

    Args:
        options: key to value, as written in `configOptions`.
        facts: of the release's series.
        environment: of the instance.
        logs_volume: whether there is a volume for log files.
        workers: what was decided for web; the same number again is no fault.
    """
    accepted: dict[str, str] = {}
    refusals: list[Refusal] = []
    warnings: list[str] = []
    for written, value in options.items():
        key, text = written.strip().lower(), write_value(value)
        if not _KEY.fullmatch(key):
            refusals.append(Refusal(repr(written[:80]), "cannot be a key of odoo.conf."))
        elif key in accepted or [k.strip().lower() for k in options].count(key) > 1:
            refusals.append(Refusal(written, "is written twice; Odoo does not tell upper from lower case."))
        elif fault := writing_fault(text):
            refusals.append(Refusal(key, fault))
        elif refusal := _refusal(key, text, environment=environment, logs_volume=logs_volume, workers=workers):
            refusals.append(refusal)
        else:
            accepted[key] = text
            warnings.extend(_warnings(key, facts))
    return Judged(accepted, tuple(refusals), tuple(warnings))


def _refusal(key: str, text: str, *, environment: Environment, logs_volume: bool, workers: int) -> Refusal | None:
    if key in _REFUSED:
        return Refusal(key, *_REFUSED[key])
    if environment == "Staging" and (key in _STAGING_REFUSED or key.startswith("smtp_")):
        return Refusal(key, *_STAGING_REFUSED.get(key, (_OUT, "Read the mail in the mail sink.")))
    if key == "workers" and read_integer(text) != workers:
        return Refusal(key, "memory, connections and routes are computed from it.", "Use `workers`.")
    if key == "logfile" and not logs_volume:
        return Refusal(key, *_LOGS)
    if key == "dev_mode" and _DANGEROUS_DEV & {part.strip().lower() for part in text.split(",")}:
        return Refusal(key, "a debugger would be open to whoever provokes an error.", "Use reload, qweb or xml.")
    return None


def _warnings(key: str, facts: OdooFacts) -> list[str]:
    found = []
    if not facts.knows(key):
        near = difflib.get_close_matches(key, sorted(facts.option_keys), n=1)
        hint = f"; did you mean {near[0]}?" if near else " and is passed on for add-ons that read it."
        found.append(f"configOptions.{key} is no option of Odoo {facts.series}{hint}")
    if looks_secret(key):
        found.append(f"configOptions.{key} stands in clear in the manifest.")
    return found


def looks_secret(key: str) -> bool:
    """Whether the name of an option says that its value is a secret."""
    return _SECRET_KEY.search(key.lower()) is not None
