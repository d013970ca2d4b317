# SPDX-License-Identifier: Apache-2.0
"""Which PostgreSQL majors there are, which fit an Odoo series, and which client speaks to which server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mooring.api.postgres_majors import NEWEST_MAJOR, OLDEST_MAJOR
from mooring.domain.odoo.facts import facts_for
from mooring.domain.postgres.errors import UnsupportedPostgres

DEFAULT_MAJOR: Final = 17
"""Major of a managed server when the manifest names none."""


@dataclass(frozen=True, kw_only=True)
class PostgresFacts:
    """What holds for one major.

    Attributes:
        major: such as 17.
        end_of_life: year and month of the last minor release, from postgresql.org/support/versioning.
        public_schema_is_closed: whether CREATE on schema public must be granted (15 and later, its release notes).
        drop_database_force: whether `DROP DATABASE … WITH (FORCE)` exists (13 and later, its release notes).
        data_checksums_by_default: whether initdb turns checksums on by itself (18 and later, its release notes).
        wal_compression_zstd: whether WAL can be compressed with zstd or lz4 (15 and later, its release notes).
    """

    major: int
    end_of_life: tuple[int, int]
    public_schema_is_closed: bool
    drop_database_force: bool = True
    data_checksums_by_default: bool
    wal_compression_zstd: bool


MAJORS: Final[Mapping[int, PostgresFacts]] = MappingProxyType(
    {
        major: PostgresFacts(
            major=major,
            end_of_life=(major + 2012, 11),  # five years after its release in autumn of 2007 + major
            public_schema_is_closed=major >= 15,
            data_checksums_by_default=major >= 18,
            wal_compression_zstd=major >= 15,
        )
        for major in range(OLDEST_MAJOR, NEWEST_MAJOR + 1)
    }
)
"""Majors that Mooring runs as managed servers, oldest first."""


def check_major(major: int, *, series: str | None = None) -> PostgresFacts:
    """The facts of `major` when Mooring runs it and Odoo `series` runs on it.

    Raises:
        UnsupportedPostgres: one of them does not.
        UnknownSeries: the series is not known.
    """
    if major not in MAJORS:
        known = ", ".join(map(str, MAJORS))
        raise UnsupportedPostgres(f"Mooring runs no PostgreSQL {major} servers; it runs {known}.")
    if series is not None:
        check_floor(major, series=series)
    return MAJORS[major]


def check_floor(major: int, *, series: str) -> None:
    """Checks a server of any origin, also an external one of a major that Mooring does not run.

    Raises:
        UnsupportedPostgres: Odoo `series` does not run on this major.
        UnknownSeries: the series is not known.
    """
    facts = facts_for(series)
    if major < facts.postgres_min:
        raise UnsupportedPostgres(
            f"Odoo {series} needs PostgreSQL {facts.postgres_min} or newer; the server is {major}."
        )
    if facts.postgres_max is not None and major > facts.postgres_max:
        raise UnsupportedPostgres(
            f"Odoo {series} runs on PostgreSQL up to {facts.postgres_max}; the server is {major}."
        )
