# SPDX-License-Identifier: Apache-2.0
"""postgresql.conf and pg_hba.conf of a managed server."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.domain.postgres.conf import (
    DEFAULT_MAX_CONNECTIONS,
    MIB,
    decide_max_connections,
    render_hba,
    render_postgresql_conf,
)
from mooring.domain.postgres.errors import ServerConfigRefused, UnsupportedPostgres

LINE = re.compile(r"([a-z_.0-9]+) = '((?:[^'\\]|''|\\\\)*)'")


def read(text: str) -> dict[str, str]:
    """As PostgreSQL reads it (src/backend/utils/misc/guc-file.l)."""
    values = {}
    for line in text.splitlines()[1:]:
        match = LINE.fullmatch(line)
        assert match, line
        assert match[1] not in values
        values[match[1]] = match[2].replace("''", "'").replace("\\\\", "\\")
    return values


def rendered(memory_mib: int = 1024, **more: Any) -> dict[str, str]:
    return read(render_postgresql_conf(**{"memory_bytes": memory_mib * MIB, "major": 17, **more}))


@pytest.mark.parametrize(
    ("memory_mib", "shared", "cache", "work", "maintenance"),
    [
        pytest.param(128, "32MB", "64MB", "4MB", "32MB", id="smallest"),
        pytest.param(1024, "256MB", "512MB", "4MB", "64MB", id="1GiB"),
        pytest.param(8192, "2048MB", "4096MB", "30MB", "512MB", id="8GiB"),
        pytest.param(65536, "16384MB", "32768MB", "64MB", "1024MB", id="64GiB"),
    ],
)
def test_memory_settings_follow_the_limit(
    memory_mib: int, shared: str, cache: str, work: str, maintenance: str
) -> None:
    values = rendered(memory_mib)
    assert (values["shared_buffers"], values["effective_cache_size"]) == (shared, cache)
    assert (values["work_mem"], values["maintenance_work_mem"]) == (work, maintenance)


def test_settings_that_safety_rests_on_are_there() -> None:
    values = rendered()
    assert values["password_encryption"] == "scram-sha-256"
    assert (values["listen_addresses"], values["port"], values["unix_socket_directories"]) == ("*", "5432", "/tmp")
    assert values["max_connections"] == str(DEFAULT_MAX_CONNECTIONS)
    assert (values["huge_pages"], values["jit"], values["log_destination"]) == ("off", "off", "stderr")


def test_compression_of_wal_is_one_that_the_major_has() -> None:
    assert [rendered(major=major)["wal_compression"] for major in (13, 14, 15, 17)] == ["on", "on", "zstd", "zstd"]


def test_user_parameters_win() -> None:
    values = rendered(parameters={"Work_Mem": "128MB", "jit": True, "auto_explain.log_min_duration": 250})
    assert (values["work_mem"], values["jit"], values["auto_explain.log_min_duration"]) == ("128MB", "on", "250")


@pytest.mark.parametrize(
    "name",
    [
        "data_directory",
        "hba_file",
        "ident_file",
        "config_file",
        "external_pid_file",
        "listen_addresses",
        "port",
        "password_encryption",
        "ssl",
        "ssl_cert_file",
        "unix_socket_directories",
        "include",
        "include_dir",
        "include_if_exists",
        "fsync",
        "full_page_writes",
        "logging_collector",
        "log_destination",
        "zero_damaged_pages",
        "FSYNC",
    ],
)
def test_parameter_that_breaks_the_server_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(ServerConfigRefused) as caught:
        rendered(parameters={name: "x"})
    assert re.fullmatch(rf"{name.lower()}: \w.*\.", caught.value.details)


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"work_mem": "1MB'\nfsync = 'off"}, id="line-break"),
        pytest.param({"work_mem\nfsync": "off"}, id="name-with-line-break"),
        pytest.param({"work_mem = '1MB' #": "x"}, id="name-with-equals"),
        pytest.param({"": "x"}, id="no-name"),
        pytest.param({"a.b.c": "x"}, id="name-with-two-dots"),
        pytest.param({"work_mem": "1MB", "WORK_MEM": "2MB"}, id="twice"),
        pytest.param({"max_connections": 500}, id="not-what-was-decided"),
    ],
)
def test_parameter_that_cannot_be_written_is_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(ServerConfigRefused):
        rendered(parameters=parameters)


def test_refused_parameters_are_reported_at_once() -> None:
    with pytest.raises(ServerConfigRefused, match="3 parameter") as caught:
        rendered(parameters={"fsync": "off", "port": 1, "é": 1})
    assert len(caught.value.details.splitlines()) == 3


@given(st.text(max_size=30))
def test_value_of_any_form_is_read_back_or_refused(value: str) -> None:
    try:
        values = rendered(parameters={"search_path": value})
    except ServerConfigRefused:
        assert not all(character.isprintable() for character in value.strip())
        return
    assert values["search_path"] == value.strip()


def test_render_is_deterministic() -> None:
    one = render_postgresql_conf(memory_bytes=MIB * 512, major=15, parameters={"a": 1, "b": 2})
    assert one == render_postgresql_conf(memory_bytes=MIB * 512, major=15, parameters={"b": 2, "a": 1})


def test_too_little_memory_is_refused() -> None:
    with pytest.raises(ServerConfigRefused, match="127 MiB"):
        rendered(127)


@pytest.mark.parametrize("major", [12, 19])
def test_major_that_we_do_not_run_is_refused(major: int) -> None:
    with pytest.raises(UnsupportedPostgres):
        rendered(major=major)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [({}, 200), ({"max_connections": 50}, 50), ({"MAX_CONNECTIONS": "300"}, 300)],
    ids=["default", "number", "text"],
)
def test_max_connections_is_the_users_or_the_default(parameters: dict[str, Any], expected: int) -> None:
    assert decide_max_connections(parameters) == expected
    assert rendered(max_connections=expected, parameters=parameters)["max_connections"] == str(expected)


@pytest.mark.parametrize("value", ["many", 19, True, -5, "1e3", 2.5])
def test_max_connections_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ServerConfigRefused):
        decide_max_connections({"max_connections": value})


def test_hba_lets_nobody_in_without_a_password() -> None:
    lines = [line.split() for line in render_hba().splitlines() if not line.startswith("#")]
    assert lines
    assert {line[-1] for line in lines} == {"scram-sha-256"}
    assert "replication" not in render_hba()
