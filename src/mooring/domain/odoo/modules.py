# SPDX-License-Identifier: Apache-2.0
"""Checks names that end on Odoo's command line: modules and languages. Does not know which modules exist.

Odoo ends with 0 after a misspelt module, so that names are checked before and installed modules are counted in SQL after.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from mooring.domain.odoo.errors import LanguageInvalid, ModuleNameInvalid, Refusal

_MODULE: Final = re.compile(r"[A-Za-z0-9_]{1,128}", re.ASCII)
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(_(?:[A-Z]{2}|[0-9]{3}))?(@[a-z]{2,16})?", re.ASCII)


def check_module_names(names: Iterable[str], *, allow_all: bool = False) -> tuple[str, ...]:
    """The names without repetitions, in their order.

    Args:
        names: technical names.
        allow_all: whether `all`, which Odoo reads as every installed module, is a name here (updates only).

    Raises:
        ModuleNameInvalid: names that cannot be modules, all of them at once.
    """
    unique = tuple(dict.fromkeys(names))
    refusals = [
        Refusal(repr(name), "stands for every module there is.", "Name the modules that are wanted.")
        if name == "all"
        else Refusal(repr(name), "is no technical module name.")
        for name in unique
        if not _MODULE.fullmatch(name) or (name == "all" and not allow_all)
    ]
    if refusals:
        raise ModuleNameInvalid(f"{len(refusals)} module name(s) are not allowed.", refusals)
    return unique


def check_language(code: str) -> str:
    """`code` itself when it has the form of a language of Odoo: `fr`, `fr_FR`, `es_419`, `sr@latin`.

    Raises:
        LanguageInvalid: it has not.
    """
    if not _LANGUAGE.fullmatch(code):
        raise LanguageInvalid(f"{code[:40]!r} is no language code.")
    return code
