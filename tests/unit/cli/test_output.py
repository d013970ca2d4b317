# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from mooring.cli.errors import OperationNotDone, SeveralErrors, exit_code, render_error, render_error_json
from mooring.cli.output import render_age, render_seconds, render_table
from mooring.cli.progress import JsonProgress, LiveProgress, PlainProgress
from mooring.cli.style import Style, decide_colour
from mooring.control.errors import UnknownInstance
from mooring.control.events import Event
from mooring.domain.model.identity import Ref
from mooring.errors import ConflictError, MooringError

SHOP = Ref("OdooInstance", "default", "shop")
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("environ", "terminal", "expected"),
    [
        pytest.param({}, True, True, id="terminal"),
        pytest.param({}, False, False, id="pipe"),
        pytest.param({"NO_COLOR": "1"}, True, False, id="NO_COLOR"),
        pytest.param({"NO_COLOR": ""}, True, True, id="empty NO_COLOR does not count"),
        pytest.param({"CLICOLOR_FORCE": "1"}, False, True, id="forced"),
        pytest.param({"CLICOLOR_FORCE": "0"}, False, False, id="forced by 0 is not"),
        pytest.param({"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, True, False, id="NO_COLOR beats force"),
        pytest.param({"TERM": "dumb"}, True, False, id="dumb terminal"),
    ],
)
def test_colour_follows_the_rules_of_no_color(environ: Mapping[str, str], terminal: bool, expected: bool) -> None:
    assert decide_colour(environ, terminal=terminal) is expected


def test_error_for_people_has_code_details_and_way_out() -> None:
    error = UnknownInstance("OdooInstance shop does not exist.", details="one\ntwo", resolution="Look.")

    assert render_error(error, Style()) == ("error MOOR-600: OdooInstance shop does not exist.\n  one\n  two\n→ Look.")


def test_error_for_programs_is_one_line() -> None:
    value = json.loads(render_error_json(UnknownInstance("gone", details="a\nb")))

    assert value["type"] == "error"
    assert value["code"] == "MOOR-600"
    assert set(value) == {"type", "code", "reason", "brief", "details", "resolution", "retry"}


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        pytest.param((UnknownInstance("a"), UnknownInstance("b")), 3, id="the same code"),
        pytest.param((UnknownInstance("a"), ConflictError("b")), 1, id="different codes"),
    ],
)
def test_several_errors_end_with_their_common_code(errors: tuple[MooringError, ...], code: int) -> None:
    several = SeveralErrors(errors)

    assert exit_code(several) == code
    assert render_error(several, Style()).count("error MOOR-") == 2
    assert [one["brief"] for one in several.to_json()["errors"]] == ["a", "b"]


def test_operation_that_failed_exits_with_1() -> None:
    assert exit_code(OperationNotDone("x")) == 1


def test_table_aligns_columns_and_marks_of_colour_take_no_room() -> None:
    style = Style(colour=True)
    rows = [("shop", style.good("Running"), "x"), ("warehouse", "Stopped", "")]

    plain = render_table(("NAME", "PHASE", "URL"), rows).replace("\x1b[32m", "").replace("\x1b[0m", "")

    assert plain.splitlines() == [
        "NAME       PHASE    URL",
        "shop       Running  x",
        "warehouse  Stopped  -",
    ]


def test_table_shows_no_control_characters_of_a_cell() -> None:
    assert "\x07" not in render_table(("A",), [("a\x07b",)])


@pytest.mark.parametrize(
    ("since", "shown"),
    [
        pytest.param(None, "-", id="never"),
        pytest.param("2026-03-01T11:59:30Z", "30s", id="seconds"),
        pytest.param("2026-03-01T11:50:00Z", "10m", id="minutes"),
        pytest.param("2026-03-01T07:00:00Z", "5h", id="hours"),
        pytest.param("2026-02-01T12:00:00Z", "28d", id="days"),
        pytest.param("2026-03-01T12:00:09Z", "0s", id="a clock that went back"),
    ],
)
def test_age_is_short(since: str | None, shown: str) -> None:
    assert render_age(since, NOW) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.42, "0.4 s"), (12.3, "12 s"), (185.0, "3 min 05 s")], ids=["short", "medium", "long"]
)
def test_duration_is_readable(seconds: float, shown: str) -> None:
    assert render_seconds(seconds) == shown


def test_json_progress_writes_one_object_an_event() -> None:
    out, err = io.StringIO(), io.StringIO()
    progress = JsonProgress(out, err)

    progress(Event(SHOP, "step", "install: because", step="install", state="started"))
    progress(Event(SHOP, "phase", "OdooInstance shop is Running."))
    progress.line("words")

    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert (first["type"], first["step"], first["state"], first["name"]) == ("step", "install", "started", "shop")
    assert second["type"] == "phase"
    assert "step" not in second
    assert err.getvalue() == "words\n"


def test_plain_progress_names_instance_step_and_time_taken() -> None:
    err = io.StringIO()
    progress = PlainProgress(err)

    progress(Event(SHOP, "step", "install: Odoo installs base.", step="install", state="started"))
    progress(Event(SHOP, "step", "install done", step="install", state="done"))
    progress(Event(SHOP, "step", "verify failed: no base", step="verify", state="failed"))
    progress(Event(SHOP, "phase", "OdooInstance shop is Running."))

    lines = [line[9:] for line in err.getvalue().splitlines()]
    assert lines[0] == "shop install started: Odoo installs base."
    assert lines[1].startswith("shop install done (0.")
    assert lines[2] == "shop verify failed: no base"
    assert lines[3] == "shop is Running."


def test_live_progress_keeps_steps_in_progress_below_and_erases_only_them() -> None:
    err = io.StringIO()
    progress = LiveProgress(err, Style(), columns=80)

    progress(Event(SHOP, "step", "install: because", step="install", state="started"))
    progress(Event(SHOP, "change", "create container x", step="", state=""))
    progress(Event(SHOP, "step", "install done", step="install", state="done"))
    progress.tick()

    text = err.getvalue()
    assert text.count("\x1b[1F\x1b[J") == 2
    assert text.splitlines()[-1].endswith("0.0 s")
    assert "✓ shop  install: because" in text


def test_live_progress_cuts_lines_to_the_terminal() -> None:
    err = io.StringIO()
    progress = LiveProgress(err, Style(), columns=40)

    progress(Event(SHOP, "step", "x" * 200, step="install", state="started"))

    assert max(len(line) for line in err.getvalue().splitlines()) <= 40
