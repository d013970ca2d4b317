# SPDX-License-Identifier: Apache-2.0
"""Names of children: fit for every target, distinct, and the same for ever."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.domain.model.identity import Ref, child

RFC1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def _instance(name: str, namespace: str = "default") -> Ref:
    return Ref("OdooInstance", namespace, name)


NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
NAMESPACES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True) | st.just("default")
KINDS = st.sampled_from(["OdooInstance", "DatabaseServer"])
REFS = st.builds(Ref, KINDS, NAMESPACES, NAMES)


@given(REFS, NAMES, st.integers(16, 63))
def test_child_of_any_valid_name_is_an_rfc1035_label_within_the_limit(owner: Ref, role: str, limit: int) -> None:
    name = child(owner, role, limit=limit)
    assert RFC1035.fullmatch(name), name
    assert len(name) <= limit


@given(st.text(), st.text(), st.text())
def test_child_of_any_text_is_an_rfc1035_label(namespace: str, name: str, role: str) -> None:
    made = child(_instance(name, namespace), role)
    assert RFC1035.fullmatch(made), made
    assert len(made) <= 52


@given(st.lists(st.tuples(REFS, NAMES), unique=True, min_size=2, max_size=6), st.sampled_from([16, 52]))
def test_child_of_different_owners_or_roles_differs(children: list[tuple[Ref, str]], limit: int) -> None:
    assert len({child(owner, role, limit=limit) for owner, role in children}) == len(children)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param((_instance("foo"), "cron-x"), (_instance("foo-cron"), "x"), id="hyphen-moves"),
        pytest.param((_instance("b", "a"), "web"), (_instance("a-b"), "web"), id="namespace-or-name"),
        pytest.param((_instance("foo"), "web"), (Ref("DatabaseServer", "default", "foo"), "web"), id="kind"),
        pytest.param((_instance("a" * 60 + "b"), "web"), (_instance("a" * 60 + "c"), "web"), id="cut-off"),
        pytest.param((_instance("foo"), "a.b"), (_instance("foo"), "a-b"), id="replaced-character"),
    ],
)
def test_child_of_a_tricky_pair_differs(one: tuple[Ref, str], other: tuple[Ref, str]) -> None:
    assert child(*one) != child(*other)


@pytest.mark.parametrize(
    ("owner", "role", "name"),
    [
        pytest.param(_instance("shop"), "web", "shop-web-65f98121", id="default-namespace"),
        pytest.param(_instance("shop", "team"), "web", "team-shop-web-c518b815", id="namespace"),
        pytest.param(Ref("DatabaseServer", "default", "default"), "database", "default-database-41ffeefe", id="server"),
        pytest.param(_instance("a" * 40), "filestore", f"{'a' * 40}-fi-a26d706d", id="long"),
        pytest.param(_instance("shop", "2026"), "web", "m-2026-shop-web-1abe8761", id="begins-with-a-digit"),
    ],
)
def test_child_name_never_changes(owner: Ref, role: str, name: str) -> None:
    """Volumes are found again by these names after the record was lost: a change would orphan every user's data."""
    assert child(owner, role) == name


def test_ref_names_its_namespace_only_when_it_matters() -> None:
    assert str(_instance("shop")) == "OdooInstance shop"
    assert str(_instance("shop", "team")) == "OdooInstance team/shop"
