# SPDX-License-Identifier: Apache-2.0
"""How long the answer of a probe is remembered: who serves is believed, who does not yet is asked again soon."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest

from mooring.drivers.docker.engine import Engine
from mooring.targets.docker import labels as tag
from mooring.targets.docker.probes import Probes
from tests.support.sim_clock import SimClock

BOX = {
    "Id": "1",
    "Name": "/shop-web-0",
    "State": {"StartedAt": "now"},
    "Config": {"Labels": {tag.PROBE: json.dumps({"argv": ["probe"], "timeout_s": 5})}},
}


class Answers:
    """The one method of an engine that an ended probe needs."""

    podman = False

    def __init__(self) -> None:
        self.code = 1
        self.asked = 0

    def run(self, name: str, argv: Sequence[str], **_: Any) -> tuple[int, str]:
        self.asked += 1
        return self.code, ""


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def clock() -> SimClock:
    return SimClock()


@pytest.fixture
def probes(answers: Answers, clock: SimClock) -> Iterator[Probes]:
    probes = Probes(cast("Engine", answers), clock)
    yield probes
    probes.close()


def ready(probes: Probes, *, live: bool = False) -> bool:
    return probes.check([BOX], live=live)["shop-web-0"]


def test_probe_of_one_that_begins_to_serve_is_seen_within_a_moment(
    probes: Probes, answers: Answers, clock: SimClock
) -> None:
    assert not ready(probes)
    answers.code = 0
    clock.advance(0.3)

    assert ready(probes)


def test_probe_of_one_that_serves_is_not_asked_again_within_two_seconds(
    probes: Probes, answers: Answers, clock: SimClock
) -> None:
    answers.code = 0
    assert ready(probes)
    clock.advance(1.9)

    assert ready(probes)
    assert answers.asked == 1


def test_probe_of_one_that_begins_to_serve_while_another_answers_is_seen_in_the_same_look(clock: SimClock) -> None:
    slow_ended = threading.Event()

    class Two:
        """The first answers no at once, and yes when the second has answered."""

        podman = False

        def run(self, name: str, argv: Sequence[str], **_: Any) -> tuple[int, str]:
            if name == "1":
                return (0 if slow_ended.is_set() else 1), ""
            clock.advance(1.0)
            slow_ended.set()
            return 0, ""

    both = [BOX, BOX | {"Id": "2", "Name": "/shop-cron-0"}]
    probes = Probes(cast("Engine", Two()), clock)
    assert probes.check(both, live=True) == {"shop-web-0": True, "shop-cron-0": True}
    probes.close()


@pytest.mark.parametrize(
    ("after_s", "live"), [pytest.param(2.1, False, id="later"), pytest.param(0.0, True, id="live")]
)
def test_probe_of_one_that_stopped_serving_is_seen(
    probes: Probes, answers: Answers, clock: SimClock, after_s: float, *, live: bool
) -> None:
    answers.code = 0
    assert ready(probes)
    answers.code = 1
    clock.advance(after_s)

    assert not ready(probes, live=live)
