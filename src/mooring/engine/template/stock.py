# SPDX-License-Identifier: Apache-2.0
"""The task `template-prune`: which templates a server has, and which of them go. Never touches another installation's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mooring.domain.templates.stock import Aged, decide_dropped
from mooring.domain.work.templates import (
    TemplateEntry,
    TemplatePrune,
    TemplateStock,
    template_building,
    template_database,
)
from mooring.drivers.postgres import SQL, Identifier, Session
from mooring.engine.databases import ensure_absent
from mooring.engine.marks import Database, locked_server, observe_marked
from mooring.engine.report import Reporter
from mooring.engine.roles import role_instance

# What is still being made after so long was left by a builder that is no more.
_ABANDONED = timedelta(hours=24)


def ensure_pruned(document: TemplatePrune, report: Reporter) -> TemplateStock:
    """The task. Safe to repeat: what is gone is gone.

    Raises:
        DatabaseInUse: somebody copies one of them; say who.
    """
    with locked_server(
        document.connection, report, instance=document.installation, fence=document.fence, task=document.TASK
    ) as session:
        dropped = prune_templates(
            session,
            document.installation,
            keep=document.keep,
            max_age_s=document.max_age_s,
            also=document.also,
        )
        return TemplateStock(templates=observe_templates(session, document.installation), dropped=dropped)


def observe_templates(session: Session, installation: str) -> tuple[TemplateEntry, ...]:
    """The installation's whole templates, the last used first."""
    found = []
    for one in _ours(session, installation, role="template"):
        # One that another administrator made is told without its size.
        size = session.value(
            "SELECT CASE WHEN has_database_privilege(%s, 'CONNECT') THEN pg_database_size(%s::name) ELSE 0 END",
            (one.name, one.name),
            doing=f"measure {one.name}",
        )
        if one.mark is not None and not one.invalid:
            about = {key: text for key, text in one.mark.about.items() if key != "installation"}
            found.append(TemplateEntry(one.mark.instance, one.mark.at or "", int(size), about))
    return tuple(sorted(found, key=lambda item: (item.used, item.id), reverse=True))


def prune_templates(
    session: Session,
    installation: str,
    *,
    keep: int | None,
    max_age_s: int | None,
    spare: str = "",
    also: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Drop what is too old or too many, and what a builder left; ids of the templates that went.

    Args:
        keep: how many stay, the last used ones; None keeps all.
        max_age_s: seconds since the last use after which one goes; None keeps all.
        spare: id of one that stays, and counts.
        also: ids that go in any case.
    """
    moment = datetime.now(UTC)
    whole = _ours(session, installation, role="template")
    aged = [Aged(one.mark.instance, one.mark.at or "") for one in whole if one.mark is not None]
    going = decide_dropped(aged, keep=keep, max_age_s=max_age_s, now=moment, spare=spare)
    going = tuple(dict.fromkeys((*going, *(one.id for one in aged if one.id in also))))
    for template in going:
        _drop(session, template, template_database(template))
    for one in _ours(session, installation, role="building"):
        mark = one.mark
        if mark is not None and mark.instance != spare and _is_abandoned(mark.at, moment):
            _drop(session, mark.instance, template_building(mark.instance))
    return going


def _ours(session: Session, installation: str, *, role: str) -> list[Database]:
    return [
        one
        for one in observe_marked(session)
        if one.mark is not None and one.mark.role == role and one.mark.about.get("installation") == installation
    ]


def _is_abandoned(at: str | None, moment: datetime) -> bool:
    return at is not None and moment - datetime.fromisoformat(at) > _ABANDONED


def _drop(session: Session, template: str, name: str) -> None:
    ensure_absent(session, name)
    role = template_database(template)
    comment = session.value(
        "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = %s",
        (role,),
        doing="look for the role",
    )
    owns = session.value(
        "SELECT EXISTS (SELECT FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass"
        " AND refobjid = (SELECT oid FROM pg_roles WHERE rolname = %s))",
        (role,),
        doing="see whether the role is needed",
    )
    if role_instance(comment) == template and not owns:
        session.execute(SQL("DROP ROLE {}").format(Identifier(role)), doing=f"drop the role {role}")
