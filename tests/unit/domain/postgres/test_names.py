# SPDX-License-Identifier: Apache-2.0
"""Names of databases, and the comment on them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.domain.postgres.errors import DatabaseNameInvalid
from mooring.domain.postgres.names import (
    check_database_name,
    default_database_name,
    default_role_name,
)

LABEL = st.from_regex(r"\A[a-z]([a-z0-9-]{0,38}[a-z0-9])?\Z")


def test_default_name_is_readable() -> None:
    assert default_database_name(namespace="default", name="shop") == "default_shop"
    assert default_role_name(namespace="default", name="shop") == "default_shop"


@given(LABEL, LABEL, LABEL, LABEL)
def test_default_names_never_clash(ns1: str, n1: str, ns2: str, n2: str) -> None:
    one = default_database_name(namespace=ns1, name=n1)
    two = default_database_name(namespace=ns2, name=n2)
    assert (one == two) == ((ns1, n1) == (ns2, n2))
    assert len(check_database_name(one).encode()) <= 40


@pytest.mark.parametrize("name", ["shop", "Shop-1", "a", "a.b_c", "1shop", "x" * 63])
def test_database_name_in_the_alphabet_is_accepted(name: str) -> None:
    assert check_database_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 64,
        "é",
        'a"b',
        "a;b",
        "a'b",
        "a b",
        "a,b",
        "a/b",
        "a%h",
        "-a",
        ".a",
        "shop\n",
        "postgresql://h/d",
        "a\0",
    ],
)
def test_database_name_outside_the_alphabet_is_refused(name: str) -> None:
    with pytest.raises(DatabaseNameInvalid):
        check_database_name(name)


@pytest.mark.parametrize(
    "name", ["postgres", "Postgres", "template0", "TEMPLATE1", "pg_x", "all", "replication", "mooring"]
)
def test_database_name_of_the_server_is_refused(name: str) -> None:
    with pytest.raises(DatabaseNameInvalid, match="own names"):
        check_database_name(name)
