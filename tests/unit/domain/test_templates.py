# SPDX-License-Identifier: Apache-2.0
"""Templates: what makes two new databases the same, which templates stay, what an init does with one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mooring.domain.instance.subject import Subject
from mooring.domain.model.desired import Folder
from mooring.domain.model.identity import Ref
from mooring.domain.operations.init import COPY, DROP, FINISH, INSTALL, plan_init
from mooring.domain.operations.plan import Plan, RunTask
from mooring.domain.task import DOCUMENT_PATH, TaskSpec
from mooring.domain.templates.recipe import InitWords, decide_obstacle, read_init_words, recipe_of
from mooring.domain.templates.stock import Aged, decide_dropped
from mooring.domain.templates.tasks import Bounds, Building, plan_building
from mooring.domain.work.mark import DataMark, parse_mark, render_mark
from tests.unit.domain.instance.subjects import managed, release, subject

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
HERE = "installation"
OPERATION = Ref("OdooOperation", "default", "shop-init-1")


def words(**given: Any) -> InitWords:
    base: dict[str, Any] = {"modules": ("base", "sale"), "demo": False, "language": "en_US", "country": None}
    return InitWords(**{**base, **given})


def identify(one: Subject, **given: Any) -> str:
    return recipe_of(one, words(**given)).id(HERE)


@pytest.mark.parametrize(
    ("one", "given"),
    [
        pytest.param(subject(), {"modules": ("sale", "base", "sale")}, id="order of modules"),
        pytest.param(subject(), {"modules": ("sale",)}, id="base is always there"),
        pytest.param(subject(workers=4, replicas=2), {}, id="size"),
        pytest.param(subject(configOptions={"limit_time_real": 600}), {}, id="an option that changes nothing here"),
    ],
)
def test_recipe_of_what_an_installation_leaves_alike_is_the_same(one: Subject, given: dict[str, Any]) -> None:
    assert identify(one, **given) == identify(subject())


@pytest.mark.parametrize(
    ("one", "given"),
    [
        pytest.param(subject(), {"modules": ("base",)}, id="modules"),
        pytest.param(subject(), {"demo": True}, id="demo"),
        pytest.param(subject(), {"language": "fr_FR"}, id="language"),
        pytest.param(subject(), {"country": "FR"}, id="country"),
        pytest.param(subject(pinned=release("14.0-next")), {}, id="release"),
        pytest.param(subject(configOptions={"unaccent": True}), {}, id="option"),
    ],
)
def test_recipe_of_what_an_installation_leaves_otherwise_is_another(one: Subject, given: dict[str, Any]) -> None:
    assert identify(one, **given) != identify(subject())


def test_recipe_of_another_installation_is_another() -> None:
    assert recipe_of(subject(), words()).id("other") != identify(subject())


@pytest.mark.parametrize(
    ("one", "given", "word"),
    [
        pytest.param(subject(), {}, "", id="nothing"),
        pytest.param(subject(), {"template": "never"}, "never", id="never"),
        pytest.param(subject(volumes=("own",)), {}, "add-ons", id="a volume of add-ons"),
        pytest.param(subject(folders=(Folder("/mnt/own", "/srv/own", "1"),)), {}, "add-ons", id="a folder of add-ons"),
        pytest.param(subject(server=replace(managed(), admin=None)), {}, "server", id="no administrator"),
        pytest.param(subject(server=replace(managed(), ref=None)), {}, "server", id="a database of its own"),
        pytest.param(subject(environment="Staging"), {}, "Staging", id="Staging"),
    ],
)
def test_obstacle_says_what_keeps_a_template_away(one: Subject, given: dict[str, Any], word: str) -> None:
    found = decide_obstacle(one, words(**given))
    assert (word in found) if word else found == ""


def test_init_words_of_a_job_win_over_the_spec() -> None:
    init = subject(init={"modules": ["sale"], "language": "fr_FR", "country": "FR"}).spec.init
    assert read_init_words({}, init) == InitWords(("sale",), False, "fr_FR", "FR", "auto")
    given = {"modules": ["crm"], "demo": True, "language": "de_DE", "template": "never"}
    assert read_init_words(given, init) == InitWords(("crm",), True, "de_DE", "FR", "never")


def aged(*days: float) -> list[Aged]:
    return [Aged(f"t{number}", (NOW - timedelta(days=age)).isoformat()) for number, age in enumerate(days)]


@pytest.mark.parametrize(
    ("templates", "given", "going"),
    [
        pytest.param(aged(1, 2, 3), {"keep": 5, "max_age_s": 10 * 86_400}, (), id="all fit"),
        pytest.param(aged(1, 2, 3), {"keep": 2}, ("t2",), id="too many"),
        pytest.param(aged(3, 1, 2), {"keep": 1}, ("t0", "t2"), id="the longest unused first"),
        pytest.param(aged(1, 20, 30), {"max_age_s": 14 * 86_400}, ("t2", "t1"), id="too old"),
        pytest.param(aged(1, 2, 30), {"keep": 1, "spare": "t2"}, ("t1", "t0"), id="the one that was just made"),
        pytest.param(aged(1, 2), {"keep": 0}, ("t1", "t0"), id="none is wanted"),
        pytest.param(aged(400), {}, (), id="nothing is bounded"),
        pytest.param([Aged("t0", "")], {"max_age_s": 60}, ("t0",), id="never used"),
    ],
)
def test_templates_that_go_are_the_old_and_the_many(
    templates: list[Aged], given: dict[str, Any], going: tuple[str, ...]
) -> None:
    assert decide_dropped(templates, now=NOW, **{"keep": None, "max_age_s": None, **given}) == going


def plan(template: str) -> Plan:
    return plan_init(
        OPERATION,
        "op-1",
        subject(),
        modules=("sale",),
        demo=False,
        language="en_US",
        base_url=None,
        template=template,
        admin_user="mooring",
    )


def task_of(one: Plan, name: str) -> RunTask:
    action = next(step.action for step in (*one.steps, *one.cleanup) if step.name == name)
    assert isinstance(action, RunTask)
    return action


def test_init_without_a_template_knows_nothing_of_them() -> None:
    steps = plan("").steps
    assert COPY not in [step.name for step in steps]
    assert all(step.when is None for step in steps)
    assert not task_of(plan(""), FINISH).task.mounts
    assert DROP not in [step.name for step in plan("").cleanup]


def test_init_with_a_template_installs_only_where_the_copy_could_not_be_had() -> None:
    found = {step.name: step for step in plan("t1").steps}
    assert list(found)[:4] == ["stop", COPY, INSTALL, FINISH]
    when = found[INSTALL].when
    assert when is not None
    assert when.left_out({COPY: {"install": False}})
    assert not when.left_out({COPY: {"install": True}})
    assert found[COPY].undo is not None
    finish = task_of(plan("t1"), FINISH)
    assert [one.volume for one in finish.task.mounts] == ["filestore"]
    assert finish.task.user == (101, 101)
    assert finish.document is not None
    assert finish.document.to_json()["unpackInto"] == "/var/lib/odoo"


def building() -> Building:
    one = subject(ingress={"hosts": ["shop.example.com"]}, configOptions={"unaccent": True, "limit_time_real": 99})
    return plan_building(
        one,
        recipe_of(one, words()),
        installation=HERE,
        admin_user="mooring",
        run="run-1",
        bounds=Bounds(5, 60),
    )


def text_of(task: TaskSpec) -> str:
    return "".join(str(part) for one in task.files for part in one.parts)


def test_building_shares_nothing_with_the_instance_that_asked() -> None:
    made = building()
    tasks = [made.begin(), made.install(), made.pack(), made.publish()]
    assert tuple(task.name for task in tasks) == made.names
    for task in tasks:
        assert "default_shop" not in text_of(task)
        assert "shop.example.com" not in text_of(task)
        assert task.identity.instance != "shop-1"
        assert not task.egress
        assert not task.folders
        secrets = {key.ref.name for one in task.files for key in one.secrets()}
        assert not {name for name in secrets if name.startswith("shop")}
    for task in (made.install(), made.pack()):
        assert task.place == made.place
        assert task.place.kind == "DatabaseTemplate"
    conf = text_of(made.install())
    assert "unaccent" in conf
    assert "limit_time_real = 99" not in conf


def test_building_of_the_same_recipe_finds_what_an_earlier_one_left() -> None:
    one, other = building(), replace(building(), run="run-2")
    assert one.names == other.names
    document = next(file for file in other.begin().files if file.path == DOCUMENT_PATH)
    assert json.loads(str(document.parts[0]))["fence"]["operation"] == "run-2"


def test_mark_of_a_template_says_what_went_in() -> None:
    mark = DataMark("t1", "template", at="2026-01-01T00:00:00+00:00", about={"release": "odoo:14.0"})
    assert parse_mark(render_mark(mark)) == mark
    assert "about" not in render_mark(DataMark("i1", "current"))
