# SPDX-License-Identifier: Apache-2.0
"""Names of databases, and the comment on them."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.domain.postgres.errors import DatabaseNameInvalid
from mooring.domain.postgres.names import (
    DatabaseComment,
    check_database_name,
    default_database_name,
    default_role_name,
    parse_comment,
    render_comment,
    sibling_name,
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


@given(LABEL, LABEL, st.sampled_from(["previous", "building", "safety", "template"]))
def test_sibling_names_fit_and_stay_distinct(namespace: str, name: str, role: str) -> None:
    database = default_database_name(namespace=namespace, name=name)
    one = sibling_name(database, role, token="a1")  # type: ignore[arg-type]  # sampled from the literal's values
    assert check_database_name(one) == one
    assert one.startswith(database)
    assert one != sibling_name(database, role, token="a2")  # type: ignore[arg-type]  # as above


def test_sibling_of_the_longest_name_fits() -> None:
    one, two = (sibling_name("d" * 62 + last, "building", token="0123456789ab") for last in "xy")
    assert len(one) == 63
    assert one != two


def test_sibling_token_with_other_characters_is_refused() -> None:
    with pytest.raises(DatabaseNameInvalid):
        sibling_name("shop", "previous", token="A;b")


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


@pytest.mark.parametrize("role", ["current", "previous", "building", "safety", "template"])
def test_comment_round_trip(role: str) -> None:
    text = render_comment("i-1", role)  # type: ignore[arg-type]  # each of the literal's values
    assert text == f'{{"instance":"i-1","mooring":1,"role":"{role}"}}'
    assert parse_comment(text) == DatabaseComment(instance="i-1", role=role)  # type: ignore[arg-type]  # as above


def test_comment_with_more_keys_is_ours() -> None:
    assert parse_comment('{"mooring":1,"instance":"i","role":"current","at":"x"}') is not None


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "customer database",
        "[1]",
        "1",
        '{"mooring":2,"instance":"i","role":"current"}',
        '{"mooring":true,"instance":"i","role":"current"}',
        '{"mooring":1,"instance":"","role":"current"}',
        '{"mooring":1,"instance":5,"role":"current"}',
        '{"mooring":1,"instance":"i","role":"main"}',
        '{"mooring":1,"instance":"i","role":["current"]}',
        '{"mooring":1,"role":"current"}',
        "[" * 100_000,
    ],
)
def test_comment_of_a_stranger_is_none(text: str | None) -> None:
    assert parse_comment(text) is None


@given(
    st.text(alphabet=string.printable, max_size=60) | st.recursive(st.none() | st.integers(), st.lists).map(json.dumps)
)
def test_comment_reader_never_raises(text: str) -> None:
    parse_comment(text)
