# SPDX-License-Identifier: Apache-2.0
"""odoo.conf: golden files, what wins, what is refused, and how it is read back."""

from __future__ import annotations

import configparser
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.domain.odoo.conf import (
    AddonPaths,
    ConfInput,
    DatabaseAccess,
    MailSink,
    render_conf,
)
from mooring.domain.odoo.errors import ConfigRefused, ResourcesRefused
from mooring.domain.odoo.facts import SERIES
from mooring.domain.odoo.memory import MIB
from mooring.domain.odoo.sizing import SizingInput, decide_sizing

GOLDEN = Path(__file__).parents[3] / "golden" / "odoo_conf"
DATABASE = DatabaseAccess(host="db.internal", port=5432, name="default_shop", user="default_shop")
CORE = ("/usr/lib/python3/dist-packages/odoo/addons",)


def wanted(series: str = "18.0", role: str = "web", *, size: dict[str, Any] | None = None, **more: Any) -> ConfInput:
    options = more.get("options", {})
    sizing = decide_sizing(
        SizingInput(
            **{
                "series": series,
                "cpu_millicores": 2000,
                "memory_bytes": 2048 * MIB,
                "options": options,
                **(size or {}),
            }
        )
    )
    given_ = {"database": DATABASE, "addons": AddonPaths(core=CORE), "sizing": sizing, **more}
    return ConfInput(series=series, role=role, **given_)  # type: ignore[arg-type]  # roles come from parameters


def parsed(text: str) -> dict[str, str]:
    """As Odoo reads it (odoo/tools/config.py)."""
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    assert parser.sections() == ["options"]
    return dict(parser.items("options"))


def rendered(*args: Any, **more: Any) -> dict[str, str]:
    return parsed(render_conf(wanted(*args, **more)).outline)


