# SPDX-License-Identifier: Apache-2.0
"""Has the engine image on the engine: it is there, or a registry has it, or it is built here. Blocking.

Called by `setup`, by `apply`, and by the test ground through `tools/engine_image.py`. It builds only Mooring's own image
of this version; another one that the configuration names is pulled or refused. Nothing of it needs a program of the
engine's: contexts go over the API, to remote engines too.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping

from mooring import __version__
from mooring.cli import debian
from mooring.cli.engine_recipe import BASE, LAYER, Recipe, base_context, layer_context, load_recipe
from mooring.cli.errors import EngineImageUnavailable
from mooring.drivers.docker.engine import Engine
from mooring.errors import MooringError

OWN_IMAGE = f"mooring-engine:{__version__}"
SOURCE_LABEL = "dev.mooring.engine.source"
PULL_IDLE_S = 20.0
BUILD_SILENT_S = 900.0

Say = Callable[[str], None]


def engine_image_state(engine: Engine, image: str) -> str:
    """`there`, `missing`, or `old`: built here, of code that this Mooring does not have any more."""
    found = engine.image(image)
    if found is None:
        return "missing"
    source = ((found.get("Config") or {}).get("Labels") or {}).get(SOURCE_LABEL)
    return "old" if image == OWN_IMAGE and source is not None and source != load_recipe().source else "there"


def ensure_engine_image(engine: Engine, image: str, *, say: Say) -> None:
    """Have `image` on the engine; an image that is there, whatever is in it, is left alone.

    Args:
        engine: where.
        image: as the configuration names it.
        say: gets a sentence before each thing that takes time.

    Raises:
        EngineImageUnavailable: no way worked; the details say what was tried.
    """
    if engine.image(image) is not None:
        return
    tried: list[str] = []
    if _pull(engine, image, say, tried):
        return
    if image != OWN_IMAGE:
        raise EngineImageUnavailable(
            f"{image} is not on the engine and cannot be pulled; only {OWN_IMAGE} can be built here.",
            details="\n".join(tried),
            resolution="Load it by hand (`docker load`), or leave docker.engine_image out of the configuration.",
        )
    build_engine_image(engine, say=say, tried=tried)


def build_engine_image(
    engine: Engine, *, say: Say, tried: list[str] | None = None, labels: Mapping[str, str] | None = None
) -> None:
    """Build this Mooring's engine image, and its base if that is not there.

    Args:
        engine: where.
        say: as above.
        tried: what was tried before, for the error.
        labels: more labels for the image.

    Raises:
        EngineImageUnavailable: no way worked; the details say what was tried.
    """
    tried = [] if tried is None else tried
    recipe = load_recipe()
    base = recipe.base_name
    if engine.image(base) is None:
        build_engine_base(engine, recipe, say=say, tried=tried)
    say(f"Building {OWN_IMAGE} on {base}.")
    with layer_context(recipe) as context:
        try:
            engine.build(
                OWN_IMAGE,
                context,
                dockerfile=LAYER,
                arguments={"BASE": base},
                labels={**(labels or {}), SOURCE_LABEL: recipe.source},
                network=False,
                timeout_s=BUILD_SILENT_S,
            )
        except MooringError as error:
            raise _unavailable([*tried, _line("its top layer", error)]) from error


def build_engine_base(
    engine: Engine,
    recipe: Recipe,
    *,
    say: Say,
    tried: list[str],
    labels: Mapping[str, str] | None = None,
    pull: bool = True,
) -> None:
    """Build the base: on the recipe's image, or on the same from Debian's packages.

    Args:
        engine: where.
        recipe: of what.
        say: as above.
        tried: gets a line for every way that did not work.
        labels: more labels for the image.
        pull: whether a registry may be asked.

    Raises:
        EngineImageUnavailable: no way worked; the details say what was tried.
    """
    machine = str(engine.info().get("Architecture") or platform.machine())
    with base_context(recipe, architecture=machine, tried=tried) as (context, staged):

        def build(image: str, *, network: bool) -> None:
            context.seek(0)
            say(f"Building {recipe.base_name} on {image}.")
            engine.build(
                recipe.base_name,
                context,
                dockerfile=BASE,
                arguments={"PYTHON_IMAGE": image},
                labels=labels or {},
                network=network,
                timeout_s=BUILD_SILENT_S,
            )

        if pull and (engine.image(recipe.image) is not None or _pull(engine, recipe.image, say, tried)):
            try:
                build(recipe.image, network=True)
            except MooringError as error:
                tried.append(_line(f"a build on {recipe.image}", error))
            else:
                return
        reason = _why_not_debian(machine, staged=staged)
        if reason:
            tried.append(f"a build from Debian's packages: {reason}")
            raise _unavailable(tried)
        bare = f"mooring-debian:{recipe.base_name.rpartition(':')[2]}"
        try:
            say(f"Making {bare} from the packages of Debian {recipe.suite}; this takes a minute or two.")
            with debian.debian_tree(recipe.suite, recipe.packages) as archive:
                engine.import_tree(bare, archive)
            build(bare, network=False)
        except MooringError as error:
            raise _unavailable([*tried, _line("a build from Debian's packages", error)]) from error


def _pull(engine: Engine, image: str, say: Say, tried: list[str]) -> bool:
    say(f"Pulling {image}.")
    try:
        engine.pull(image, login=None, idle_timeout_s=PULL_IDLE_S)
    except MooringError as error:
        tried.append(_line(f"a pull of {image}", error))
        return False
    return engine.image(image) is not None


def _why_not_debian(machine: str, *, staged: bool) -> str:
    if not staged:
        return "the Python packages could not be had on this side"
    if machine != platform.machine():
        return f"the engine's machine is {machine}, this one {platform.machine()}"
    return debian.why_no_tree()


def _line(what: str, error: MooringError) -> str:
    end = error.details.strip().splitlines()
    return f"{what}: {error.brief}" + (f" ({end[-1].strip()})" if end else "")


def _unavailable(tried: list[str]) -> EngineImageUnavailable:
    return EngineImageUnavailable(
        f"{OWN_IMAGE} is not on the engine, cannot be pulled, and could not be built here.", details="\n".join(tried)
    )
