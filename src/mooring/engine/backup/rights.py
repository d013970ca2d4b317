# SPDX-License-Identifier: Apache-2.0
"""Whether everything that a dump reads may be read, and the files that belong to it: asked before anything is dumped.

pg_dump ends at the first table that it may not lock, after it has read others for an hour; a row level policy would even
leave rows out where nobody asks. One query finds all of it. Called by whatever runs pg_dump on an instance's database.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from mooring.domain.work.backup_errors import ReadRightsMissing
from mooring.domain.work.errors import RightsMissing
from mooring.drivers.postgres import Session
from mooring.engine.backup.compare import Gathered

SHOWN = 20
OWN_TABLES = ("ir_attachment", "ir_module_module")
"""In `public`: what a backup without the database reads by itself."""
# Of an extension's tables pg_dump reads only those whose rows the extension wants to have dumped (extconfig), and of views and
# materialized views nothing. The order of conditions is the planner's, and what is no sequence is an error to
# has_sequence_privilege: hence CASE.
_LACKS = r"""
WITH given AS (SELECT %s::text[] AS only), relation AS (
  SELECT c.oid, c.relkind, c.relowner, n.oid AS schema, format('%%I.%%I', n.nspname, c.relname) AS name
  FROM given, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND (given.only IS NULL OR n.nspname = 'public' AND c.relname = ANY(given.only))
    AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_extension'::regclass
      AND d.deptype = 'e' AND NOT COALESCE(c.oid = ANY(e.extconfig), false))
), lack AS (
  SELECT 1 AS rank, 'schema' AS kind, quote_ident(n.nspname) AS name, false AS owned FROM pg_namespace n
    WHERE NOT has_schema_privilege(n.oid, 'USAGE') AND EXISTS (SELECT FROM relation r WHERE r.schema = n.oid)
  UNION ALL
  SELECT 2, 'table', name, false FROM relation WHERE relkind IN ('r', 'p') AND NOT has_table_privilege(oid, 'SELECT')
  UNION ALL
  SELECT 3, 'sequence', name, false FROM relation
    WHERE CASE WHEN relkind = 'S' THEN NOT has_sequence_privilege(oid, 'SELECT') END
  UNION ALL
  SELECT 4, 'rows', name, pg_has_role(relowner, 'USAGE') FROM relation WHERE relkind = 'r' AND row_security_active(oid)
  UNION ALL
  SELECT 5, 'large object', l.oid::text, false FROM given, pg_largeobject_metadata l
    WHERE given.only IS NULL AND NOT current_setting('lo_compat_privileges')::bool
    AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
    AND NOT EXISTS (SELECT FROM aclexplode(COALESCE(l.lomacl, acldefault('L', l.lomowner))) a
      WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))
)
SELECT kind, name, owned, quote_ident(current_user), count(*) OVER () FROM lack ORDER BY rank, name LIMIT %s
"""


@dataclass(frozen=True)
class Lacks:
    """What may not be read.

    Attributes:
        count: all of it.
        names: of the first of them: kind and name.
        remedies: for each of these the statement that mends it.
    """

    count: int = 0
    names: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()


def observe_lacks(session: Session, *, whole: bool = True) -> Lacks:
    """What of the database this role may not read: one query, whatever the number of tables.

    Args:
        whole: all that pg_dump reads; else `OWN_TABLES` alone.

    Raises:
        MooringError: a typed error of PostgreSQL.
    """
    only = None if whole else list(OWN_TABLES)
    rows = session.rows(_LACKS, (only, SHOWN), doing="see what may be read")
    return Lacks(
        count=int(rows[0][4]) if rows else 0,
        names=tuple(f"the rows of {name}" if kind == "rows" else f"{kind} {name}" for kind, name, *_ in rows),
        remedies=tuple(_remedy(kind, name, role, owned=owned) for kind, name, owned, role, _ in rows),
    )


@contextmanager
def reading(lacks: Lacks) -> Generator[None, None, None]:
    """Inside, what is refused is said together with all else that is lacking, if that is known.

    Raises:
        ReadRightsMissing: instead of a `RightsMissing` of the body.
    """
    try:
        yield
    except RightsMissing:
        check_readable(lacks, None)
        raise


def check_readable(lacks: Lacks, files: Gathered | None) -> None:
    """Nothing where all may be read.

    Args:
        lacks: of the database.
        files: what the comparison of the filestore found; None without it.

    Raises:
        ReadRightsMissing: names what may not be, with how it is mended.
    """
    said, remedies = [], list(lacks.remedies)
    if lacks.count:
        said.append(_some("The role may not read", lacks.names, lacks.count))
    if files is not None and files.unreadable_count:
        said.append(
            _some(f"User {os.geteuid()} may not read in the filestore:", files.unreadable, files.unreadable_count)
        )
        remedies += [f"chown {os.geteuid()}:{os.getegid()} {path}" for path in files.unreadable]
    if said:
        raise ReadRightsMissing(" ".join(said), details="\n".join(remedies))


def _some(words: str, names: tuple[str, ...] | list[str], count: int) -> str:
    more = f" and {count - len(names)} more" if count > len(names) else ""
    return f"{words} {', '.join(names)}{more}."


def _remedy(kind: str, name: str, role: str, *, owned: bool) -> str:
    if kind == "rows":
        return f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY;" if owned else f"ALTER TABLE {name} OWNER TO {role};"
    right = "USAGE" if kind == "schema" else "SELECT"
    return f"GRANT {right} ON {kind.upper()} {name} TO {role};"
