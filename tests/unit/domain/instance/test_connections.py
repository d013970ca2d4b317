# SPDX-License-Identifier: Apache-2.0
"""What the instances of one server need together, against what it gives."""

from __future__ import annotations

import pytest

from mooring.domain.instance.connections import ServerLimit, Share, find_refusal, find_warning

DEFAULT = ServerLimit(name="DatabaseServer default/default", max_connections=200)
OUTSIDE = ServerLimit(name="db.example.com:5432", max_connections=100, assumed=True, managed=False)


def share(name: str, least: int, most: int = 0) -> Share:
    return Share(name=name, least=least, most=most or least)


@pytest.mark.parametrize(
    ("server", "least", "refused"),
    [
        pytest.param(DEFAULT, [190], False, id="all-that-it-gives"),
        pytest.param(DEFAULT, [191], True, id="one-of-the-reserved"),
        pytest.param(DEFAULT, [100, 90], False, id="two-that-fit"),
        pytest.param(DEFAULT, [100, 91], True, id="two-that-do-not"),
        pytest.param(OUTSIDE, [90], False, id="outside"),
        pytest.param(OUTSIDE, [45, 46], True, id="outside-two"),
        pytest.param(DEFAULT, [], False, id="none"),
    ],
)
def test_instances_that_need_more_than_the_server_gives_are_refused(
    server: ServerLimit, least: list[int], *, refused: bool
) -> None:
    assert (find_refusal(server, [share(f"i{n}", one) for n, one in enumerate(least)]) is not None) is refused


def test_refusal_names_instances_shares_and_what_to_do() -> None:
    error = find_refusal(DEFAULT, [share("shop", 190), share("blog", 80)])

    assert error is not None
    assert "need 270 connections (shop 190, blog 80); it gives 190 (max_connections 200" in error.brief
    assert [one.key for one in error.refusals] == ["shop", "blog"]
    assert "managed.parameters" in str(error.resolution)
    assert "assumed" not in error.brief


def test_refusal_of_a_server_that_nobody_asked_says_that_its_limit_is_assumed() -> None:
    error = find_refusal(OUTSIDE, [share("shop", 91)])

    assert error is not None
    assert "assumed, PostgreSQL's default" in error.brief
    assert "asks the server for its true value" in str(error.resolution)
    assert "managed.parameters" not in str(error.resolution)


def test_instances_that_could_open_more_than_they_need_are_warned_of() -> None:
    shares = [share("a", 20, 80), share("b", 20, 80), share("c", 20, 80)]

    assert find_refusal(DEFAULT, shares) is None
    assert find_warning(DEFAULT, shares[:2]) is None
    warning = find_warning(DEFAULT, shares)
    assert warning is not None
    assert "could open 240 connections (a 80, b 80, c 80); it gives 190" in warning
