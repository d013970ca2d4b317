# SPDX-License-Identifier: Apache-2.0
"""What the tasks of templates do to a little PostgreSQL, as the engine really does it."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import datetime, timedelta

from mooring.domain.templates.stock import Aged, decide_dropped
from mooring.domain.work.errors import DatabaseForeign, DatabaseMissing
from mooring.domain.work.mark import DataMark, decide_fence
from mooring.domain.work.names import beside
from mooring.domain.work.templates import (
    DatabaseEmpty,
    DatabaseFromTemplate,
    Emptied,
    FromTemplate,
    TemplateBegin,
    TemplateBegun,
    TemplateEntry,
    TemplatePack,
    TemplatePacked,
    TemplatePrune,
    TemplatePublish,
    TemplateStock,
    template_building,
    template_database,
)
from tests.scenario.data import Database, Files, Postgres, Role


def begin_template(server: Postgres, task: TemplateBegin, password: str, now: datetime) -> TemplateBegun:
    """`template-begin`."""
    name, building = template_database(task.template), template_building(task.template)
    if name in server.databases:
        return TemplateBegun(name, whole=True)
    about = {**task.about, "installation": task.installation}
    server.roles[name] = Role(task.template, password)
    mark = DataMark(task.template, "building", task.fence.operation, at=now.isoformat(), about=about)
    server.databases[building] = Database(name, mark)
    return TemplateBegun(building, whole=False)


def pack_template(server: Postgres, files: Files, task: TemplatePack) -> TemplatePacked:
    """`template-pack`."""
    found = server.databases[template_building(task.template)]
    assert found.whole, "Odoo was not done"
    assert set(task.expect) <= set(found.modules)
    found.packed = [*(files.current or []), "logo"]
    return TemplatePacked(len(found.modules), len(found.packed), 4)


def publish_template(server: Postgres, task: TemplatePublish, now: datetime) -> TemplateStock:
    """`template-publish`."""
    name, building = template_database(task.template), template_building(task.template)
    if name not in server.databases:
        found = server.databases.pop(building, None)
        if found is None:
            raise DatabaseMissing(f"There is no database {building}.")
        about = {**task.about, "installation": task.installation}
        found.mark = DataMark(task.template, "template", task.fence.operation, at=now.isoformat(), about=about)
        found.open = False
        server.databases[name] = found
    return prune_templates(server, task.installation, task.keep, task.max_age_s, now, spare=task.template)


def prune_task(server: Postgres, task: TemplatePrune, now: datetime) -> TemplateStock:
    """`template-prune`."""
    return prune_templates(server, task.installation, task.keep, task.max_age_s, now, also=task.also)


def prune_templates(
    server: Postgres,
    installation: str,
    keep: int | None,
    max_age_s: int | None,
    now: datetime,
    *,
    spare: str = "",
    also: tuple[str, ...] = (),
) -> TemplateStock:
    """Drop and list."""

    def whole() -> list[Database]:
        return [one for one in server.databases.values() if _is(one, "template", installation)]

    aged = [Aged(one.mark.instance, one.mark.at or "") for one in whole() if one.mark]
    going = decide_dropped(aged, keep=keep, max_age_s=max_age_s, now=now, spare=spare)
    going = tuple(dict.fromkeys((*going, *(one.id for one in aged if one.id in also))))
    for template in going:
        del server.databases[template_database(template)]
        server.roles.pop(template_database(template), None)
    for name, one in list(server.databases.items()):
        mark = one.mark
        if mark is None or mark.instance == spare or not _is(one, "building", installation):
            continue
        if now - datetime.fromisoformat(mark.at or "") > timedelta(hours=24):
            del server.databases[name]
            server.roles.pop(template_database(mark.instance), None)
    entries = [TemplateEntry(one.mark.instance, one.mark.at or "", one.size_bytes) for one in whole() if one.mark]
    return TemplateStock(tuple(sorted(entries, key=lambda one: one.used, reverse=True)), going)


def copy_template(server: Postgres, task: DatabaseFromTemplate, now: datetime) -> FromTemplate:
    """`database-from-template`."""
    current = server.own(task.database, task.instance, "current")
    assert current.mark is not None
    operation, steps = decide_fence(current.mark, task.fence, task.TASK)
    current.mark = replace(current.mark, operation=operation, steps=steps)
    if current.mark.returned == operation:
        return FromTemplate(task.database, task.template, kept=True)
    server.databases.pop(beside(task.instance, role="building", operation=operation), None)
    template = server.databases.get(template_database(task.template))
    if template is None:
        return FromTemplate(task.database, task.template, install=True, reason="There is no such template.")
    if current.modules and current.packed is None:
        return FromTemplate(task.database, task.template, install=True, reason="There is something in it.")
    assert template.mark is not None
    template.mark = replace(template.mark, at=now.isoformat())
    made = copy.deepcopy(template)
    made.owner, made.open = task.owner, True
    made.mark = DataMark(task.instance, "current", operation, steps, at="now", returned=operation)
    _put_aside(server, current, task)
    server.databases[task.database] = made
    return FromTemplate(task.database, task.template, objects=1)


def empty_database(server: Postgres, task: DatabaseEmpty) -> Emptied:
    """`database-empty`."""
    current = server.own(task.database, task.instance, "current")
    assert current.mark is not None
    operation, steps = decide_fence(current.mark, task.fence, task.TASK)
    current.mark = replace(current.mark, operation=operation, steps=steps)
    aside = beside(task.instance, role="previous", operation=operation)
    server.databases.pop(aside, None)
    if current.mark.returned != operation:
        return Emptied(emptied=False)
    server.databases[task.database] = Database(task.owner, DataMark(task.instance, "current", operation, steps))
    return Emptied(emptied=True)


def unpack(found: Database, files: Files) -> None:
    """What `database-finish-init` does first, where it is told so."""
    if found.packed is not None:
        files.current = list(found.packed)
        found.rows = list(found.packed)
        found.packed = None


def _put_aside(server: Postgres, current: Database, task: DatabaseFromTemplate) -> None:
    operation = task.fence.operation
    aside = beside(task.instance, role="previous", operation=operation)
    left = server.databases.pop(aside, None)
    if left is not None and (left.mark is None or left.mark.instance != task.instance):
        raise DatabaseForeign(aside)
    current.mark, current.open = DataMark(task.instance, "previous", operation, at="now"), False
    server.databases[aside] = current


def _is(one: Database, role: str, installation: str) -> bool:
    return one.mark is not None and one.mark.role == role and one.mark.about.get("installation") == installation
