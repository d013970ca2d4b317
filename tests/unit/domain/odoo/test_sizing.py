# SPDX-License-Identifier: Apache-2.0
"""Processes, memory and connections of an instance."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.domain.odoo.errors import ConnectionsRefused, ResourcesRefused
from mooring.domain.odoo.memory import HARD_MIN, MIB, RESERVE, SOFT_MAX, SOFT_MIN
from mooring.domain.odoo.sizing import (
    Sizing,
    SizingInput,
    decide_sizing,
)

GIB = 1024 * MIB


def decide(cpu: float = 2, memory: int = 2 * GIB, **more: Any) -> Sizing:
    return decide_sizing(
        SizingInput(**{"series": "18.0", "cpu_millicores": int(cpu * 1000), "memory_bytes": memory, **more})
    )


@pytest.mark.parametrize(
    ("cpu", "memory_mib", "workers", "soft_mib"),
    [
        pytest.param(2, 2048, 2, 640, id="default"),
        pytest.param(2, 4096, 5, 661, id="cpu-decides"),
        pytest.param(0.25, 4096, 2, 1322, id="two-at-least"),
        pytest.param(2, 1664, 2, 512, id="just-enough-for-two"),
        pytest.param(2, 1663, 0, 1535, id="just-too-little-for-two"),
        pytest.param(2, 384, 0, 256, id="smallest"),
        pytest.param(4, 65536, 9, 2048, id="odoo-default-is-the-most"),
    ],
)
def test_auto_workers_follow_cpu_and_memory(cpu: float, memory_mib: int, workers: int, soft_mib: int) -> None:
    web = decide(cpu, memory_mib * MIB).web
    assert (web.workers, web.limit_memory_soft // MIB) == (workers, soft_mib)


def test_default_instance_gets_these_numbers() -> None:
    sizing = decide()
    assert sizing.web.limit_memory_hard == HARD_MIN
    assert (sizing.web.db_maxconn, sizing.connections, sizing.connections_allowed) == (16, 80, 190)
    assert (sizing.web.max_cron_threads, sizing.cron.max_cron_threads) == (0, 2)
    assert (sizing.cron.workers, sizing.task.workers, sizing.probe.workers) == (0, 0, 0)
    assert (sizing.task.max_cron_threads, sizing.probe.max_cron_threads) == (0, 0)
    assert sizing.web.has_evented
    assert not sizing.cron.has_evented
    assert sizing.reasons[0] == "workers 2: 5 for 2 CPU (twice and one), 2 fit into 2048 MiB at 512 MiB each."


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "limit_memory_soft": st.integers(100 * MIB, 4 * GIB),
        "limit_memory_hard": st.integers(100 * MIB, 6 * GIB),
        "limit_memory_soft_gevent": st.integers(100 * MIB, 2 * GIB),
        "db_maxconn": st.integers(1, 64),
        "db_maxconn_gevent": st.integers(1, 64),
        "max_cron_threads": st.integers(1, 8),
    },
)
WANTED = st.builds(
    SizingInput,
    series=st.just("18.0"),
    cpu_millicores=st.integers(1, 64_000),
    memory_bytes=st.integers(0, 64 * GIB),
    workers=st.none() | st.integers(0, 40),
    replicas=st.integers(0, 5),
    cron_memory_bytes=st.none() | st.integers(0, 8 * GIB),
    cron_replicas=st.integers(0, 3),
    max_connections=st.integers(20, 1000),
    options=OPTIONS,
)


@given(WANTED)
def test_sizes_keep_within_memory_and_connections_or_are_refused(wanted: SizingInput) -> None:
    try:
        sizing = decide_sizing(wanted)
    except (ResourcesRefused, ConnectionsRefused):
        return
    web, cron = sizing.web, sizing.cron
    evented = web.limit_memory_soft_evented if web.workers else 0
    assert max(web.workers, 1) * web.limit_memory_soft + evented <= wanted.memory_bytes - RESERVE
    cron_memory = wanted.memory_bytes if wanted.cron_memory_bytes is None else wanted.cron_memory_bytes
    assert cron.limit_memory_soft <= cron_memory - RESERVE
    per_web = web.workers * web.db_maxconn + web.db_maxconn_evented if web.workers else web.db_maxconn
    total = wanted.replicas * per_web + wanted.cron_replicas * cron.db_maxconn + sizing.task.db_maxconn
    assert total == sizing.connections <= wanted.max_connections - 10
    assert 0 < sizing.connections_least <= sizing.connections
    for size in (web, cron, sizing.task, sizing.probe):
        assert SOFT_MIN <= size.limit_memory_soft < size.limit_memory_hard
        assert size.limit_memory_soft_evented < size.limit_memory_hard_evented
        assert size.db_maxconn >= 1
        assert size.memory == (
            size.limit_memory_soft
            if not size.workers
            else size.workers * size.limit_memory_soft + size.limit_memory_soft_evented
        )
    if wanted.workers is not None:
        assert web.workers == wanted.workers
    for key, value in wanted.options.items():
        if key not in {"max_cron_threads", "limit_memory_soft_gevent", "db_maxconn_gevent"}:
            assert getattr(web, key) == value  # the user's word wins


@given(st.integers(500, 32_000), st.integers(400 * MIB, 32 * GIB))
def test_auto_sizes_are_accepted_when_connections_are_there(cpu: int, memory: int) -> None:
    sizing = decide_sizing(SizingInput(series="14.0", cpu_millicores=cpu, memory_bytes=memory, max_connections=5000))
    assert sizing.web.workers == 0 or sizing.web.workers >= 2
    assert sizing.web.limit_memory_soft <= SOFT_MAX


@pytest.mark.parametrize(
    ("more", "text"),
    [
        pytest.param({"memory": 383 * MIB}, "383 MiB is less than the 384 MiB", id="memory-tiny"),
        pytest.param({"cron_memory_bytes": 100 * MIB}, r"cron\.resources\.memory: 100 MiB", id="cron-memory-tiny"),
        pytest.param({"workers": -1}, "-1 is less than 0", id="workers-negative"),
        pytest.param({"workers": 7}, "7 worker.* leave 240 MiB", id="workers-too-many"),
        pytest.param(
            {"options": {"limit_memory_soft": GIB}, "workers": 2}, "need 3072 MiB; .* leave 1920 MiB", id="sum"
        ),
        pytest.param(
            {"options": {"limit_memory_soft": 660 * MIB}, "workers": 2},
            "need 1980 MiB; .* leave 1920 MiB",
            id="sum-without-reserve",
        ),
        pytest.param(
            {"options": {"limit_memory_soft": 600 * MIB, "limit_memory_hard": 600 * MIB}},
            "600 MiB is not above limit_memory_soft",
            id="soft-is-hard",
        ),
        pytest.param({"options": {"limit_memory_soft": 0}}, "above 0", id="no-limit"),
        pytest.param({"options": {"limit_memory_soft": "2 GB"}}, "whole number", id="no-number"),
        pytest.param({"options": {"limit_memory_soft": True}}, "whole number", id="switch"),
        pytest.param({"options": {"max_cron_threads": 0}}, "above 0", id="no-cron-threads"),
        pytest.param(
            {"series": "14.0", "options": {"db_maxconn_gevent": 4}}, r"no option of Odoo 14\.0", id="unknown-to-series"
        ),
    ],
)
def test_resources_that_cannot_be_divided_are_refused_with_figures(more: dict[str, Any], text: str) -> None:
    with pytest.raises(ResourcesRefused) as caught:
        decide(**more)
    assert re.search(text, caught.value.details)


def test_all_faults_are_reported_at_once() -> None:
    with pytest.raises(ResourcesRefused) as caught:
        decide(memory=MIB, cron_memory_bytes=MIB, workers=-2, options={"db_maxconn": "many"})
    assert [r.key for r in caught.value.refusals] == [
        "db_maxconn",
        "resources.memory",
        "cron.resources.memory",
        "the task's memory",
        "workers",
    ]


def test_connections_are_shared_out_before_they_run_short() -> None:
    # 2 replicas of 2 workers and an evented process, 1 cron, 1 other: 8 processes for 90 connections.
    sizing = decide(replicas=2, max_connections=100)
    assert (sizing.web.db_maxconn, sizing.connections) == (11, 88)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        pytest.param({"max_connections": 25}, "too few connections: 15 .* for 5 processes", id="too-few"),
        pytest.param(
            {"options": {"db_maxconn": 64}},
            r"could open 320 connections .*db_maxconn 64\); the server gives 190",
            id="asked",
        ),
        pytest.param({"options": {"db_maxconn": 39}}, "could open 195 .* the server gives 190", id="reserved"),
        pytest.param({"max_connections": 5}, "too few", id="less-than-reserved"),
    ],
)
def test_connections_that_the_server_has_not_are_refused_with_figures(more: dict[str, Any], text: str) -> None:
    with pytest.raises(ConnectionsRefused, match=text):
        decide(**more)


def test_option_is_read_in_any_case() -> None:
    assert decide(options={"DB_MaxConn": "9"}).web.db_maxconn == 9


def test_evented_process_may_have_a_limit_of_its_own() -> None:
    web = decide(options={"limit_memory_soft_gevent": 300 * MIB, "db_maxconn_gevent": 40}).web
    assert (web.limit_memory_soft_evented, web.db_maxconn_evented) == (300 * MIB, 40)
    assert (web.workers, web.limit_memory_soft) == (3, 540 * MIB)


def test_hard_limit_of_the_user_lowers_the_soft_ones_and_says_what_it_costs() -> None:
    sizing = decide(options={"limit_memory_hard": 700 * MIB})
    assert (sizing.web.limit_memory_soft, sizing.cron.limit_memory_soft) == (560 * MIB, 560 * MIB)
    assert "PDF reports fail below 1536 MiB" in sizing.reasons[-1]
    assert "PDF" not in "".join(decide().reasons)


def test_hard_limit_of_the_user_only_widens_a_task() -> None:
    assert decide(options={"limit_memory_hard": 700 * MIB}).task.limit_memory_hard == 1920 * MIB * 5 // 4
    assert decide(options={"limit_memory_hard": 8 * GIB}).task.limit_memory_hard == 8 * GIB


@pytest.mark.parametrize(
    ("given", "least"),
    [
        pytest.param({}, 20, id="sized-by-mooring"),
        pytest.param({"options": {"db_maxconn": 10}}, 50, id="chosen"),
        pytest.param({"options": {"db_maxconn_gevent": 30}}, 46, id="evented-chosen"),
        pytest.param({"replicas": 2}, 32, id="two-replicas"),
    ],
)
def test_least_connections_are_what_was_chosen_or_what_works(given: dict[str, Any], least: int) -> None:
    assert decide(**given).connections_least == least