GOLDENS = {
    "14-web": wanted("14.0"),
    "14-cron": wanted("14.0", "cron"),
    "14-task-demo": wanted("14.0", "task", demo=True),
    "14-probe": wanted("14.0", "probe", behind_ingress=False),
    "14-web-threaded": wanted("14.0", size={"memory_bytes": 1024 * MIB}),
    "16-staging": wanted(
        "16.0", environment="Staging", mail_sink=MailSink(host="mail-sink", port=1025), database=DATABASE
    ),
    "18-custom": wanted(
        "18.0",
        addons=AddonPaths(custom=("/mnt/a", "/mnt/b/", "/mnt/a"), enterprise=("/mnt/enterprise",), core=CORE),
        options={
            "limit_time_real": 600,
            "server_wide_modules": "base,web,queue_job",
            "proxy_mode": False,
            "LOG_LEVEL": "warn",
            "db_maxconn": 12,
            "limit_memory_hard": 3 * 1024 * MIB,
        },
    ),
    "19-web": wanted("19.0"),
    "20-external": wanted(
        "20.0",
        database=DatabaseAccess(host="10.0.0.7", port=6432, name="Shop-1.x", user="u", ssl_mode="verify-full"),
        http_interface="127.0.0.1",
        http_port=18069,
        evented_port=18072,
        data_dir="/srv/odoo/data",
    ),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_conf_matches_its_golden_file(name: str) -> None:
    text = render_conf(GOLDENS[name]).outline
    path = GOLDEN / f"{name}.conf"
    if os.environ.get("MOORING_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), "MOORING_GOLDEN=1 rewrites the golden files"


def test_golden_files_all_have_a_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.conf")} == set(GOLDENS)


@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("role", ["web", "cron", "task", "probe"])
def test_conf_knows_only_keys_of_its_series(series: str, role: str) -> None:
    assert {key for key in rendered(series, role) if not SERIES[series].knows(key)} == set()


@pytest.mark.parametrize("series", SERIES)
def test_conf_is_closed_by_default(series: str) -> None:
    values = rendered(series)
    assert (values["list_db"], values["dbfilter"], values["db_name"]) == ("False", "^default_shop$", "default_shop")
    assert values["max_cron_threads"] == "0"
    assert values[SERIES[series].evented_port_option] == "8072"


def test_roles_differ_where_they_must() -> None:
    assert (rendered(role="cron")["max_cron_threads"], rendered(role="cron")["http_enable"]) == ("2", "False")
    assert (rendered(role="cron")["workers"], rendered(role="web")["workers"]) == ("0", "2")
    for role in ("task", "probe"):
        assert (rendered(role=role)["max_cron_threads"], rendered(role=role)["workers"]) == ("0", "0")
    assert (rendered(role="probe")["http_enable"], rendered(role="task")["http_enable"]) == ("True", "False")


def test_job_runners_start_in_serving_roles_only() -> None:
    options = {"server_wide_modules": "queue_job"}
    found = {
        role: rendered(role=role, options=options)["server_wide_modules"] for role in ("web", "cron", "task", "probe")
    }
    assert found == {"web": "base,web,queue_job", "cron": "base,web,queue_job", "task": "base,web", "probe": "base,web"}
    warnings = render_conf(wanted(options=options)).warnings
    assert warnings == ("configOptions.server_wide_modules leaves out base, web, which Odoo needs; added.",)


def test_addons_keep_precedence_and_lose_repetitions() -> None:
    addons = AddonPaths(custom=("/b", "/a", "/b/"), enterprise=("/e",), core=("/c", "/a"))
    assert rendered(addons=addons)["addons_path"] == "/b,/a,/e,/c"


def test_addons_without_any_are_left_to_odoo() -> None:
    assert "addons_path" not in rendered(addons=AddonPaths())


@pytest.mark.parametrize("path", ["relative", "/a,b", "/a\nb", "/$HOME/x", ""])
def test_addons_path_that_cannot_be_written_is_refused(path: str) -> None:
    with pytest.raises(ConfigRefused, match="refused"):
        render_conf(wanted(addons=AddonPaths(custom=(path,))))


@given(st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,30}\Z"), st.text(max_size=40))
def test_dbfilter_matches_its_database_and_no_other(name: str, other: str) -> None:
    database = DatabaseAccess(host="h", port=1, name=name, user="u")
    pattern = rendered(database=database)["dbfilter"]
    assert re.match(pattern, name)
    if "\n" not in other:
        assert bool(re.match(pattern, other)) == (other == name)


@given(st.permutations(sorted({"limit_time_real": 5, "log_level": "warn", "x_y": "1", "email_from": "a@b.c"}.items())))
def test_conf_does_not_depend_on_the_order_of_options(items: list[tuple[str, Any]]) -> None:
    text = render_conf(wanted(options=dict(items))).outline
    assert text == render_conf(wanted(options=dict(sorted(items)))).outline
    keys = [line.split(" = ")[0] for line in text.splitlines()[2:]]
    assert keys == sorted(set(keys))


@given(
    st.dictionaries(st.text(min_size=1, max_size=12), st.text(max_size=20) | st.integers() | st.booleans(), max_size=4)
)
def test_options_of_any_form_are_written_so_that_odoo_reads_them_back_or_refused(options: dict[str, Any]) -> None:
    try:
        text = render_conf(wanted(options=options)).outline
    except (ConfigRefused, ResourcesRefused):
        return
    values = parsed(text)
    for key, value in options.items():
        assert values[key.strip().lower()] == str(value).strip()
    assert values["list_db"] == "False"


def test_percent_and_quotes_are_ordinary_characters() -> None:
    assert rendered(options={"email_from": "100%s 'x' \"y\" é #;"})["email_from"] == "100%s 'x' \"y\" é #;"


@pytest.mark.parametrize(
    ("key", "instead"),
    [
        ("list_db", "out"),
        ("dbfilter", "database.name"),
        ("db_name", "database.name"),
        ("db_host", "database.external.host"),
        ("db_port", "database.external.port"),
        ("db_user", "secretRef"),
        ("db_password", "secretRef"),
        ("db_sslmode", "sslMode"),
        ("data_dir", "filestore"),
        ("admin_passwd", "adminPasswordSecretRef"),
        ("http_port", "service.port"),
        ("xmlrpc_port", "service.port"),
        ("longpolling_port", "service.port"),
        ("gevent_port", "service.port"),
        ("http_enable", "replicas"),
        ("addons_path", "`addons`"),
        ("logfile", "logs.volume"),
        ("syslog", "logs.volume"),
        ("log_db", "logs.volume"),
        ("pidfile", "out"),
        ("workers", "`workers`"),
        ("without_demo", "init.demo"),
        ("with_demo", "init.demo"),
        ("stop_after_init", "upgrade"),
        ("test_tags", "instance of their own"),
        ("LIST_DB", "out"),
    ],
    ids=str,
)
def test_option_that_breaks_a_safety_rule_is_refused_with_what_to_use(key: str, instead: str) -> None:
    with pytest.raises(ConfigRefused) as caught:
        render_conf(wanted(options={key: "hunter2"}))
    (refusal,) = caught.value.refusals
    assert refusal.key == key.lower()
    assert refusal.reason
    assert instead in refusal.instead
    assert "hunter2" not in str(caught.value.to_json())


@pytest.mark.parametrize(
    "key", ["smtp_server", "smtp_password", "max_cron_threads", "server_wide_modules", "db_replica_host"]
)
def test_option_that_lets_something_leave_is_refused_on_staging_only(key: str) -> None:
    options = {key: 3}
    sizing = wanted(options=options).sizing
    render_conf(wanted(options=options))
    with pytest.raises(ConfigRefused) as caught:
        render_conf(wanted(environment="Staging", options=options, sizing=sizing))
    assert [refusal.key for refusal in caught.value.refusals] == [key]


def test_staging_mail_goes_to_the_sink_or_nowhere() -> None:
    with_sink = rendered(environment="Staging", mail_sink=MailSink(host="sink", port=2525))
    assert (with_sink["smtp_server"], with_sink["smtp_port"]) == ("sink", "2525")
    assert rendered(environment="Staging")["smtp_server"].endswith(".invalid")
    assert "smtp_server" not in rendered()


def test_all_refusals_come_at_once() -> None:
    with pytest.raises(ConfigRefused) as caught:
        render_conf(wanted(options={"list_db": True, "a b": 1, "x": "1\n2", "dbfilter": ".*"}))
    assert len(caught.value.refusals) == 4
    assert len(caught.value.details.splitlines()) == 4


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"x": "1\nlist_db = True"}, id="line-break"),
        pytest.param({"x": "1\r2"}, id="carriage-return"),
        pytest.param({"x": "1\u20282"}, id="line-separator"),
        pytest.param({"x": "\0"}, id="nul"),
        pytest.param({"x\nlist_db": "1"}, id="key-with-line-break"),
        pytest.param({"x = 1": "1"}, id="key-with-equals"),
        pytest.param({"[queue_job]": "1"}, id="section"),
        pytest.param({"#x": "1"}, id="comment"),
        pytest.param({"": "1"}, id="empty-key"),
        pytest.param({"log_level": "a", "Log_Level": "b"}, id="twice"),
        pytest.param({"dev_mode": "reload, werkzeug"}, id="debugger"),
    ],
)
def test_option_that_cannot_stand_in_the_file_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigRefused):
        render_conf(wanted(options=options))


