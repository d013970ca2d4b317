# SPDX-License-Identifier: Apache-2.0
"""Renders postgresql.conf and pg_hba.conf of a managed server. Pure text; no secret stands in either.

Memory settings come from the server's memory limit, by PostgreSQL's own advice (documentation, "Resource Consumption").
A user's parameters win, except those that would take the server out of Mooring's hands or lose data. Called by whoever
decides the workload of a managed server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from mooring.domain.postgres.errors import ServerConfigRefused
from mooring.domain.postgres.versions import check_major

MIB: Final = 1024 * 1024

MEMORY_MIN: Final = 128 * MIB
"""Smallest limit that a managed server is configured for."""

DEFAULT_MAX_CONNECTIONS: Final = 200
"""max_connections when neither manifest nor parameters say otherwise: two instances with headroom."""

PORT: Final = 5432
"""Port that a managed server listens on in its container."""

SOCKET_DIRECTORY: Final = "/tmp"  # noqa: S108 - the only directory that every image lets every user write to
"""Where the Unix socket is."""

ParameterValue = str | int | float | bool

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}(\.[a-z_][a-z0-9_]{0,62})?", re.ASCII)

_PLACES = "files are where the volume is."
_REACH = "Mooring and its instances reach the server as it was set up."
_ACCESS = "who may log in, and how, is a safety rule."
_TRUTH = "it can lose or corrupt data."
_LOGS = "logs go to standard error, where `mooring logs` reads them."

_REFUSED: Final[Mapping[str, str]] = {
    "allow_system_table_mods": _TRUTH,
    "config_file": _PLACES,
    "data_directory": _PLACES,
    "db_user_namespace": _ACCESS,
    "event_source": _LOGS,
    "external_pid_file": _PLACES,
    "fsync": _TRUTH,
    "full_page_writes": _TRUTH,
    "hba_file": _ACCESS,
    "ident_file": _ACCESS,
    "ignore_checksum_failure": _TRUTH,
    "ignore_invalid_pages": _TRUTH,
    "include": _PLACES,
    "include_dir": _PLACES,
    "include_if_exists": _PLACES,
    "listen_addresses": _REACH,
    "log_destination": _LOGS,
    "log_directory": _LOGS,
    "log_filename": _LOGS,
    "logging_collector": _LOGS,
    "password_encryption": _ACCESS,
    "port": _REACH,
    "unix_socket_directories": _REACH,
    "unix_socket_group": _REACH,
    "unix_socket_permissions": _ACCESS,
    "zero_damaged_pages": _TRUTH,
}


def decide_max_connections(parameters: Mapping[str, ParameterValue]) -> int:
    """`max_connections` of a server: the user's parameter, else DEFAULT_MAX_CONNECTIONS.

    Raises:
        ServerConfigRefused: the parameter is no whole number of at least 20.
    """
    for name, value in parameters.items():
        if name.strip().lower() == "max_connections":
            if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,6}", str(value), re.ASCII) or int(value) < 20:
                raise ServerConfigRefused("max_connections must be a whole number of at least 20.")
            return int(value)
    return DEFAULT_MAX_CONNECTIONS


def render_postgresql_conf(
    *,
    memory_bytes: int,
    major: int,
    max_connections: int = DEFAULT_MAX_CONNECTIONS,
    parameters: Mapping[str, ParameterValue] | None = None,
) -> str:
    """postgresql.conf: sorted, every value quoted.

    Args:
        memory_bytes: the server's memory limit.
        major: of PostgreSQL.
        max_connections: from `decide_max_connections`, which sizes of instances are checked against.
        parameters: the user's.

    Raises:
        ServerConfigRefused: too little memory, or parameters that are refused, all of them at once.
        UnsupportedPostgres: a major that Mooring does not run.
    """
    facts = check_major(major)
    if memory_bytes < MEMORY_MIN:
        raise ServerConfigRefused(
            f"{memory_bytes // MIB} MiB of memory is less than the {MEMORY_MIN // MIB} MiB that a server needs.",
            resolution="Raise resources.memory of the database server.",
        )
    settings = _own_settings(memory_bytes, max_connections, zstd=facts.wal_compression_zstd)
    settings |= _users_settings(parameters or {}, max_connections=max_connections)
    lines = [f"{name} = {_quoted(value)}\n" for name, value in sorted(settings.items())]
    return "# Written by Mooring, which overwrites changes made here.\n" + "".join(lines)


def render_hba() -> str:
    """pg_hba.conf: a password by scram-sha-256 for everybody, from everywhere, over the socket too; no replication."""
    return (
        "# Written by Mooring, which overwrites changes made here.\n"
        "local all all scram-sha-256\n"
        "host all all all scram-sha-256\n"
    )


def _own_settings(memory_bytes: int, max_connections: int, *, zstd: bool) -> dict[str, str]:
    shared = memory_bytes // 4  # "a reasonable starting value is 25% of the memory"
    # A query may use several times work_mem; a third of the connections sort at once in the worst hour.
    work = min(max((memory_bytes - shared) // max(1, max_connections), 4 * MIB), 64 * MIB)
    maintenance = min(max(memory_bytes // 16, 32 * MIB), 1024 * MIB)
    return {
        "listen_addresses": "*",
        "port": str(PORT),
        "unix_socket_directories": SOCKET_DIRECTORY,
        "password_encryption": "scram-sha-256",
        "max_connections": str(max_connections),
        "shared_buffers": _size(shared),
        "effective_cache_size": _size(memory_bytes // 2),  # pages that the limit leaves to the kernel's cache
        "work_mem": _size(work),
        "maintenance_work_mem": _size(maintenance),
        "autovacuum_work_mem": _size(max(maintenance // 4, 16 * MIB)),  # three of them may run at once
        # Containers get 64 MiB in /dev/shm, too little for parallel queries; System V segments do not live there.
        "dynamic_shared_memory_type": "sysv",
        "huge_pages": "off",  # a container that may not use them dies of SIGBUS where the host has some
        "jit": "off",  # Odoo's statements are short: compiling them costs more than it saves
        "random_page_cost": "1.1",  # volumes are on solid-state disks nearly everywhere
        "checkpoint_completion_target": "0.9",
        "max_wal_size": "1GB",
        "min_wal_size": "80MB",
        "wal_compression": "zstd" if zstd else "on",
        "log_destination": "stderr",
        "logging_collector": "off",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "log_timezone": "UTC",
        "timezone": "UTC",
        "log_checkpoints": "off",
        "log_lock_waits": "on",
        "lc_messages": "C",  # so that people and searches find the same text everywhere
        "tcp_keepalives_idle": "60",  # a client that was killed with its machine leaves no lock behind for hours
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "6",
    }


def _users_settings(parameters: Mapping[str, ParameterValue], *, max_connections: int) -> dict[str, str]:
    settings: dict[str, str] = {}
    faults: list[str] = []
    for written, value in parameters.items():
        name = written.strip().lower()
        text = ("on" if value else "off") if isinstance(value, bool) else str(value).strip()
        if not _NAME.fullmatch(name):
            faults.append(f"{written[:80]!r}: cannot be a parameter of PostgreSQL.")
        elif name in settings:
            faults.append(f"{name}: is written twice.")
        elif any(not character.isprintable() for character in text):
            faults.append(f"{name}: has a line break or another control character.")
        elif reason := _refusal(name):
            faults.append(f"{name}: {reason}")
        elif name == "max_connections" and text != str(max_connections):
            faults.append(f"{name}: instances were sized for {max_connections}.")
        else:
            settings[name] = text
    if faults:
        raise ServerConfigRefused(f"{len(faults)} parameter(s) of PostgreSQL are refused.", details="\n".join(faults))
    return settings


def _refusal(name: str) -> str | None:
    if name == "ssl" or name.startswith(("ssl_", "krb_")):
        return "the server is reached over the instance's own network, without certificates."
    return _REFUSED.get(name)


def _size(size: int) -> str:
    """Bytes in PostgreSQL's notation, in whole MiB."""
    return f"{size // MIB}MB"


def _quoted(value: str) -> str:
    """A value between single quotes: a quote is doubled, and so is a backslash (guc-file.l reads escapes)."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
