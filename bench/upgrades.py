# SPDX-License-Identifier: Apache-2.0
"""What an upgrade costs: with nothing changed, with one small module of eight changed, and with all updated in any case."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

from bench.backups.dataset import APPS
from bench.commands import RunFailed
from bench.figures import Figure, Part, ratios
from bench.place import Place, new_place, pause, seconds_between
from mooring.domain.instance.module_tasks import HASH, READ, STORE
from mooring.domain.operations.upgrade import MIGRATE, START

BASE, NEXT, SAME = "odoo:14.0-base", "odoo:14.0-next", "mooring-bench-same:1"
SMALL = "mooring_demo"
MODULES = [*APPS.split(","), SMALL]
NOTHING_S = 2.0
CHANGED = 1 / 5
UPDATE = (READ, HASH, MIGRATE, STORE)
REST_S = 2.0
STILL = "still"


@dataclass(frozen=True)
class Upgraded:
    """One upgrade, as its journal tells it.

    Attributes:
        whole_s: from its first record to its last: what follows after users are in again, too.
        users_s: of that, until users were in again; None where nothing stopped.
        steps_s: step → seconds, of those that were carried out.
        touched: modules that Odoo was given.
    """

    whole_s: float
    users_s: float | None
    steps_s: dict[str, float]
    touched: list[str]


@dataclass
class _Found:
    nothing: list[Upgraded] = field(default_factory=list)
    same: list[Upgraded] = field(default_factory=list)
    changed: list[Upgraded] = field(default_factory=list)
    every: list[Upgraded] = field(default_factory=list)
    program: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def measure(outer: Place, *, pairs: int, repeats: int) -> Part:
    """Upgrades with nothing to do, and pairs of what changed alone and of everything."""
    found = _Found()
    with new_place(outer.engine, host=outer.host) as place:
        try:
            _prepare(place)
            _nothing(place, found, pairs=pairs, repeats=repeats)
        except RunFailed as fault:
            found.failed.append(str(fault))
        for number in range(0 if found.failed else pairs):
            print(f"  pair {number + 1} of {pairs}", flush=True)
            try:
                _pair(place, number, found)
            except RunFailed as fault:
                found.failed.append(str(fault))
    return _part(found)


def read_upgrade(operation: dict[str, Any]) -> Upgraded:
    """What the journal of an upgrade says, as `operations show` prints it."""
    records = operation["steps"]
    steps: dict[str, float] = {}
    began: dict[str, str] = {}
    users = None
    for one in records:
        if one["state"] == "intended":
            began[one["step"]] = one["at"]
        elif one["state"] == "done" and one["step"] in began:
            steps[one["step"]] = seconds_between(began[one["step"]], one["at"])
            if one["step"] == START:
                users = seconds_between(records[0]["at"], one["at"])
    found = [one["result"] for one in records if one["step"] == HASH and one["state"] == "done"]
    whole = seconds_between(records[0]["at"], records[-1]["at"])
    return Upgraded(whole, users, steps, list(found[-1]["touched"]) if found else [])


def _prepare(place: Place) -> None:
    """A server, a template of eight modules, and an image that differs from its model in nothing that Odoo knows."""
    place.mooring("apply", "-f", _manifest(place, "model", BASE, init={"modules": ["base"], "template": "never"}))
    place.mooring("apply", "-f", _manifest(place, "model", BASE))
    place.mooring("-n", place.namespace, "template", "build", "model")
    place.mooring("-n", place.namespace, "stop", "model")
    recipe = io.BytesIO(f'FROM {BASE}\nLABEL dev.mooring.bench="same modules"\n'.encode())
    for line in place.engine.build(fileobj=recipe, tag=SAME, decode=True, rm=True):
        if "error" in line:
            raise RunFailed(line["error"])
    place.images.append(SAME)


def _nothing(place: Place, found: _Found, *, pairs: int, repeats: int) -> None:
    place.mooring("apply", "-f", _manifest(place, STILL, BASE))
    for _ in range(repeats):
        run = place.mooring("-n", place.namespace, "upgrade", STILL)
        found.program.append(run.wall_s)
        found.nothing.append(_last(place, STILL, touched=[]))
    _say("nothing changed", found.nothing[-1])
    for number in range(pairs):
        place.mooring("apply", "-f", _manifest(place, STILL, BASE if number % 2 else SAME))
        found.same.append(_last(place, STILL, touched=[]))
    _say("the same modules", found.same[-1])
    place.mooring("-n", place.namespace, "stop", STILL)
    pause(REST_S)


def _pair(place: Place, number: int, found: _Found) -> None:
    """One of each, kept where both came to their end."""
    ended: list[Upgraded] = []
    for name, more, touched in (
        (f"changed{number}", {}, [SMALL]),
        (f"every{number}", {"autoUpgrade": {"modules": "all"}}, ["all"]),
    ):
        place.mooring("apply", "-f", _manifest(place, name, BASE))
        pause(REST_S)
        place.mooring("apply", "-f", _manifest(place, name, NEXT, **more))
        ended.append(_last(place, name, touched=touched))
        _say(touched[0], ended[-1])
        place.mooring("-n", place.namespace, "stop", name)
        pause(REST_S)
    found.changed.append(ended[0])
    found.every.append(ended[1])


def _last(place: Place, name: str, *, touched: list[str]) -> Upgraded:
    """The last upgrade of an instance.

    Raises:
        RunFailed: it updated something else than it should.
    """
    upgraded = read_upgrade(place.operation(name, "Upgrade"))
    if upgraded.touched != touched:
        raise RunFailed(f"the upgrade of {name} updated {upgraded.touched} and not {touched}")
    return upgraded


def _say(what: str, upgraded: Upgraded) -> None:
    steps = ", ".join(f"{name} {seconds:.1f}" for name, seconds in upgraded.steps_s.items())
    print(f"    {what}: {upgraded.whole_s:.1f} s ({steps})", flush=True)


def _part(found: _Found) -> Part:
    changed, every = found.changed, found.every

    def whole(upgrades: list[Upgraded]) -> tuple[float, ...]:
        return tuple(one.whole_s for one in upgrades)

    def update(upgrades: list[Upgraded], *steps: str) -> tuple[float, ...]:
        return tuple(sum(one.steps_s[name] for name in steps) for one in upgrades)

    ours, theirs = update(changed, *UPDATE), update(every, MIGRATE)
    return Part(
        "What an upgrade costs",
        f"An instance with {len(MODULES)} apps that were asked for and all that these need ({', '.join(MODULES)}), without "
        "data. The time of the operation is what its journal says, from its first record to its last. "
        "`mooring upgrade` with nothing changed; `mooring apply` of another image with the same modules; and "
        f"`mooring apply` of an image in which `{SMALL}` alone is another, beside the same with `autoUpgrade.modules: all`. "
        "In pairs, each with new instances.",
        (
            Figure("`mooring upgrade` with nothing changed, the operation", "s", whole(found.nothing), NOTHING_S),
            Figure("the whole program then", "s", tuple(found.program)),
            Figure(
                "one small module of eight by `-u all`",
                "ratio",
                ratios(ours, theirs),
                CHANGED,
                tuple(found.failed),
                "finding out what changed, Odoo's run and writing it down, by Odoo's run alone of an upgrade of all",
            ),
            Figure(
                "the whole operation by that of all",
                "ratio",
                ratios(whole(changed), whole(every)),
                note="safety copies, the probe, the stop and start of Odoo and the end of older copies cost both the same",
            ),
            Figure("the update of one small module, with what finds it", "s", ours),
            Figure("Odoo's run for all modules", "s", theirs),
            Figure("one small module of eight, the operation", "s", whole(changed)),
            Figure("all modules, the operation", "s", whole(every)),
            Figure("another image, the same modules: until users are in", "s", _users(found.same)),
            Figure("one small module of eight: until users are in", "s", _users(changed)),
            Figure("all modules: until users are in", "s", _users(every)),
        ),
        lists={
            f"Steps of the last upgrade: {title}": tuple(
                f"{seconds:7.1f}  {name}" for name, seconds in upgrades[-1].steps_s.items()
            )
            for title, upgrades in (
                ("nothing changed", found.nothing),
                ("another image, the same modules", found.same),
                ("one small module", changed),
                ("all modules", every),
            )
            if upgrades
        },
    )


def _users(upgrades: list[Upgraded]) -> tuple[float, ...]:
    return tuple(one.users_s for one in upgrades if one.users_s is not None)


def _manifest(place: Place, name: str, image: str, **more: Any) -> str:
    return place.manifest(name, **{"image": image, "init": {"modules": MODULES}, "database": {}, **more})
