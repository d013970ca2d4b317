# SPDX-License-Identifier: Apache-2.0
"""The role that owns an instance's database: made once, its password set again only when it no longer opens the door.

An unconditional ALTER ROLE would fight with what else manages roles (CloudNativePG reverts it, bemade/odoo-operator#134).
"""

from __future__ import annotations

import dataclasses
import json

from mooring.domain.model.secret import SecretValue
from mooring.domain.work.common import Connection
from mooring.domain.work.errors import DatabaseForeign, DatabaseMissing, PasswordRefused, RightsMissing, ServerRefused
from mooring.drivers.postgres import SQL, Identifier, Literal, Session, connect

TASK = "database-provision"


@dataclasses.dataclass(frozen=True)
class RoleDone:
    """What was done to the role."""

    created: bool
    password_set: bool


def ensure_role(
    session: Session,
    connection: Connection,
    *,
    owner: str,
    password: SecretValue,
    databases: tuple[str, ...],
    instance: str,
    adopt: bool,
) -> RoleDone:
    """Have the role, with no rights but to log in, and with this password.

    Args:
        session: an administrator's, with the instance's lock.
        owner: name of the role.
        password: what it has to log in with.
        instance: id that a role made here carries.
        connection: where to try the password.
        databases: which databases to try it with, in this order.
        adopt: also take a role that Mooring did not make.

    Raises:
        DatabaseForeign: a role of that name is another instance's, or nobody says whose it is and it has another
            password or more rights than an instance may have.
    """
    if owner == session.user:
        raise DatabaseForeign(f"The role {owner} is the administrator's own; an instance needs a role of its own.")
    rows = session.rows(
        "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls OR NOT rolcanlogin,"
        " shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = %s",
        (owner,),
        doing=f"look for the role {owner}",
    )
    if not rows:
        _create(session, owner=owner, password=password, instance=instance)
        return RoleDone(created=True, password_set=True)
    wrong_rights, comment = rows[0]
    holder = role_instance(comment)
    if holder not in (None, instance):
        raise DatabaseForeign(f"The role {owner} belongs to instance {holder}, not to {instance}.")
    ours = holder == instance or adopt
    if wrong_rights:
        if not ours:
            raise DatabaseForeign(f"The role {owner} exists, is not Mooring's and has other rights than to log in.")
        query = SQL("ALTER ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")
        session.execute(query.format(Identifier(owner)), doing=f"limit the role {owner}")
    _ensure_member(session, owner)
    if _opens(connection, owner, password, databases):
        return RoleDone(created=False, password_set=False)
    if not ours:
        raise DatabaseForeign(f"The role {owner} exists, is not Mooring's and has another password.")
    _alter_password(session, owner, password)
    return RoleDone(created=False, password_set=True)


def role_instance(comment: str | None) -> str | None:
    """The instance that a role's comment names; None for a role that Mooring did not make."""
    try:
        value = json.loads(comment or "")
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("mooring") != 1:
        return None
    instance = value.get("instance")
    return instance if isinstance(instance, str) else None


def _create(session: Session, *, owner: str, password: SecretValue, instance: str) -> None:
    verifier = session.encrypt_password(password, owner)
    mark = json.dumps({"mooring": 1, "instance": instance, "role": "owner"})
    with session.transaction():
        session.execute(
            SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(Identifier(owner), Literal(verifier)),
            doing=f"create the role {owner}",
        )
        session.execute(
            SQL("COMMENT ON ROLE {} IS {}").format(Identifier(owner), Literal(mark)), doing=f"mark the role {owner}"
        )
    _ensure_member(session, owner)


def _ensure_member(session: Session, owner: str) -> None:
    """An administrator that is no superuser acts for the owner as its member."""
    right = "SET" if session.major >= 16 else "MEMBER"
    if not session.value("SELECT pg_has_role(%s, %s)", (owner, right), doing="see who may act for the owner"):
        session.execute(SQL("GRANT {} TO CURRENT_USER").format(Identifier(owner)), doing=f"act for the role {owner}")


def _opens(connection: Connection, owner: str, password: SecretValue, databases: tuple[str, ...]) -> bool:
    """Whether PostgreSQL takes this password; being let into one database or another is not the question."""
    login = dataclasses.replace(connection, user=owner, password_file=None)
    for database in databases:
        try:
            connect(login, database=database, task=TASK, password=password).close()
        except PasswordRefused:
            return False
        except (RightsMissing, DatabaseMissing):
            return True
        except ServerRefused:
            # pg_hba.conf may keep the role out of the maintenance database and let it into its own.
            if database == databases[-1]:
                raise
        else:
            return True
    return False


def _alter_password(session: Session, owner: str, password: SecretValue) -> None:
    verifier = session.encrypt_password(password, owner)
    session.execute(
        SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(Identifier(owner), Literal(verifier)),
        doing=f"set the password of the role {owner}",
    )
