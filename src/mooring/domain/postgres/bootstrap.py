# SPDX-License-Identifier: Apache-2.0
"""How a managed PostgreSQL starts: one constant shell script that needs no image's entry point.

It runs as the image's `postgres` user, never as root (initdb needs a name for its user id, so another number does not do),
with everything it needs as positional arguments; no input becomes part of the script. It is safe to kill at any point:
the cluster is made in a neighbouring folder and renamed when complete. A lock on the volume, which PostgreSQL inherits and
the kernel drops with its last process, keeps a second server out: PostgreSQL's own lock file cannot, since every
container's first process is number 1. Called by whoever decides the workload of a managed server.
"""

from __future__ import annotations

from typing import Final

from mooring.domain.postgres.errors import ServerUserMissing

SUPERUSER: Final = "mooring"
"""Role that Mooring administers a managed server with."""

STOP_SIGNAL: Final = "SIGINT"
"""PostgreSQL's fast shutdown; SIGTERM would wait for every client to leave."""

EXIT_WRONG_MAJOR: Final = 78
"""Exit code when the volume holds the data of another major (EX_CONFIG of sysexits.h)."""

EXIT_LOCKED: Final = 75
"""Exit code when another server uses the volume (EX_TEMPFAIL)."""

EXIT_NO_SERVER: Final = 69
"""Exit code when the image has no PostgreSQL of the major (EX_UNAVAILABLE)."""

EXIT_NO_PASSWORD: Final = 66
"""Exit code when a new cluster has no superuser password (EX_NOINPUT)."""

DATA: Final = "data"
"""Folder of the cluster in the volume."""

PASSWORD_COPY: Final = "superuser-password"  # noqa: S105 - a file's name
"""File in the volume with the superuser's password, mode 0600: who lost it finds it where it is in use."""

PASS_FILE: Final = "pgpass"  # noqa: S105 - a file's name
"""File in the volume with which libpq logs in as the superuser at 127.0.0.1, mode 0600; written at each start."""

BOOTSTRAP: Final = r"""set -eu
root=$1 major=$2 password=$3 conf=$4 hba=$5 superuser=$6
data=$root/data building=$root/data.building copy=$root/superuser-password
umask 077

fail() { code=$1; shift; printf 'mooring: %s\n' "$*" >&2; exit "$code"; }
flush() { sync -f "$root" 2>/dev/null || sync; }

bin=
for candidate in "/usr/lib/postgresql/$major/bin" "/usr/libexec/postgresql$major" "/usr/pgsql-$major/bin" /usr/local/bin
do
  if [ -x "$candidate/postgres" ] && [ -x "$candidate/initdb" ]; then bin=$candidate; break; fi
done
if [ -z "$bin" ]; then
  found=$(command -v postgres || true)
  [ -n "$found" ] || fail 69 "this image has no PostgreSQL $major."
  bin=${found%/*}
fi
case $("$bin/postgres" --version) in
  "postgres (PostgreSQL) $major"[.\ a-z]*|"postgres (PostgreSQL) $major") ;;
  *) fail 69 "this image's PostgreSQL is not $major: $("$bin/postgres" --version)" ;;
esac

if command -v flock >/dev/null 2>&1; then
  exec 9>"$root/lock"
  tries=0
  until flock -n 9; do
    tries=$((tries + 1))
    [ "$tries" -lt 20 ] || fail 75 "another server uses this volume."
    sleep 1
  done
fi

if [ ! -s "$data/PG_VERSION" ]; then
  if [ -d "$data" ] && [ -n "$(ls -A "$data")" ]; then
    fail 78 "$data is not empty and holds no PostgreSQL data; it is left alone."
  fi
  [ -s "$password" ] || fail 66 "there is no superuser password at $password."
  rm -rf "$building"
  set -- --username="$superuser" --pwfile="$password" --auth=scram-sha-256 --encoding=UTF8 --data-checksums
  if locale -a 2>/dev/null | grep -qi '^C\.utf-\{0,1\}8$'; then
    set -- "$@" --locale=C.UTF-8 --lc-collate=C
  else
    set -- "$@" --locale=C
  fi
  "$bin/initdb" -D "$building" "$@" >&2
  cat "$password" >"$copy.new"
  mv -f "$copy.new" "$copy"
  if [ -d "$data" ]; then rmdir "$data"; fi
  flush
  mv "$building" "$data"
  flush
fi

rm -rf "$building"
found=$(cat "$data/PG_VERSION")
if [ "$found" != "$major" ]; then
  fail 78 "the data in this volume is of PostgreSQL $found, and this server is $major; a migration moves it, a start does not."
fi
chmod 0700 "$data"

# The administrator's password was changed: only a server that nobody else can reach takes the new one without the old.
if [ -s "$password" ] && ! cmp -s "$password" "$copy"; then
  quoted=$(sed "s/'/''/g" "$password")
  printf "ALTER ROLE \"%s\" PASSWORD '%s';\n" "$superuser" "$quoted" |
    "$bin/postgres" --single -D "$data" -c "config_file=$conf" -c "hba_file=$hba" postgres >/dev/null
  cat "$password" >"$copy.new"
  mv -f "$copy.new" "$copy"
fi

# Libpq's own file, for the login of the probe; its rules: https://www.postgresql.org/docs/current/libpq-pgpass.html
if [ -s "$password" ]; then
  { printf '127.0.0.1:*:*:%s:' "$superuser"; sed 's/[\\:]/\\&/g' "$password"; } >"$root/pgpass.new"
  mv -f "$root/pgpass.new" "$root/pgpass"
fi
exec "$bin/postgres" -D "$data" -c "config_file=$conf" -c "hba_file=$hba"
"""
"""POSIX sh. Arguments: volume, major, password file, postgresql.conf, pg_hba.conf, superuser."""


def argv_postgres(
    *,
    root: str,
    major: int,
    password_file: str,
    config_file: str,
    hba_file: str,
    superuser: str = SUPERUSER,
) -> tuple[str, ...]:
    """The command of a managed server's container; the first process becomes PostgreSQL itself.

    Args:
        root: where the volume is mounted; the folder must belong to the container's user.
        major: of PostgreSQL.
        password_file: readable by the container's user; needed for a new cluster, ignored by an existing one.
        config_file: postgresql.conf.
        hba_file: pg_hba.conf.
        superuser: role that a new cluster is made with.
    """
    return (
        "sh",
        "-c",
        BOOTSTRAP,
        "mooring-postgres",
        root,
        str(major),
        password_file,
        config_file,
        hba_file,
        superuser,
    )


def server_user(passwd: str, *, name: str = "postgres") -> tuple[int, int]:
    """User and group id of `name` in the text of an image's /etc/passwd.

    They differ: 999:999 in the official image, 70:70 in its Alpine variant, others in images made from a distribution.

    Raises:
        ServerUserMissing: there is no such user, or it is root.
    """
    for line in passwd.splitlines():
        fields = line.split(":")
        if len(fields) >= 4 and fields[0] == name and fields[2].isdecimal() and fields[3].isdecimal():
            if int(fields[2]) == 0:
                break
            return int(fields[2]), int(fields[3])
    raise ServerUserMissing(f"The image's /etc/passwd has no unprivileged user {name!r}.")
