# SPDX-License-Identifier: Apache-2.0
"""Brings up `examples/demo.yaml` with Mooring itself, logs in over HTTP, backs it up, destroys its database and restores it.

Then it says what to try next; or it removes everything.

    python tools/demo.py up
    python tools/demo.py down

It has a state directory of its own, so that it touches no other instance of this machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from mooring.drivers.docker.find import SYSTEM_SOCKETS

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "examples" / "demo.yaml"
MOORING = Path(sys.executable).with_name("mooring")
NAME = "demo"
WORD = "Written by the demo before its backup"
HTTP_TIMEOUT_S = 30
# No proxy: the address is this machine's own.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def home() -> Path:
    """The demo's state directory."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "state") / "mooring-demo"


def engine_line() -> str:
    """The next line for a shell where the engine is none that `mooring` finds by itself, else nothing."""
    host = os.environ.get("DOCKER_HOST", "")
    return f"\n  export DOCKER_HOST={host}" if host.removeprefix("unix://") not in ("", *SYSTEM_SOCKETS) else ""


def engine_note() -> Path:
    """Where it is written on which engine the demo is: beside its state directory, which is Mooring's alone."""
    return home().with_name(f"{home().name}.engine")


def keep_to_engine() -> None:
    """Remember which engine the demo is on; ends this one where it is up on another: that would stay there for ever."""
    engine, note = os.environ.get("DOCKER_HOST", ""), engine_note()
    known = note.read_text(encoding="utf-8") if note.exists() else engine
    if known != engine:
        way = f"DOCKER_HOST={known} make demo-down" if known else "make demo-down with Docker's context of that time"
        sys.exit(
            f"demo: it is up on another engine ({known or 'a context'}), and here is {engine or 'a context'}: {way}"
        )
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(engine, encoding="utf-8")


def mooring(*arguments: str, capture: bool = False) -> str:
    """Run the real program; what it printed if that is captured. Ends this one with its exit code if it fails."""
    done = subprocess.run(
        [str(MOORING), *arguments],
        env={**os.environ, "MOORING_HOME": str(home())},
        stdout=subprocess.PIPE if capture else None,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(done.returncode)
    return (done.stdout or "").strip()


def instance() -> dict[str, Any] | None:
    """The demo's record, None when there is none."""
    if not home().exists():
        return None
    found = json.loads(mooring("list", "--instances", "-o", "json", capture=True))
    return next((one for one in found if one["name"] == NAME), None)


def up() -> None:
    """Bring it up, log in, print what to do with it."""
    began = time.monotonic()
    keep_to_engine()
    mooring("apply", "-f", str(MANIFEST))
    record = instance()
    if record is None or not record["url"]:
        sys.exit("demo: Mooring says that it is done, and gives no address")
    url = record["url"].rstrip("/")
    password = mooring("secret", "show", f"{NAME}-odoo", "admin-password", capture=True)
    database = json.loads(mooring("status", NAME, "-o", "json", capture=True))["database"]["name"]
    user = log_in(url, database, password)
    served = time.monotonic() - began
    drill(url, database, password, user)
    print(f"""
Logged in over HTTP as user number {user}, {served:.0f} s after the start. Then it was backed up, its database was destroyed,
and it was restored: the contact "{WORD}" is there again, {time.monotonic() - began:.0f} s after the start.

  URL       {url}/web/login
  Login     admin
  Password  {password}
            (from `mooring secret show {NAME}-odoo admin-password`; shown because this is a demo)

Try next:
  export MOORING_HOME={home()}{engine_line()}
  {MOORING} status {NAME}                # conditions, processes, database
  {MOORING} snapshots {NAME} --repository {NAME}  # its backups
  {MOORING} logs {NAME} -f               # what Odoo says
  {MOORING} upgrade {NAME} --install crm # with a safety copy, and back again if it fails
  {MOORING} psql {NAME}                  # its database
  edit {MANIFEST.relative_to(ROOT)}, then {MOORING} plan -f {MANIFEST.relative_to(ROOT)}
  make demo-down                                  # removes it with its data
""")


def drill(url: str, database: str, password: str, user: int) -> None:
    """Write a contact, back up, destroy the database, restore, and find the contact again."""
    repository = {
        "apiVersion": "mooring.dev/v1alpha1",
        "kind": "BackupRepository",
        "metadata": {"name": NAME},
        "spec": {"url": f"file://{home() / 'backups'}"},
    }
    manifest = home() / "repository.json"
    manifest.write_text(json.dumps(repository))
    mooring("apply", "-f", str(manifest))
    about = (database, user, password, "res.partner")
    contact = call(url, "object", "execute_kw", *about, "create", [{"name": WORD}])
    mooring("backup", NAME, "--repository", NAME)
    destroy = "SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public"
    mooring("psql", NAME, "--", "-q", "-c", destroy)
    mooring("restore", NAME, "--repository", NAME, "--yes")
    mooring("release-hold", NAME)
    found = call(url, "object", "execute_kw", *about, "read", [[contact], ["name"]])
    if [row["name"] for row in found] != [WORD]:
        sys.exit("demo: the restored Odoo does not have the contact that was written before the backup")


def call(url: str, service: str, method: str, *arguments: Any) -> Any:
    """One JSON-RPC call; its result."""
    body = {
        "jsonrpc": "2.0",
        "method": "call",
        "params": {"service": service, "method": method, "args": list(arguments)},
    }
    request = urllib.request.Request(
        f"{url}/jsonrpc", json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with OPENER.open(request, timeout=HTTP_TIMEOUT_S) as answer:
        said = json.load(answer)
    if "error" in said:
        sys.exit(f"demo: Odoo refused {method}: {said['error'].get('data', {}).get('message', said['error'])}")
    return said.get("result")


def log_in(url: str, database: str, password: str) -> int:
    """Load the login page, then authenticate by JSON-RPC; the user's number."""
    with OPENER.open(f"{url}/web/login", timeout=HTTP_TIMEOUT_S) as page:
        text = page.read().decode(errors="replace")
    if 'name="password"' not in text:
        sys.exit(f"demo: {url}/web/login is no login page")
    user = call(url, "common", "authenticate", database, "admin", password, {})
    if not isinstance(user, int) or isinstance(user, bool):
        sys.exit("demo: Odoo refused the login")
    return user


def down() -> None:
    """Remove it with its data and its database server, then its state directory."""
    keep_to_engine()
    if instance() is not None:
        mooring("delete", NAME, "--purge", "--confirm", NAME)
    if home().exists():
        left = json.loads(mooring("list", "-o", "json", capture=True))
        left = [one for one in left if one["kind"] != "BackupRepository"]
        if left:
            sys.exit(f"demo: {home()} holds more than the demo ({left[0]['kind']} {left[0]['name']}); it was left")
        try:
            shutil.rmtree(home())
        except PermissionError as error:
            sys.exit(f"demo: the backups belong to the containers' users: remove {error.filename} as root")
    engine_note().unlink(missing_ok=True)
    print("The demo is gone.")


def main() -> None:
    """Do what is asked."""
    actions = {"up": up, "down": down}
    if len(sys.argv) != 2 or sys.argv[1] not in actions:
        sys.exit("usage: demo.py up|down")
    try:
        actions[sys.argv[1]]()
    except urllib.error.URLError as error:
        sys.exit(f"demo: Odoo does not answer: {error.reason}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
