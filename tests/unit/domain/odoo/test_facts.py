# SPDX-License-Identifier: Apache-2.0
"""The table of facts: its thresholds, and what it says about itself."""

from __future__ import annotations

import pytest

from mooring.domain.odoo.errors import UnknownSeries, UnreadableVersion
from mooring.domain.odoo.facts import NEWEST, SERIES, facts_for, series_of

ALL = ["14.0", "15.0", "16.0", "17.0", "18.0", "19.0", "20.0"]


def test_series_in_the_table_are_14_to_20() -> None:
    assert list(SERIES) == ALL
    assert NEWEST == "20.0"
    assert all(facts.series == series for series, facts in SERIES.items())


def test_proved_is_only_what_was_tried() -> None:
    assert [series for series, facts in SERIES.items() if facts.proved] == ["14.0"]


@pytest.mark.parametrize(
    ("series", "port_option", "route"),
    [
        pytest.param(s, "longpolling_port", "/longpolling", id=s)
        if s < "16"
        else pytest.param(s, "gevent_port", "/websocket", id=s)
        for s in ALL
    ],
)
def test_evented_service_changes_with_16(series: str, port_option: str, route: str) -> None:
    facts = facts_for(series)
    assert (facts.evented_port_option, facts.evented_route) == (port_option, route)
    assert facts.knows(port_option)


def test_health_route_is_missing_in_14_only() -> None:
    assert [s for s in ALL if facts_for(s).health_path is None] == ["14.0"]


def test_neutralize_command_comes_with_16() -> None:
    assert [s for s in ALL if not facts_for(s).has_neutralize] == ["14.0", "15.0"]


def test_cron_thread_sleeps_without_a_connection_of_its_own_in_14_only() -> None:
    assert [s for s in ALL if not facts_for(s).cron_listens] == ["14.0"]


@pytest.mark.parametrize("series", ALL)
def test_demo_data_flags_and_option_agree(series: str) -> None:
    facts = facts_for(series)
    if series < "19":
        assert (facts.demo_on, facts.demo_off) == ((), ("--without-demo=all",))
        assert (facts.demo_option, facts.demo_option_off) == ("without_demo", "all")
    else:
        assert (facts.demo_on, facts.demo_off) == (("--with-demo",), ())
        assert (facts.demo_option, facts.demo_option_off) == ("with_demo", "False")
    assert facts.knows(facts.demo_option)


def test_floors_and_image_users_by_series() -> None:
    assert [facts_for(s).postgres_min for s in ALL] == [10, 10, 12, 12, 12, 13, 16]
    assert [facts_for(s).python_min[1] for s in ALL] == [6, 7, 7, 10, 10, 10, 12]
    assert [facts_for(s).container_uid for s in ALL] == [101, 101, 101, 101, 100, 100, 100]
    assert {facts_for(s).container_gid for s in ALL} == {101}


def test_environment_outranks_the_file_from_19() -> None:
    assert [s for s in ALL if facts_for(s).reads_environment] == ["19.0", "20.0"]
    assert "PGHOST" in facts_for("19.0").overriding_environment
    assert facts_for("18.0").overriding_environment == ()


@pytest.mark.parametrize("key", ["list_db", "dbfilter", "db_name", "workers", "limit_memory_soft", "data_dir"])
def test_keys_that_we_write_are_known_in_every_series(key: str) -> None:
    assert all(facts.knows(key) for facts in SERIES.values())


@pytest.mark.parametrize("series", ["13.0", "14", "saas~17.4", "", "21.0"])
def test_facts_of_another_series_are_refused(series: str) -> None:
    with pytest.raises(UnknownSeries, match=r"known are 14\.0"):
        facts_for(series)


@pytest.mark.parametrize(
    ("text", "series"),
    [
        pytest.param("Odoo Server 14.0-20240101", "14.0", id="nightly"),
        pytest.param("Odoo Server 14.0\n", "14.0", id="line"),
        pytest.param("18.0", "18.0", id="bare"),
        pytest.param("Odoo 19.0-20260217", "19.0", id="banner-of-19"),
        pytest.param("17.0+e", "17.0", id="enterprise"),
        pytest.param("16.0.1.3", "16.0", id="module-version"),
        pytest.param("odoo server 20.0rc1", "20.0", id="candidate"),
        pytest.param("13.0", "13.0", id="unknown-but-readable"),
    ],
)
def test_series_of_a_version_text_is_read(text: str, series: str) -> None:
    assert series_of(text) == series


@pytest.mark.parametrize("text", ["Odoo Server saas~17.4", "saas~18.1+e", "", "18", "18.2", "PostgreSQL 17.0"])
def test_series_of_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UnreadableVersion):
        series_of(text)
