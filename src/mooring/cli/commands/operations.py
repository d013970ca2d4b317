# SPDX-License-Identifier: Apache-2.0
"""`mooring operations`: what was asked for, how far it is, and taking it back or asking again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options, group
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App
    from mooring.control.operations import Operation


@group(
    "operations",
    short="List, show, cancel or retry operations.",
    examples=("mooring operations list shop", "mooring operations retry shop-upgrade-3"),
)
def command() -> None:
    """List, show, cancel or retry operations: bounded changes of an instance's data, release or running."""


@declare("list", short="List operations.", examples=("mooring operations list", "mooring operations list shop -o json"))
@click.argument("name", required=False)
def list_all(options: Options, name: str | None) -> int:
    """List all operations, or those of the instance NAME, oldest first."""
    from mooring.cli.context import run
    from mooring.cli.names import find_instance, operations_of
    from mooring.cli.output import mark_phase, print_data, print_text, render_age, render_table, style_for

    async def work(app: App) -> tuple[list[dict[str, Any]], Any]:
        ref = (await find_instance(app, name)).ref if name else None
        found = await operations_of(app, ref)
        kept = [one for one in found if options.namespace in (None, one.doc.ref.namespace)]
        return [_row(one) for one in kept], app.clock.now()

    rows, now = run(options, work)
    if options.output != "table":
        print_data(options, rows)
        return 0
    style = style_for(options)
    table = [
        (
            row["name"],
            row["type"],
            row["instance"],
            mark_phase(style, row["phase"]),
            render_age(row["startTime"], now),
            row["message"],
        )
        for row in rows
    ]
    print_text(render_table(("NAME", "TYPE", "INSTANCE", "PHASE", "STARTED", "MESSAGE"), table))
    return 0


@declare("show", short="Show one operation with its steps.", examples=("mooring operations show shop-upgrade-3",))
@click.argument("name")
def show(options: Options, name: str) -> int:
    """Show the operation NAME: its steps with times, its error, the end of its log."""
    from mooring.cli.context import run
    from mooring.cli.output import print_data, print_text, style_for

    async def work(app: App) -> Operation:
        return await _find(app, name)

    operation = run(options, work)
    value = {
        **_row(operation),
        "steps": list(operation.doc.status.get("steps", ())),
        "error": operation.doc.status.get("error"),
        "logTail": operation.doc.status.get("logTail", ""),
    }
    if options.output != "table":
        print_data(options, value)
        return 0
    style = style_for(options)
    print_text(f"{style.strong(value['type'])} {value['name']} of {value['instance']}: {value['phase']}")
    for record in value["steps"]:
        print_text(f"  {record['at']}  {record['step']} {record['state']}{_attempt(record)}")
    error = value["error"] or {}
    if error:
        print_text(f"{style.bad('error')} {error.get('code', '')}: {error.get('brief', '')}")
    for line in str(value["logTail"]).splitlines():
        print_text(f"  {line}")
    if error.get("resolution"):
        print_text(f"→ {error['resolution']}")
    return 0


@declare("cancel", short="Take an operation back.", examples=("mooring operations cancel shop-upgrade-3",))
@click.argument("name")
def cancel(options: Options, name: str) -> int:
    """Take the operation NAME back: what it changed is undone, as far as its steps can be.

    One that waits is over at once; one that is over is left as it is.
    """
    from mooring.cli.context import run
    from mooring.cli.driving import lead
    from mooring.control.errors import OperationExcluded
    from mooring.control.operations import request_cancel

    async def work(app: App) -> Operation:
        operation = await _find(app, name)
        if operation.ended:
            raise OperationExcluded(
                f"{name} is over: {operation.phase}.", resolution="There is nothing to cancel any more."
            )
        after = await request_cancel(await app.services(), operation)
        if not after.ended:
            await lead(app, [operation.instance])
        return await _find(app, name)

    return _say(options, run(options, work))


@declare("retry", short="Try again what failed or is stuck.", examples=("mooring operations retry shop-upgrade-3",))
@click.argument("name")
def retry(options: Options, name: str) -> int:
    """Try the operation NAME again: a stuck one goes on with taking itself back, a failed one is asked for anew."""
    from mooring.cli.context import run
    from mooring.cli.driving import lead
    from mooring.cli.verbs import ask_for
    from mooring.control.errors import OperationExcluded
    from mooring.control.operations import request_retry
    from mooring.domain.operations.plan import OperationType

    async def work(app: App) -> Operation | None:
        operation = await _find(app, name)
        if operation.stuck:
            await request_retry(await app.services(), operation)
            await lead(app, [operation.instance])
        elif operation.phase not in ("Failed", "Cancelled"):
            raise OperationExcluded(f"{name} is {operation.phase}.", resolution="Only what failed can be tried again.")
        elif operation.type in (OperationType.PROVISION, OperationType.DELETE):
            # These begin by themselves as long as they are needed.
            await lead(app, [operation.instance])
        else:
            spec = {key: value for key, value in operation.doc.spec.items() if key != "instanceRef"}
            verb = operation.type.value.lower()
            await ask_for(app, operation.instance, operation.doc.ref.kind, spec, verb=verb, wait=True)
            return None
        return await _find(app, name)

    found = run(options, work)
    return 0 if found is None else _say(options, found)


async def _find(app: App, name: str) -> Operation:
    """The operation `name` or `NAMESPACE/NAME`.

    Raises:
        UnknownOperation: there is none.
    """
    from mooring.cli.names import operations_of
    from mooring.control.errors import UnknownOperation

    namespace, slash, rest = name.partition("/")
    wanted = (namespace, rest) if slash else (app.options.place, name)
    for one in await operations_of(app):
        if (one.doc.ref.namespace, one.doc.ref.name) == wanted:
            return one
    raise UnknownOperation(f"There is no operation {name} in the namespace {wanted[0]}.")


def _row(operation: Operation) -> dict[str, Any]:
    """{kind, namespace, name, type, instance, phase, stuck, startTime, completionTime, message}."""
    doc = operation.doc
    return {
        "kind": doc.ref.kind,
        "namespace": doc.ref.namespace,
        "name": doc.ref.name,
        "type": operation.type.value,
        "instance": operation.instance.name,
        "phase": operation.phase,
        "stuck": operation.stuck,
        "startTime": doc.status.get("startTime"),
        "completionTime": doc.status.get("completionTime"),
        "message": str(doc.status.get("message", "")),
    }


def _attempt(record: Mapping[str, Any]) -> str:
    return f" (attempt {record['attempt']})" if record.get("attempt", 1) > 1 else ""


def _say(options: Options, operation: Operation) -> int:
    from mooring.cli.output import print_result, print_text

    if options.output == "table":
        print_text(f"{operation.doc.ref.name}: {operation.phase}")
    else:
        print_result(options, _row(operation))
    return 0


for _one in (list_all, show, cancel, retry):
    command.add_command(_one)
