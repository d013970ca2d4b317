# SPDX-License-Identifier: Apache-2.0
"""Gives everything in a database from one role to another, object by object. Called inside the copy of a template.

`REASSIGN OWNED` would also give away the template itself, and every other copy of it that still is its role's. What is owned
is read from `pg_shdepend`, which PostgreSQL itself keeps, so that no kind of object is forgotten; what cannot be given away
is an error, never left behind.
"""

from __future__ import annotations

from mooring.domain.work.template_errors import TemplateUnfit
from mooring.drivers.postgres import SQL, Identifier, Session

_SHOWN = 20
# Each batch is a transaction: a lock is taken for every table, index and sequence, and a server has room for some thousands.
_GIVE = """
DO $body$
DECLARE
    words text[];
    one text;
    done integer := 0;
BEGIN
    SELECT array_agg(format('ALTER %s %s OWNER TO %I',
                            CASE i.type WHEN 'statistics object' THEN 'STATISTICS' ELSE upper(i.type) END,
                            i.identity, current_setting('mooring.receiver'))
                     ORDER BY (i.type <> 'schema'), d.classid, d.objid)
      INTO words
      FROM pg_shdepend d, LATERAL pg_identify_object(d.classid, d.objid, 0) i
     WHERE d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND d.refclassid = 'pg_authid'::regclass
       AND d.refobjid = (SELECT oid FROM pg_roles WHERE rolname = current_setting('mooring.giver'))
       AND d.deptype = 'o'
       AND NOT (d.classid = 'pg_class'::regclass AND EXISTS (
            SELECT FROM pg_depend o WHERE o.classid = 'pg_class'::regclass AND o.objid = d.objid AND o.objsubid = 0
                AND o.refclassid = 'pg_class'::regclass AND o.refobjsubid > 0 AND o.deptype IN ('a', 'i')));
    FOREACH one IN ARRAY coalesce(words, '{}') LOOP
        EXECUTE one;
        done := done + 1;
        IF done % 250 = 0 THEN
            COMMIT;
        END IF;
    END LOOP;
    PERFORM set_config('mooring.given', done::text, false);
END
$body$
"""
_LEFT = """
SELECT coalesce(i.type || ' ' || i.identity, 'object ' || d.objid) FROM pg_shdepend d
  LEFT JOIN LATERAL pg_identify_object(d.classid, d.objid, 0) i ON true
 WHERE d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND d.refclassid = 'pg_authid'::regclass AND d.refobjid = (SELECT oid FROM pg_roles WHERE rolname = %s)
 ORDER BY 1
"""


def ensure_given(inside: Session, *, giver: str, receiver: str) -> int:
    """Give it all; how many objects were given. Safe to repeat.

    Args:
        inside: a session in the database, of a role that may act for both.
        giver: has nothing in this database afterwards, rights neither.
        receiver: may already create in its schemas.

    Raises:
        TemplateUnfit: something of the giver's cannot be given away; names it.
    """
    for setting, value in (("mooring.giver", giver), ("mooring.receiver", receiver)):
        inside.execute("SELECT set_config(%s, %s, false)", (setting, value), doing="name the roles")
    inside.execute(_GIVE, doing=f"give everything to {receiver}")
    if inside.value("SELECT to_regnamespace('public') IS NOT NULL", doing="look for the schema public"):
        inside.execute(
            SQL("REVOKE ALL ON SCHEMA public FROM {}").format(Identifier(giver)), doing=f"take rights from {giver}"
        )
    left = [row[0] for row in inside.rows(_LEFT, (giver,), doing="see what is left")]
    if left:
        raise TemplateUnfit(
            f"The copy holds {len(left)} thing(s) that stay the template's: {left[0]}.",
            details="\n".join(left[:_SHOWN]),
        )
    return int(inside.value("SELECT current_setting('mooring.given')", doing="count what was given"))
