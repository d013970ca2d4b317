# SPDX-License-Identifier: Apache-2.0
"""`mooring status`: one instance, from its record and from a look at the engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App
    from mooring.cli.style import Style
    from mooring.drivers.documents import Document

POLL_S = 1.0
SHOWN_STEPS = 12


@declare(
    "status",
    short="Show one instance: conditions, address, operation.",
    examples=("mooring status shop", "mooring status shop --watch", "mooring status shop -o json"),
)
@click.argument("name")
@click.option("-w", "--watch", is_flag=True, help="Show it again whenever it changes, until interrupted.")
def command(options: Options, name: str, *, watch: bool) -> int:
    """Show the instance NAME: what is on record, and which processes answer now.

    Where there is no such instance, the database server of that name is shown.

    Where no engine answers, the record alone is shown and a warning says so. With --watch, `-o json` prints one object a
    line.
    """
    from mooring.cli.context import run
    from mooring.cli.output import print_data, print_text, style_for

    style = style_for(options)

    def show(value: Mapping[str, Any]) -> None:
        if options.output == "table":
            print_text(_render(value, style))
        elif watch and options.output == "json":
            print_text(json.dumps(value, ensure_ascii=False))
        else:
            print_data(options, value)

    async def work(app: App) -> None:
        shown: Mapping[str, Any] | None = None
        while True:
            value = await _view(app, name)
            if value != shown:
                if shown is not None and options.output != "json":
                    print_text("---" if options.output == "yaml" else "")
                show(value)
                shown = value
            if not watch:
                return
            await app.clock.sleep(POLL_S)

    run(options, work)
    return 0


async def _view(app: App, name: str) -> dict[str, Any]:
    """{kind, namespace, name, phase, url, release, database, conditions, operation, problem, lastError, seen, …}.

    Of a database server also `users`: the names of the instances that use it.
    """
    from mooring.cli.driving import view
    from mooring.cli.names import find_instance_or_server, operations_of
    from mooring.cli.servers import users_of

    doc = await find_instance_or_server(app, name)
    status = doc.status
    operations = await operations_of(app, doc.ref)
    current = next((one for one in reversed(operations) if one.phase == "Running"), None)
    last = next((one for one in reversed(operations) if one.ended), None)
    seen, trouble = await _look(app, doc)
    previous = status.get("previous") or {}
    return {
        **view(doc),
        "generation": doc.generation,
        "observedGeneration": status.get("observedGeneration"),
        "digest": (status.get("release") or status.get("image") or {}).get("digest"),
        "database": status.get("database"),
        "conditions": list(status.get("conditions", ())),
        "operation": None if current is None else _operation(current.doc, current.type),
        "lastError": None
        if last is None or last.phase != "Failed"
        else {"operation": last.doc.ref.name, **(last.doc.status.get("error") or {}), "logTail": _tail(last.doc)},
        "problem": status.get("problem"),
        "previous": previous.get("image") or previous.get("digest"),
        **{key: status[key] for key in ("lastBackup", "lastVerify") if status.get(key)},
        **({"previousUntil": previous["until"]} if previous.get("until") else {}),
        "seen": seen,
        "warnings": [*(status.get("warnings") or ()), *([trouble] if trouble else ())],
        **({"users": await users_of(app, doc)} if doc.ref.kind == "DatabaseServer" else {}),
    }


def _operation(doc: Document, kind: str) -> dict[str, Any]:
    """{type, name, startTime, steps: [{step, state, at, seconds}]}: the last state of each step."""
    from datetime import datetime

    steps: dict[str, dict[str, Any]] = {}
    for record in doc.status.get("steps", ()):
        began = steps.get(record["step"], {}).get("began", record["at"])
        if record["state"] in ("intended", "undoing"):
            began = record["at"]
        spent = datetime.fromisoformat(record["at"]) - datetime.fromisoformat(began)
        steps[record["step"]] = {
            "step": record["step"],
            "state": record["state"],
            "began": began,
            "seconds": round(spent.total_seconds(), 1),
        }
    return {
        "type": str(kind),
        "name": doc.ref.name,
        "startTime": doc.status.get("startTime"),
        "stuck": bool(doc.status.get("stuck")),
        "steps": list(steps.values()),
    }


def _tail(doc: Document) -> list[str]:
    return str(doc.status.get("logTail", "")).splitlines()[-20:]


async def _look(app: App, doc: Document) -> tuple[list[dict[str, Any]], str]:
    """[{role, replicas, running, ready}] of what is there now; or why nobody can tell."""
    from mooring.errors import MooringError

    try:
        target = await app.target()
        seen = await target.observe(doc.ref)
    except MooringError as error:
        return [], f"{error.brief} What is shown is what is on record."
    rows = [
        {"role": role, "replicas": len(one.replicas), "running": one.running, "ready": one.ready}
        for role, one in sorted(seen.workloads.items())
        if one.replicas
    ]
    return rows, ""


def _database_text(database: Mapping[str, Any] | None) -> str:
    from mooring.cli.output import render_bytes

    if not database:
        return "-"
    size = database.get("sizeBytes")
    return f"{database['name']} on {database['server']}" + ("" if size is None else f", {render_bytes(size)}")


def _before_text(value: Mapping[str, Any]) -> str:
    until = f" until {value['previousUntil']}" if "previousUntil" in value else ""
    return f"{value['previous']} (`mooring rollback` returns to it{until})"


def _backup_text(last: Mapping[str, Any]) -> str:
    text = f"{last['result']} at {last['time']}"
    if last.get("snapshot") and last["result"] != "Failed":
        return f"{text}, snapshot {last['snapshot'][:12]}"
    good = last.get("lastGood")
    return f"{text}; the last complete one at {good}" if good else f"{text}; none was complete yet"


def _verify_text(last: Mapping[str, Any]) -> str:
    from mooring.cli.output import render_seconds

    depth = {"Structure": "what is there", "Data": "its content", "Restore": "a drill"}
    text = f"{last['result']} at {last['time']} ({depth.get(last['scope'], last['scope'])})"
    if last.get("recoverySeconds"):
        text += f"; recovery time to expect: {render_seconds(last['recoverySeconds'])}"
    return text + (f"; {last['message']}" if last.get("message") else "")


def _render(value: Mapping[str, Any], style: Style) -> str:
    from mooring.cli.output import mark_phase, render_seconds, render_table

    release = value["release"] or "-"
    if value["version"]:
        release += f" (Odoo {value['version']})"
    seen = ", ".join(f"{one['role']} {one['ready']} of {one['replicas']} ready" for one in value["seen"])
    server = value["kind"] == "DatabaseServer"
    rows = [
        (
            "Server" if server else "Name",
            value["name"] if value["namespace"] == "default" else f"{value['namespace']}/{value['name']}",
        ),
        ("Phase", mark_phase(style, value["phase"])),
        *((("Serves as", value["environment"]),) if value["environment"] else ()),
        *(() if server else (("URL", value["url"] or "-"),)),
        ("Image" if server else "Release", release),
        *((("Before", _before_text(value)),) if value["previous"] else ()),
        *(() if server else (("Database", _database_text(value["database"])),)),
        *((("Used by", ", ".join(value["users"]) or "no instance"),) if server else ()),
        *((("Backup", _backup_text(value["lastBackup"])),) if "lastBackup" in value else ()),
        *((("Verified", _verify_text(value["lastVerify"])),) if "lastVerify" in value else ()),
        ("Processes", seen or "none"),
    ]
    lines = [f"{style.strong(f'{head}:'.ljust(11))} {text}" for head, text in rows]
    lines += [f"{style.careful('warning:')} {warning}" for warning in value["warnings"]]
    if value["conditions"]:
        table = [
            (one["type"], one["status"], one["reason"], one["lastTransitionTime"], one["message"])
            for one in value["conditions"]
        ]
        lines += ["", render_table(("CONDITION", "STATUS", "REASON", "SINCE", "MESSAGE"), table)]
    operation = value["operation"]
    if operation is not None:
        stuck = style.bad(" (stuck: a person has to decide)") if operation["stuck"] else ""
        lines += ["", f"{style.strong(operation['type'])} {operation['name']} since {operation['startTime']}{stuck}"]
        for step in operation["steps"][-SHOWN_STEPS:]:
            lines.append(f"  {step['state']:<12}{step['step']}  {render_seconds(step['seconds'])}")
    for head, fault in (("Problem", value["problem"]), ("Last failure", value["lastError"])):
        if fault:
            what = f"{fault['operation']}: " if "operation" in fault else ""
            lines += ["", f"{style.bad(head + ':')} {what}{fault.get('code', '')} {fault.get('brief', '')}".rstrip()]
            lines += [f"  {line}" for line in fault.get("logTail", ())]
            if fault.get("resolution"):
                lines.append(f"→ {fault['resolution']}")
    return "\n".join(lines)
