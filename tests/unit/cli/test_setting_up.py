# SPDX-License-Identifier: Apache-2.0
"""What `setup` decides and says, on facts that are given to it; tests/system/test_setup_systemd.py does it for real."""

from __future__ import annotations

from pathlib import Path

import pytest

from mooring.cli import debian, service, setting_up
from mooring.cli.errors import SetupFailed
from mooring.cli.options import Options
from mooring.drivers import host
from mooring.drivers.host import Lookup, OsRelease
from mooring.errors import MooringError
from tests.unit.cli.runner import Program


@pytest.fixture(autouse=True)
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The programs that would have been run."""
    found: list[list[str]] = []

    def run(argv: list[str], **_: object) -> str:
        found.append(list(argv))
        return ""

    monkeypatch.setattr(setting_up, "run_program", run)
    monkeypatch.setattr(debian, "run_program", run)
    monkeypatch.setattr(setting_up, "ENGINE_START_S", 0.0)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(host, "observe_os_release", lambda: OsRelease(id="ubuntu", id_like="debian"))
    return found


@pytest.fixture(params=[True, False], ids=["systemd", "no systemd"])
def systemd(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(setting_up, "systemd_runs", lambda: request.param)
    monkeypatch.setattr(setting_up, "service_runs", lambda unit, home: False)
    monkeypatch.setattr(setting_up, "program_path", lambda: Path("/usr/local/bin/mooring"))
    return bool(request.param)


def engine_step(home: Path) -> setting_up.Step:
    return setting_up.machine_steps(Options(home=home, environ={"DOCKER_HOST": f"unix://{home}/none.sock"}))[1]


def test_setup_installs_an_engine_only_where_it_knows_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: list[list[str]]
) -> None:
    monkeypatch.setattr(host, "observe_os_release", lambda: OsRelease(id="fedora", pretty_name="Fedora"))
    engine = engine_step(tmp_path)

    assert engine.needless() == ""
    with pytest.raises(MooringError, match="Fedora"):
        engine.act()
    assert ran == []


def test_setup_installs_the_distributions_package_and_starts_it_by_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: list[list[str]]
) -> None:
    monkeypatch.setattr(setting_up, "systemd_runs", lambda: True)
    monkeypatch.setattr("shutil.which", lambda name: None)

    with pytest.raises(MooringError, match="does not answer"):
        engine_step(tmp_path).act()

    assert ["apt-get", "install", "-y", "-qq", "docker.io"] in ran
    assert ran[-1] == ["systemctl", "enable", "--now", "docker"]


def test_setup_without_systemd_starts_the_engine_by_its_start_script_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ran: list[list[str]]
) -> None:
    script = tmp_path / "docker"
    script.touch()
    monkeypatch.setattr(setting_up, "systemd_runs", lambda: False)
    monkeypatch.setattr(setting_up, "SERVICE_SCRIPT", script)
    monkeypatch.setattr("shutil.which", lambda name: name)

    with pytest.raises(MooringError, match="does not answer"):
        engine_step(tmp_path).act()

    assert ran == [[str(script), "start"]]
    assert "Nothing here starts it with the machine" in capsys.readouterr().err


@pytest.mark.parametrize("script", [True, False], ids=["start script fails", "no start script"])
def test_setup_without_systemd_starts_the_engine_itself_where_no_script_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], script: bool
) -> None:
    def fail(argv: object, **_: object) -> str:
        raise SetupFailed("it ended with 2.", details="ulimit: not permitted")

    started: list[str] = []
    if script:
        (tmp_path / "docker").touch()
    monkeypatch.setattr(setting_up, "systemd_runs", lambda: False)
    monkeypatch.setattr(setting_up, "SERVICE_SCRIPT", tmp_path / "docker")
    monkeypatch.setattr(setting_up, "ENGINE_START_S", 0.0)
    monkeypatch.setattr(setting_up, "run_program", fail)
    monkeypatch.setattr(setting_up, "start_detached", lambda argv, log: started.extend(argv))
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(host, "observe_os_release", lambda: OsRelease(id="debian"))

    with pytest.raises(MooringError, match="does not answer"):
        engine_step(tmp_path).act()

    assert started == ["dockerd"]
    assert ("ulimit: not permitted" in capsys.readouterr().err) is script


def test_setup_dry_run_says_each_step_and_does_none(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, systemd: bool
) -> None:
    monkeypatch.chdir(tmp_path)

    result = program("setup", "--dry-run")

    assert all(
        words in result.out for words in ("docker.io", "engine image", "as a service", "odoo.yaml", "mooring apply")
    )
    assert list(tmp_path.glob("*.yaml")) == []
    assert result.code == (0 if systemd else 1)
    assert ("MOOR-714" in result.err) == (not systemd)


def test_setup_where_no_systemd_runs_is_refused_before_anything_is_changed(
    program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ran: list[list[str]]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(setting_up, "systemd_runs", lambda: False)

    result = program("setup", "--yes")

    assert result.code == 1
    assert "MOOR-714" in result.err
    assert "--no-agent" in result.err
    assert "ready" not in result.out
    assert ran == []
    assert list(tmp_path.glob("*.yaml")) == []


def test_setup_without_a_terminal_and_without_yes_does_nothing(program: Program) -> None:
    result = program("setup", "--no-agent", "--no-instance")

    assert result.code == 2
    assert "MOOR-704" in result.err


def test_setup_with_a_faulty_manifest_says_so_before_anything_is_changed(
    program: Program, tmp_path: Path, ran: list[list[str]]
) -> None:
    manifest = tmp_path / "shop.yaml"
    manifest.write_text(
        "apiVersion: mooring.dev/v1alpha1\nkind: OdooInstance\nmetadata: {name: shop}\nspec: {imag: x}\n"
    )

    result = program("setup", "--yes", "--no-agent", "-f", str(manifest))

    assert result.code == 2
    assert "image" in result.err
    assert result.out == ""
    assert ran == []


def test_setup_looks_at_what_doctor_looks_at_and_stops_where_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(host, "observe_disk_free_bytes", lambda path: 10**9)
    monkeypatch.setattr(host, "observe_addresses", lambda name: Lookup((), problem="no such name", exists=False))
    options = Options(home=tmp_path, environ={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    look = setting_up.machine_steps(options, hosts=["shop.example.com"])[0]

    with pytest.raises(MooringError) as caught:
        look.act()

    assert "Free space" in caught.value.details
    assert "DNS" not in caught.value.details
    said = capsys.readouterr().err
    assert all(
        word in said for word in ("memory:", "disk:", "port 80:", "port 443:", "clock:", "DNS shop.example.com:")
    )


def test_a_service_whose_agent_does_not_come_up_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "run_program", lambda argv: "error MOOR-530: the file has mistakes")

    with pytest.raises(MooringError, match="no agent came up") as caught:
        service.wait_for_agent(tmp_path, timeout_s=0.0)

    assert "MOOR-530" in caught.value.details
