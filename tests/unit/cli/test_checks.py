# SPDX-License-Identifier: Apache-2.0
"""What `doctor` and `setup` find, on facts that are given to them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mooring.cli import checks
from mooring.cli.checks import Check, EngineFound
from mooring.drivers import host
from mooring.drivers.host import Lookup
from mooring.drivers.settings import Settings
from tests.unit.cli.runner import Program

HERE = EngineFound(local=True, root=Path("/var/lib/docker"), ingress_ports=frozenset())


@pytest.mark.parametrize(
    ("gigabytes", "verdict"), [(8.0, "ok"), (3.8, "ok"), (2.0, "warn")], ids=["plenty", "sold as 4 GB", "too little"]
)
def test_memory_is_judged(gigabytes: float, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "observe_memory_bytes", lambda: int(gigabytes * 10**9))

    assert checks.check_memory().verdict == verdict


@pytest.mark.parametrize(
    ("gigabytes", "verdict"), [(40, "ok"), (10, "warn"), (2, "fail")], ids=["plenty", "little", "nearly full"]
)
def test_disk_is_judged(gigabytes: int, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "observe_disk_free_bytes", lambda path: gigabytes * 10**9)

    assert checks.check_disk(Path("/")).verdict == verdict


@pytest.mark.parametrize(
    ("free", "needed", "engine", "verdict"),
    [
        pytest.param(True, True, HERE, "ok", id="free"),
        pytest.param(False, True, HERE, "fail", id="taken and needed"),
        pytest.param(False, False, HERE, "warn", id="taken and not needed yet"),
        pytest.param(None, True, HERE, "warn", id="may not be tried"),
        pytest.param(False, True, EngineFound(True, None, frozenset({80, 443})), "ok", id="ours"),
        pytest.param(False, True, EngineFound(False, None, frozenset()), "warn", id="engine elsewhere"),
        pytest.param(True, False, None, "ok", id="no engine yet"),
    ],
)
def test_ports_are_judged(
    free: bool | None, needed: bool, engine: EngineFound | None, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "observe_port_free", lambda port: free)

    found = checks.check_ports(Settings(), engine, needed=needed)

    assert [one.verdict for one in found] == [verdict, verdict]
    assert all(one.mend for one in found if one.verdict != "ok")


@pytest.mark.parametrize(
    ("lookup", "verdict"),
    [
        pytest.param(Lookup(("192.0.2.1",)), "ok", id="found"),
        pytest.param(Lookup((), "no such name", exists=False), "fail", id="there is no such name"),
        pytest.param(Lookup((), "timed out", exists=None), "warn", id="nobody answers"),
    ],
)
def test_host_names_are_judged(lookup: Lookup, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "observe_addresses", lambda name: lookup)

    assert [one.verdict for one in checks.check_hosts(["a.example.com", "a.example.com"])] == [verdict]


def test_engine_that_does_not_answer_is_a_failure_with_what_was_tried(tmp_path: Path) -> None:
    check, found = checks.check_engine({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})

    assert (check.verdict, found) == ("fail", None)
    assert "none.sock" in check.found
    assert check.mend


@pytest.mark.parametrize(("failing", "code"), [(False, 0), (True, 1)], ids=["all well", "one fails"])
def test_doctor_ends_with_1_when_a_check_fails_and_says_how_to_mend(
    failing: bool, code: int, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "check_engine", lambda environ: (Check("engine", "ok", "here"), HERE))
    monkeypatch.setattr(checks, "check_ports", lambda *_, **__: [])
    disk = Check("disk", "fail", "full", "Make room.") if failing else Check("disk", "ok", "empty")
    monkeypatch.setattr(checks, "check_disk", lambda path: disk)

    shown, data = program("doctor"), program("doctor", "-o", "json")

    assert shown.code == data.code == code
    assert ("Make room." in shown.out) is failing
    assert {"name", "verdict", "found", "mend"} == set(json.loads(data.out)[0])


def test_every_check_that_is_not_well_says_how_to_mend_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "observe_memory_bytes", lambda: 10**9)
    monkeypatch.setattr(host, "observe_disk_free_bytes", lambda path: 10**9)
    monkeypatch.setattr(host, "observe_port_free", lambda port: False)
    monkeypatch.setattr(host, "observe_clock_synchronised", lambda: False)
    monkeypatch.setattr(host, "observe_addresses", lambda name: Lookup((), problem="no such name", exists=False))

    found = checks.check_machine(
        {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}, Settings(), home=tmp_path, hosts=["shop.example.com"]
    )

    assert [one.name for one in found] == [
        "engine",
        "memory",
        "disk",
        "port 80",
        "port 443",
        "clock",
        "DNS shop.example.com",
    ]
    assert all(one.verdict != "ok" and one.mend for one in found)
