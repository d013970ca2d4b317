# SPDX-License-Identifier: Apache-2.0
"""What differs between the series of Odoo, 14.0 to 20.0, in one table. The only place that knows versions.

Everything else asks a fact (`facts.has_neutralize`), never a number (`if series >= ...`). Facts of 14.0 were read from and
tried with the program itself (`proved`); those of later series come from the sources that the comments name and are
unproved until a real one was at hand. Called by the other modules of this package and by whoever plans operations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mooring.domain.odoo.errors import UnknownSeries, UnreadableVersion


@dataclass(frozen=True, kw_only=True)
class OdooFacts:
    """What holds for one series.

    Attributes:
        series: such as `14.0`.
        proved: whether these facts were tried with the real program.
        health_path: answers 200 without a session, or None where there is no such route.
        login_path: a page that needs the database: the deepest check that needs no credentials.
        evented_port_option: key in odoo.conf of the port for long-lived requests.
        evented_route: path prefix that the proxy sends to the evented port when workers > 0.
        has_neutralize: whether `odoo neutralize` exists.
        cron_listens: whether a cron thread always holds a connection, on which it listens; else it sleeps between looks, for
            a minute, and its next look gets over a connection that was lost meanwhile.
        demo_on: arguments that make `-i` load demonstration data.
        demo_off: arguments that keep it from doing so.
        demo_option: key in odoo.conf that decides about demonstration data.
        demo_option_on: its value for demonstration data.
        demo_option_off: its value for none.
        postgres_min: oldest PostgreSQL major it runs on.
        postgres_max: newest it is known to run on, or None where no limit is known.
        python_min: oldest Python.
        reads_environment: whether variables (`overriding_environment`) outrank odoo.conf.
        overriding_environment: names, or prefixes ending in `_`, that must not be set for its processes.
        server_wide_modules: what Odoo loads without being told.
        db_name_is_list: whether `db_name` is split at commas also for `-i` and `-u`.
        container_uid: numeric user of the official image.
        container_gid: numeric group of the official image.
        option_keys: keys of `[options]` that this series knows.
        http_port: its default port.
        evented_port: its default port for long-lived requests.
        maintenance_database: a database that its role must be allowed to connect to besides its own: `odoo -d` asks there
            whether the database exists, and the bus listens there. Without it 14.0 ends at start (tried).
    """

    series: str
    proved: bool
    health_path: str | None
    login_path: str = "/web/login"
    evented_port_option: str
    evented_route: str
    has_neutralize: bool
    cron_listens: bool
    demo_on: tuple[str, ...]
    demo_off: tuple[str, ...]
    demo_option: str
    demo_option_on: str
    demo_option_off: str
    postgres_min: int
    postgres_max: int | None
    python_min: tuple[int, int]
    reads_environment: bool
    overriding_environment: tuple[str, ...]
    server_wide_modules: tuple[str, ...]
    db_name_is_list: bool
    container_uid: int
    container_gid: int
    option_keys: frozenset[str]
    http_port: int = 8069
    evented_port: int = 8072
    maintenance_database: str = "postgres"  # odoo/cli/server.py, addons/bus/models/bus.py

    def knows(self, key: str) -> bool:
        """Whether `key` is an option of this series' odoo.conf."""
        return key in self.option_keys


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Keys decide only whether an option of the user's is warned about, so that a key missing here refuses nothing. From 15.0
# on they are unproved: the lists of options in the documentation, `--help` where it is named, and the changes named.
# Keys of 14.0: `sorted(odoo.tools.config.options)` of the real program, without those that only the command line sets
# (init, update, save, config, root_path, demo, language, translate_in, translate_out).
_KEYS_14: Final = _words(
    """addons_path admin_passwd csv_internal_sep data_dir db_host db_maxconn db_name db_password db_port db_sslmode
    db_template db_user dbfilter dev_mode email_from geoip_database http_enable http_interface http_port import_partial
    limit_memory_hard limit_memory_soft limit_request limit_time_cpu limit_time_real limit_time_real_cron list_db
    load_language log_db log_db_level log_handler log_level logfile longpolling_port max_cron_threads
    osv_memory_age_limit osv_memory_count_limit overwrite_existing_translations pg_path pidfile proxy_mode
    publisher_warranty_url reportgz screencasts screenshots server_wide_modules shell_interface smtp_password smtp_port
    smtp_server smtp_ssl smtp_user stop_after_init syslog test_enable test_file test_tags transient_age_limit
    translate_modules unaccent upgrade_path without_demo workers"""
)
# 15.0: from_filter and the client certificate of SMTP.
_KEYS_15: Final = _KEYS_14 | {"from_filter", "smtp_ssl_certificate_filename", "smtp_ssl_private_key_filename"}
# 16.0: gevent_port took over from longpolling_port, which stayed as a deprecated alias up to 18.0; the websocket's keys.
_KEYS_16: Final = (_KEYS_15 - {"osv_memory_age_limit"}) | {
    "gevent_port",
    "websocket_keep_alive_timeout",
    "websocket_rate_limit_burst",
    "websocket_rate_limit_delay",
    "x_sendfile",
}
# 17.0: db_maxconn_gevent (odoo/odoo#125190), two GeoIP files, scripts before an upgrade.
_KEYS_17: Final = (_KEYS_16 - {"geoip_database"}) | {
    "db_maxconn_gevent",
    "geoip_city_db",
    "geoip_country_db",
    "limit_time_worker_cron",
    "pre_upgrade_scripts",
}
# 18.0 (`odoo-bin server --help`): memory limits of the evented process (odoo/odoo#172604), a read replica.
_KEYS_18: Final = _KEYS_17 | {
    "bin_path",
    "db_replica_host",
    "db_replica_port",
    "import_file_maxbytes",
    "import_file_timeout",
    "import_url_regex",
    "limit_memory_hard_gevent",
    "limit_memory_soft_gevent",
}
# 19.0: `odoo server --help` of 19.0, and odoo/odoo#207478.
_KEYS_19: Final = (_KEYS_18 - {"longpolling_port", "test_enable", "translate_modules"}) | {
    "db_app_name",
    "default_productivity_apps",
    "proxy_access_token",
    "skip_auto_install",
    "with_demo",
}

