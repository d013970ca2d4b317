# SPDX-License-Identifier: Apache-2.0
"""`mooring psql`: psql inside the database server's container, on an instance's database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App


@declare(
    "psql",
    short="Open psql on an instance's database.",
    examples=("mooring psql shop", "mooring psql shop -- -c 'select count(*) from res_users'"),
)
@click.argument("name")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--admin", is_flag=True, help="Begin as the superuser instead of in the instance's own role.")
def command(options: Options, name: str, arguments: tuple[str, ...], *, admin: bool) -> int:
    """Open psql on the database of the instance NAME; what follows `--` goes to psql.

    It runs inside the container of a server that Mooring runs. No password is typed or shown. It ends with psql's own exit
    code.

    It is the session of the server's superuser, which begins in the instance's own role: what you make belongs to that role
    and its rights hold. That is no barrier: `RESET ROLE` gives the superuser's rights back.
    """
    from mooring.cli.context import run
    from mooring.cli.names import find_instance
    from mooring.cli.outlet import has_terminal
    from mooring.cli.servers import server_of
    from mooring.control.errors import NotInitialized
    from mooring.domain.postgres.bootstrap import SUPERUSER
    from mooring.domain.postgres.names import default_role_name
    from mooring.domain.server.desired import PASS_FILE, PORT, ROLE

    async def work(app: App) -> int:
        doc = await find_instance(app, name)
        server = await server_of(app, name)
        database = (doc.status.get("database") or {}).get("name")
        if not database:
            raise NotInitialized(f"{doc.ref} has no database yet.")
        role = default_role_name(namespace=doc.ref.namespace, name=doc.ref.name)
        argv = (
            "env",
            f"PGPASSFILE={PASS_FILE}",
            *(() if admin else (f"PGOPTIONS=-c role={role}",)),
            "psql",
            "--host=127.0.0.1",
            f"--port={PORT}",
            f"--username={SUPERUSER}",
            f"--dbname={database}",
            "--set=ON_ERROR_STOP=1",
            *arguments,
        )
        target = await app.target()
        return await target.attach(server, argv, role=ROLE, tty=has_terminal())

    return run(options, work)
