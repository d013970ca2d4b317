# SPDX-License-Identifier: Apache-2.0
"""The task `role-password`: an instance's role gets the password that its secret has now, between two steps of an operation."""

from __future__ import annotations

from mooring.domain.work.database import RolePassword
from mooring.domain.work.results import RolePasswordResult
from mooring.engine.report import Reporter
from mooring.engine.roles import ensure_role
from mooring.engine.secret_files import load_secret
from mooring.engine.server import open_session


def ensure_password(document: RolePassword, report: Reporter) -> RolePasswordResult:
    """The task. Safe to repeat: a role that opens with the password already is left alone.

    Raises:
        DatabaseForeign: the role is another instance's, or not Mooring's.
        MooringError: the server cannot be used.
    """
    report.progress("connect")
    with open_session(document.connection, task=document.TASK) as session:
        done = ensure_role(
            session,
            document.connection,
            owner=document.owner,
            password=load_secret(document.owner_password_file),
            databases=(document.connection.maintenance_database, document.database),
            instance=document.instance,
            adopt=False,
        )
    return RolePasswordResult(document.owner, done.password_set)