# odoo/odoo#207478: from 19.0 the order is run time, command line, environment, file.
_ENVIRONMENT_19: Final = (
    "ODOO_",
    "PGAPPNAME",
    "PGDATABASE",
    "PGHOST",
    "PGPASSWORD",
    "PGPORT",
    "PGSSLMODE",
    "PGUSER",
)


def _facts(number: int) -> OdooFacts:
    """The row of series `number`.0, from the thresholds below; each says where it was read."""
    websocket = number >= 16  # addons/bus of 16.0 replaced /longpolling/poll by /websocket; odoo/odoo#106339
    new_cli = number >= 19  # `odoo server --help` of 19.0: --with-demo; --without-demo takes a boolean
    keys = {14: _KEYS_14, 15: _KEYS_15, 16: _KEYS_16, 17: _KEYS_17, 18: _KEYS_18, 19: _KEYS_19, 20: _KEYS_19}
    return OdooFacts(
        series=f"{number}.0",
        proved=number == 14,
        health_path="/web/health" if number >= 15 else None,  # 14.0 answers 404 (tried); addons/web of 15.0 has it
        evented_port_option="gevent_port" if websocket else "longpolling_port",
        evented_route="/websocket" if websocket else "/longpolling",
        # odoo/service/server.py: 14.0 sleeps (tried); ir.cron.trigger and LISTEN came with 15.0
        cron_listens=number >= 15,
        has_neutralize=number >= 16,  # odoo/cli of 14.0 has none (tried); neutralize.py came with 16.0
        demo_on=("--with-demo",) if new_cli else (),
        demo_off=() if new_cli else ("--without-demo=all",),
        demo_option="with_demo" if new_cli else "without_demo",
        demo_option_on="True" if new_cli else "False",
        demo_option_off="False" if new_cli else "all",
        # Source installation pages of the documentation: 10 for 14 and 15, 12 for 16 to 18, 13 for 19
        # (odoo/documentation#14803), 16 for 20 (odoo/documentation#14771).
        postgres_min={14: 10, 15: 10, 16: 12, 17: 12, 18: 12, 19: 13, 20: 16}[number],
        postgres_max=None,  # 14.0 installs and serves on PostgreSQL 17 (tried); no series is known to fail on a newer one
        # The same pages, and `odoo/__init__.py`'s check: 3.6 for 14, 3.7 for 15 and 16, 3.10 from 17, 3.12 for 20.
        python_min={14: (3, 6), 15: (3, 7), 16: (3, 7), 20: (3, 12)}.get(number, (3, 10)),
        reads_environment=new_cli,
        overriding_environment=_ENVIRONMENT_19 if new_cli else (),
        server_wide_modules=("base", "rpc", "web") if new_cli else ("base", "web"),  # --load's default
        db_name_is_list=new_cli,  # 19.0: -i and -u with more than one database are an error
        # Official images: 101:101 up to 17.0; from 18.0 (Ubuntu noble) 100:101, odoo/odoo#183106.
        container_uid=100 if number >= 18 else 101,
        container_gid=101,
        option_keys=keys[number],
    )


SERIES: Final[Mapping[str, OdooFacts]] = MappingProxyType({f"{n}.0": _facts(n) for n in range(14, 21)})
"""The facts of each series that Mooring knows, oldest first."""

NEWEST: Final = tuple(SERIES)[-1]
"""The newest series that Mooring knows."""


def facts_for(series: str) -> OdooFacts:
    """The facts of `series`, such as `18.0`.

    Raises:
        UnknownSeries: it is not in the table.
    """
    try:
        return SERIES[series]
    except KeyError:
        raise UnknownSeries(f"Odoo series {series!r} is not known; known are {', '.join(SERIES)}.") from None


_VERSION: Final = re.compile(r"(?:odoo(?: server)?\s+)?(\d{1,3}\.0)(?:[-+.a-z].*)?", re.IGNORECASE | re.DOTALL)


def series_of(version_text: str) -> str:
    """The series in what `odoo --version` prints or `ir_module_module.latest_version` begins with.

    `Odoo Server 14.0-20240101`, `18.0`, `17.0+e`, `16.0.1.3` give `14.0`, `18.0`, `17.0`, `16.0`. The series may be one
    that `facts_for` does not know.

    Raises:
        UnreadableVersion: the text names no stable series, such as `saas~17.4`.
    """
    match = _VERSION.fullmatch(version_text.strip())
    if match is None:
        raise UnreadableVersion(f"{version_text[:80]!r} names no stable series of Odoo.")
    return match.group(1)
