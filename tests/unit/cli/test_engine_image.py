# SPDX-License-Identifier: Apache-2.0
"""Which ways to an engine image are tried, and what is said of them; tests/system/test_setup_systemd.py builds real ones."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any, cast

import pytest

from mooring.cli import debian, engine_recipe
from mooring.cli.engine_image import OWN_IMAGE, SOURCE_LABEL, engine_image_state, ensure_engine_image
from mooring.cli.engine_recipe import LAYER, layer_context, load_recipe
from mooring.cli.errors import EngineImageUnavailable, SetupFailed
from mooring.drivers.docker.engine import Engine
from mooring.drivers.errors import BuildFailed, RegistryUnreachable


@dataclass
class Alone:
    """An engine that no registry answers: it has the images in `there`, and takes builds if `builds`."""

    there: dict[str, Mapping[str, str]] = field(default_factory=dict)
    builds: bool = True
    asked: list[str] = field(default_factory=list)

    def image(self, name: str) -> dict[str, Any] | None:
        return {"Config": {"Labels": self.there[name]}} if name in self.there else None

    def pull(self, name: str, **_: object) -> None:
        self.asked.append(f"pull {name}")
        raise RegistryUnreachable(f"could not get the image {name}", details="no such host")

    def build(self, name: str, context: IO[bytes], *, labels: Mapping[str, str], **_: object) -> None:
        self.asked.append(f"build {name}")
        if not self.builds:
            raise BuildFailed(f"could not build the image {name}", details="the last line")
        self.there[name] = labels

    def info(self) -> dict[str, Any]:
        return {"Architecture": "x86_64"}


def ensure(engine: Alone, image: str = OWN_IMAGE) -> list[str]:
    """What was said."""
    said: list[str] = []
    ensure_engine_image(cast("Engine", engine), image, say=said.append)
    return said


def no_packages(argv: object, **_: object) -> str:
    raise SetupFailed("pip ended with 1.", details="no index answers")


def test_an_engine_image_that_is_there_is_left_alone() -> None:
    engine = Alone({OWN_IMAGE: {}})

    assert ensure(engine) == []
    assert engine.asked == []


def test_an_engine_image_that_cannot_be_pulled_is_built_on_a_base_that_is_there() -> None:
    base = load_recipe().base_name
    engine = Alone({base: {}})

    said = ensure(engine)

    assert engine.asked == [f"pull {OWN_IMAGE}", f"build {OWN_IMAGE}"]
    assert said[-1] == f"Building {OWN_IMAGE} on {base}."
    assert engine_image_state(cast("Engine", engine), OWN_IMAGE) == "there"


def test_an_engine_image_of_other_code_is_old_and_one_of_a_registry_is_not() -> None:
    built = cast("Engine", Alone({OWN_IMAGE: {SOURCE_LABEL: "0123456789abcdef"}}))
    pulled = cast("Engine", Alone({OWN_IMAGE: {}}))

    assert engine_image_state(built, OWN_IMAGE) == "old"
    assert engine_image_state(pulled, OWN_IMAGE) == "there"


def test_an_engine_image_that_no_way_gives_is_an_error_that_says_each_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_recipe, "run_program", no_packages)

    with pytest.raises(EngineImageUnavailable) as caught:
        ensure(Alone())

    tried = caught.value.details
    assert f"a pull of {OWN_IMAGE}: could not get the image" in tried
    assert "packages by python" in tried
    assert "no index answers" in tried
    assert f"a pull of {load_recipe().image}: could not get the image" in tried
    assert "a build from Debian's packages: the Python packages could not be had" in tried


def test_an_engine_image_that_cannot_be_built_says_the_end_of_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineImageUnavailable, match="could not be built") as caught:
        ensure(Alone({load_recipe().base_name: {}}, builds=False))

    assert "the last line" in caught.value.details


def test_another_image_that_is_named_is_never_built() -> None:
    engine = Alone()

    with pytest.raises(EngineImageUnavailable, match="only mooring-engine"):
        ensure(engine, "registry.example/engine:9")

    assert engine.asked == ["pull registry.example/engine:9"]


@pytest.mark.parametrize(
    ("change", "same"),
    [({"lock": b"other"}, False), ({"base": b"other"}, False), ({"suite": "sid"}, False), ({"layer": b"other"}, True)],
    ids=["lock", "base", "suite", "layer"],
)
def test_the_base_has_another_name_when_what_is_in_it_is_another(change: dict[str, Any], same: bool) -> None:
    recipe = load_recipe()

    assert (replace(recipe, **change).base_name == recipe.base_name) is same


def test_the_layers_context_is_the_package_that_runs_and_nothing_made_of_it() -> None:
    with layer_context(load_recipe()) as file, tarfile.open(fileobj=file) as archive:
        members = archive.getmembers()

    names = {one.name for one in members}
    assert {LAYER, "mooring/cli/main.py", "mooring/engine/main.py"} <= names
    assert not any("__pycache__" in name or "_images" in name for name in names)
    assert all((one.uid, one.gid, one.mtime) == (0, 0, 0) for one in members)


def test_a_tree_of_debian_is_refused_where_it_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    assert debian.why_no_tree() != ""
