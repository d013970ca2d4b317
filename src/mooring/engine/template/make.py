# SPDX-License-Identifier: Apache-2.0
"""The tasks `template-begin` and `template-publish`: before and after Odoo installs modules into a template.

A template is made under a building name, by a role of its own. Its own name and the comment that makes it a template come in
one transaction at the end: what carries the comment is whole. Then nobody can log in as its role, and nobody connects to it.
"""

from __future__ import annotations

from mooring.domain.work.errors import DatabaseMissing
from mooring.domain.work.mark import DataMark
from mooring.domain.work.templates import (
    TemplateBegin,
    TemplateBegun,
    TemplatePublish,
    TemplateStock,
    template_building,
    template_database,
)
from mooring.drivers.postgres import SQL, Identifier, Session
from mooring.engine.databases import when_free
from mooring.engine.marks import check_ours, locked_server, now, observe_one, write_mark
from mooring.engine.prepare import ensure_extensions, ensure_schema
from mooring.engine.provision import create_empty
from mooring.engine.report import Reporter
from mooring.engine.roles import ensure_role
from mooring.engine.safety import ensure_building_absent
from mooring.engine.secret_files import load_secret
from mooring.engine.server import open_session
from mooring.engine.template.stock import observe_templates, prune_templates


def ensure_begun(document: TemplateBegin, report: Reporter) -> TemplateBegun:
    """The task `template-begin`. Safe to repeat: it begins anew.

    Raises:
        DatabaseForeign: a database or role of that name is somebody else's.
        MooringError: PostgreSQL cannot be used.
    """
    template = document.template
    password = load_secret(document.owner_password_file)
    with locked_server(
        document.connection, report, instance=template, fence=document.fence, task=document.TASK
    ) as session:
        name, building = template_database(template), template_building(template)
        there = observe_one(session, name)
        if there is not None and not there.invalid:
            check_ours(there, template, role="template")
            return TemplateBegun(database=name, whole=True)
        ensure_building_absent(session, building, template)
        report.progress("role", 1, 3)
        ensure_role(
            session,
            document.connection,
            owner=name,
            password=password,
            databases=(document.connection.maintenance_database,),
            instance=template,
            adopt=False,
        )
        report.progress("create", 2, 3)
        create_empty(session, building, name)
        write_mark(session, building, _mark(document, "building"))
        with open_session(document.connection, task=document.TASK, database=building) as inside:
            ensure_extensions(inside, building)
            ensure_schema(inside, database=building, owner=name)
        return TemplateBegun(database=building, whole=False)


def ensure_published(document: TemplatePublish, report: Reporter) -> TemplateStock:
    """The task `template-publish`. Safe to repeat.

    Raises:
        DatabaseMissing: nothing was made under the building name.
        DatabaseForeign: it is somebody else's.
    """
    template = document.template
    with locked_server(
        document.connection, report, instance=template, fence=document.fence, task=document.TASK
    ) as session:
        name, building = template_database(template), template_building(template)
        there = observe_one(session, name)
        if there is None:
            left = observe_one(session, building)
            if left is None:
                raise DatabaseMissing(f"There is no database {building} to make a template of.")
            check_ours(left, template, role="building")
            report.progress("publish", 1, 2)
            _publish(session, document, building, name)
        else:
            check_ours(there, template, role="template")
        report.progress("prune", 2, 2)
        dropped = prune_templates(
            session, document.installation, keep=document.keep, max_age_s=document.max_age_s, spare=template
        )
        return TemplateStock(templates=observe_templates(session, document.installation), dropped=dropped)


def _publish(session: Session, document: TemplatePublish, building: str, name: str) -> None:
    session.execute(
        SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL").format(Identifier(name)), doing=f"take the login of {name} away"
    )

    def publish() -> None:
        with session.transaction():
            session.execute(
                SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(Identifier(building)),
                doing="close the template",
            )
            session.execute(
                SQL("ALTER DATABASE {} RENAME TO {}").format(Identifier(building), Identifier(name)),
                doing=f"name the template {name}",
            )
            write_mark(session, name, _mark(document, "template"))

    when_free(session, building, publish, wait_s=30, disconnect=True)


def _mark(document: TemplateBegin | TemplatePublish, role: str) -> DataMark:
    about = {**document.about, "installation": document.installation}
    return DataMark(document.template, role, document.fence.operation, at=now(), about=about)
