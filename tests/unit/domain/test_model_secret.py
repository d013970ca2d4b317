# SPDX-License-Identifier: Apache-2.0
"""A secret's value shows nowhere, by no way of turning things into text."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass

import pytest

from mooring.domain.model.secret import SecretValue

CLEAR = "hunter2-very-secret"
SECRET = SecretValue(CLEAR)


@dataclass(frozen=True)
class Login:
    """Carries a secret as a field."""

    user: str
    password: SecretValue


@pytest.mark.parametrize(
    "show",
    [
        pytest.param(repr, id="repr"),
        pytest.param(str, id="str"),
        pytest.param(format, id="format"),
        pytest.param(lambda value: f"{value}", id="f-string"),
        pytest.param(lambda value: f"{value!r} {value!s} {value!a}", id="f-string-conversions"),
        pytest.param("{}".format, id="str-format"),
        pytest.param(lambda value: "%s %r" % (value, value), id="percent"),  # noqa: UP031 - this way is what is tried
        pytest.param(lambda value: repr([value, {"key": value}]), id="containers"),
        pytest.param(lambda value: repr(Login("admin", value)), id="dataclass"),
        pytest.param(lambda value: str(ValueError(value)), id="exception"),
        pytest.param(lambda value: "".join(traceback.format_exception(ValueError(value))), id="traceback"),
        pytest.param(lambda value: json.dumps({"key": value}, default=str), id="json-with-default"),
        pytest.param(
            lambda value: logging.LogRecord("a", 20, "b", 1, "is %s %r", (value, value), None).getMessage(), id="log"
        ),
    ],
)
def test_secret_shown_in_any_way_is_stars(show: Callable[[SecretValue], str]) -> None:
    text = show(SECRET)
    assert "***" in text
    assert CLEAR not in text


@pytest.mark.parametrize(
    "store",
    [
        pytest.param(json.dumps, id="json"),
        pytest.param(pickle.dumps, id="pickle"),
        pytest.param(lambda value: pickle.dumps(value, protocol=0), id="pickle-0"),
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(lambda value: asdict(Login("admin", value)), id="asdict"),
        pytest.param(vars, id="vars"),
        pytest.param(lambda value: f"{value:>30}", id="format-with-width"),
    ],
)
def test_secret_stored_in_any_way_is_refused_without_its_value(store: Callable[[SecretValue], object]) -> None:
    with pytest.raises(TypeError) as refused:
        store(SECRET)
    assert CLEAR not in str(refused.value)


def test_secret_reveals_itself_only_when_asked() -> None:
    assert SECRET.reveal() == CLEAR


def test_secret_equals_only_a_secret_of_its_value() -> None:
    assert SecretValue(CLEAR) == SECRET
    assert len({SECRET, SecretValue(CLEAR)}) == 1
    assert SecretValue("other") != SECRET
    assert SECRET != CLEAR
