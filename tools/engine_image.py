# SPDX-License-Identifier: Apache-2.0
"""The engine image for the test ground, by the code that builds it for users. Run by testbed/images.sh.

names                 the image, its base, a digest of what is in it, one a line
base [--no-registry]  build the base; with --label KEY=VALUE
image                 build the image on the base; with --label KEY=VALUE

The engine is the one that DOCKER_HOST names, or the first that answers.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from mooring.cli.engine_image import OWN_IMAGE, build_engine_base, build_engine_image
from mooring.cli.engine_recipe import load_recipe
from mooring.cli.engines import find_address
from mooring.cli.errors import render_error
from mooring.cli.style import Style
from mooring.drivers.docker.engine import Engine
from mooring.errors import MooringError


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("names", "base", "image"))
    parser.add_argument("--label", metavar="KEY=VALUE", type=lambda text: tuple(text.split("=", 1)), action="append")
    parser.add_argument("--no-registry", action="store_true")
    given = parser.parse_args()
    recipe = load_recipe()
    if given.what == "names":
        sys.stdout.write(f"{OWN_IMAGE}\n{recipe.base_name}\n{recipe.source}\n")
        return 0
    labels = dict(given.label or ())
    try:
        engine = Engine(find_address(os.environ))
        try:
            if given.what == "base":
                build_engine_base(engine, recipe, say=say, tried=[], labels=labels, pull=not given.no_registry)
            else:
                build_engine_image(engine, say=say, labels=labels)
        finally:
            engine.close()
    except MooringError as error:
        say(render_error(error, Style(colour=False)))
        return 1
    return 0


sys.exit(main())
