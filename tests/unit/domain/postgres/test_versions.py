# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL majors, and which fits what."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from mooring.api.postgres_majors import NEWEST_MAJOR
from mooring.domain.odoo.errors import UnknownSeries
from mooring.domain.odoo.facts import SERIES
from mooring.domain.postgres.errors import UnsupportedPostgres
from mooring.domain.postgres.versions import (
    DEFAULT_MAJOR,
    MAJORS,
    check_floor,
    check_major,
)

ENGINE_IMAGE = Path(__file__).parents[4] / "deploy" / "images" / "engine"


def test_majors_are_13_to_17() -> None:
    assert list(MAJORS) == [13, 14, 15, 16, 17]
    assert [MAJORS[major].end_of_life for major in (13, 17)] == [(2025, 11), (2029, 11)]
    assert [major for major, facts in MAJORS.items() if facts.public_schema_is_closed] == [15, 16, 17]


def test_newest_major_is_that_of_the_clients_in_the_engine_image() -> None:
    recipe = tomllib.loads((ENGINE_IMAGE / "recipe.toml").read_text())
    from_debian = [int(one.rpartition("-")[2]) for one in recipe["debian"]["packages"] if "postgresql-client" in one]
    built = re.search(r'^ARG PG_MAJORS="([\d ]+)"$', (ENGINE_IMAGE / "base.Dockerfile").read_text(), re.MULTILINE)
    assert built is not None
    assert max(map(int, built[1].split())) == max(from_debian) == NEWEST_MAJOR


@pytest.mark.parametrize("series", SERIES)
def test_default_major_serves_every_series(series: str) -> None:
    assert check_major(DEFAULT_MAJOR, series=series).major == DEFAULT_MAJOR


def test_major_below_the_floor_is_refused() -> None:
    assert check_major(16, series="20.0").major == 16
    with pytest.raises(UnsupportedPostgres, match=r"20\.0 needs PostgreSQL 16 or newer; the server is 15"):
        check_major(15, series="20.0")


@pytest.mark.parametrize("major", [12, 18, 0])
def test_managed_server_of_an_unknown_major_is_refused(major: int) -> None:
    with pytest.raises(UnsupportedPostgres, match="it runs 13, 14"):
        check_major(major)


def test_external_server_may_be_older_than_what_we_run() -> None:
    check_floor(12, series="18.0")
    check_floor(19, series="18.0")
    with pytest.raises(UnsupportedPostgres):
        check_floor(11, series="18.0")


def test_series_that_is_unknown_is_refused() -> None:
    with pytest.raises(UnknownSeries):
        check_major(17, series="13.0")