def test_workers_repeated_as_decided_are_no_fault() -> None:
    assert rendered(options={"workers": "2"})["workers"] == "2"


def test_logfile_is_allowed_with_a_volume() -> None:
    assert rendered(options={"logfile": "/var/log/odoo/odoo.log"}, logs_volume=True)["logfile"]


def test_limits_that_sizing_was_not_told_of_are_refused() -> None:
    sizing = wanted().sizing
    with pytest.raises(ConfigRefused, match="refused") as caught:
        render_conf(wanted(options={"limit_memory_soft": 600 * MIB}, sizing=sizing))
    assert [refusal.key for refusal in caught.value.refusals] == ["limit_memory_soft"]


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        pytest.param("limit_time_reel", "did you mean limit_time_real?", id="misspelt"),
        pytest.param("zzz", "passed on", id="of-an-add-on"),
        pytest.param("with_something_secret", "stands in clear", id="secret"),
    ],
)
def test_doubtful_key_warns_and_passes(key: str, hint: str) -> None:
    text = render_conf(wanted(options={key: "5"}))
    assert hint in "\n".join(text.warnings)
    assert parsed(text.outline)[key] == "5"


def test_known_key_does_not_warn() -> None:
    assert render_conf(wanted(options={"limit_time_real": 5})).warnings == ()
