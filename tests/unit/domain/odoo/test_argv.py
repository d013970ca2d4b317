# SPDX-License-Identifier: Apache-2.0
"""Odoo's command lines by series."""

from __future__ import annotations

import pytest

from mooring.domain.odoo.argv import (
    argv_init,
    argv_neutralize,
    argv_serve,
    argv_update,
)
from mooring.domain.odoo.errors import CommandUnavailable, LanguageInvalid, ModuleNameInvalid
from mooring.domain.odoo.facts import SERIES, facts_for
from mooring.domain.odoo.modules import check_language, check_module_names

F14, F18, F19 = facts_for("14.0"), facts_for("18.0"), facts_for("19.0")


def test_init_of_14_is_quiet_and_without_demo() -> None:
    assert argv_init(F14, database="default_shop", modules=["sale", "stock"], language="fr_FR") == (
        "odoo",
        "--config=/etc/mooring/odoo.conf",
        "--database=default_shop",
        "--init=sale,stock",
        "--without-demo=all",
        "--load-language=fr_FR",
        "--no-http",
        "--max-cron-threads=0",
        "--workers=0",
        "--stop-after-init",
    )


@pytest.mark.parametrize(
    ("series", "demo", "flags"),
    [
        pytest.param("14.0", False, {"--without-demo=all"}, id="14-off"),
        pytest.param("14.0", True, set(), id="14-on"),
        pytest.param("18.0", False, {"--without-demo=all"}, id="18-off"),
        pytest.param("19.0", False, set(), id="19-off"),
        pytest.param("19.0", True, {"--with-demo"}, id="19-on"),
    ],
)
def test_init_demo_flag_follows_the_series(series: str, demo: bool, flags: set[str]) -> None:
    argv = argv_init(facts_for(series), database="d", modules=["base"], demo=demo)
    assert {a for a in argv if "demo" in a} == flags


@pytest.mark.parametrize("language", [None, "en_US"])
def test_init_default_language_is_not_loaded_again(language: str | None) -> None:
    assert not [a for a in argv_init(F14, database="d", modules=["base"], language=language) if "language" in a]


def test_init_without_modules_installs_base() -> None:
    assert "--init=base" in argv_init(F14, database="d", modules=[])


@pytest.mark.parametrize("name", ["sale,stock", "-u", "sale stock", "all", "", "a" * 129, "é", "x\n"])
def test_init_of_what_is_no_module_is_refused(name: str) -> None:
    with pytest.raises(ModuleNameInvalid) as caught:
        argv_init(F14, database="d", modules=["base", name, "also wrong"])
    assert len(caught.value.refusals) == 2


def test_init_of_no_language_is_refused() -> None:
    with pytest.raises(LanguageInvalid):
        argv_init(F14, database="d", modules=["base"], language="fr_FR --save")


def test_update_never_serves_and_never_runs_cron() -> None:
    for facts in SERIES.values():
        argv = argv_update(facts, database="d", modules=["all"])
        assert {"--no-http", "--max-cron-threads=0", "--workers=0", "--stop-after-init", "--update=all"} <= set(argv)


def test_update_that_installs_loads_no_demo_data() -> None:
    argv = argv_update(F14, database="d", modules=["base"], install=["stock"])
    assert argv[3:6] == ("--update=base", "--init=stock", "--without-demo=all")
    assert not [a for a in argv_update(F14, database="d", modules=["base"]) if "demo" in a or "init=" in a]


def test_update_of_nothing_is_refused() -> None:
    with pytest.raises(CommandUnavailable):
        argv_update(F14, database="d", modules=[])


def test_update_of_what_becomes_known_later_names_nothing_yet() -> None:
    argv = argv_update(F14, database="d", modules=None)
    assert argv == ("odoo", "--config=/etc/mooring/odoo.conf", "--database=d", *argv[3:])
    assert not [a for a in argv if "update=" in a]


def test_update_cannot_install_all() -> None:
    with pytest.raises(ModuleNameInvalid):
        argv_update(F14, database="d", modules=["base"], install=["all"])


def test_serve_roles_keep_apart_what_they_must() -> None:
    assert argv_serve(F18, role="web", program="/opt/odoo/odoo-bin", config="/x") == (
        "/opt/odoo/odoo-bin",
        "--config=/x",
        "--max-cron-threads=0",
    )
    assert "--no-http" in argv_serve(F18, role="cron")
    assert {"--max-cron-threads=0", "--workers=0", "--load=base,web"} <= set(argv_serve(F18, role="probe"))


def test_neutralize_before_16_is_refused() -> None:
    assert argv_neutralize(F18, database="d")[:2] == ("odoo", "neutralize")
    with pytest.raises(CommandUnavailable, match=r"14\.0"):
        argv_neutralize(F14, database="d")


def test_module_names_lose_repetitions_and_keep_their_order() -> None:
    assert check_module_names(["b", "a", "b"]) == ("b", "a")


@pytest.mark.parametrize("code", ["fr", "fr_FR", "es_419", "sr@latin", "sr_RS@latin"])
def test_language_codes_of_odoo_are_accepted(code: str) -> None:
    assert check_language(code) == code


@pytest.mark.parametrize("code", ["", "FR", "fr-FR", "fr_fr", "fr_FR\n", "francais"])
def test_language_codes_of_others_are_refused(code: str) -> None:
    with pytest.raises(LanguageInvalid):
        check_language(code)
