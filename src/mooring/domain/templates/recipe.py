# SPDX-License-Identifier: Apache-2.0
"""What goes into a template, and its id: two instances with the same recipe may start from the same template. Pure.

Everything that changes what `odoo -i` leaves is in it, and nothing of a tenant's: an instance with add-ons of its own has none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mooring.api.instance_data import InitSpec
from mooring.domain.instance.subject import Subject

FORMAT = 1
"""Of templates; another one is never used."""

ID_DIGITS = 20
# Options of odoo.conf that change what an installation leaves behind.
INSTALL_OPTIONS = frozenset(
    {"demo", "import_partial", "pre_upgrade_scripts", "server_wide_modules", "skip_auto_install", "translate_modules",
     "unaccent", "upgrade_path", "with_demo", "without_demo"}
)  # fmt: skip


@dataclass(frozen=True)
class InitWords:
    """What an init installs: a job's own words, else `spec.init`."""

    modules: tuple[str, ...]
    demo: bool
    language: str
    country: str | None
    template: str = "auto"


@dataclass(frozen=True)
class Recipe:
    """What went into a template.

    Attributes:
        release: digest of the release.
        modules: sorted, `base` among them.
        options: those of odoo.conf that matter, sorted.
    """

    release: str
    modules: tuple[str, ...]
    demo: bool
    language: str
    country: str
    options: tuple[tuple[str, str], ...] = ()

    def id(self, installation: str) -> str:
        """Digest of it for this installation: templates are not shared between installations."""
        text = json.dumps({"format": FORMAT, "installation": installation, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


def read_init_words(spec: Mapping[str, Any], init: InitSpec) -> InitWords:
    """What an init installs.

    Args:
        spec: of the operation as it was asked for; one that the lifecycle made says nothing.
        init: of the instance.
    """
    return InitWords(
        modules=tuple(spec.get("modules", init.modules)) or ("base",),
        demo=bool(spec.get("demo", init.demo)),
        language=str(spec.get("language", init.language)),
        country=init.country,
        template=str(spec.get("template", init.template.value)),
    )


def decide_recipe(digest: str, words: InitWords, config_options: Mapping[str, object]) -> Recipe:
    """The recipe of a new database.

    Args:
        digest: of the release.
        words: what is installed.
        config_options: of odoo.conf, as the spec has them.
    """
    options = {key: text(value) for key, value in config_options.items() if key in INSTALL_OPTIONS}
    return Recipe(
        release=digest,
        modules=tuple(sorted({"base", *words.modules})),
        demo=words.demo,
        language=words.language,
        country=words.country or "",
        options=tuple(sorted(options.items())),
    )


def recipe_of(subject: Subject, words: InitWords) -> Recipe:
    """The recipe of a new database of this instance."""
    return decide_recipe(subject.release.release.digest, words, subject.spec.config_options)


def decide_obstacle(subject: Subject, words: InitWords) -> str:
    """Why the instance cannot start from a template, as a sentence; empty where it can."""
    if words.template == "never":
        return "spec.init.template is `never`."
    if subject.folders or subject.addon_volumes:
        return "It has add-ons of its own, and a template holds nothing of one instance alone."
    if subject.server.ref is None or subject.server.admin is None:
        return "Its database server lets nobody here make further databases."
    if subject.environment != "Production":
        return "A Staging instance starts from a copy of another instance."
    return ""


def describe_recipe(recipe: Recipe, source: str) -> dict[str, str]:
    """What a list of templates shows of it.

    Args:
        source: the release as the manifest names it.
    """
    about = {
        "release": source,
        "digest": recipe.release,
        "modules": ",".join(recipe.modules),
        "language": recipe.language,
        "country": recipe.country,
        "demo": "yes" if recipe.demo else "",
    }
    return {key: value for key, value in about.items() if value}


def text(value: object) -> str:
    """An option's value as text."""
    return str(getattr(value, "value", value))
