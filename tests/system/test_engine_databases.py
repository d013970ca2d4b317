# SPDX-License-Identifier: Apache-2.0
"""Database tasks against a real PostgreSQL 17."""

from __future__ import annotations

import dataclasses
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mooring.domain.model.secret import SecretValue
from mooring.domain.work.common import Connection, Fence
from mooring.domain.work.copies import DatabaseDrop, DatabaseReturn, DatabaseSafetyCopy
from mooring.domain.work.database import DatabaseInspect, DatabaseProvision, RolePassword, ServerCheck
from mooring.domain.work.errors import DatabaseMissing, NotInitialized
from mooring.domain.work.names import beside, lock_key
from mooring.domain.work.restore import DatabaseSwap
from mooring.drivers.postgres import connect
from mooring.engine.secret_files import load_password
from tests.support.engine_server import Server, done, outcome, postgres, refused, run_task, start_task

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres(tmp_path_factory.mktemp("secrets")) as found:
        yield found


@dataclasses.dataclass(frozen=True)
class Shop:
    """Names of one instance of a test."""

    server: Server
    name: str
    instance: str
    password: str = "owner-secret"

    def provision(self, **changes: Any) -> DatabaseProvision:
        given: dict[str, Any] = {
            "connection": self.server.connection(),
            "fence": Fence("op-provision", 1, wait_s=30),
            "instance": self.instance,
            "database": self.name,
            "owner": self.name,
            "owner_password_file": self.server.secret(self.password),
            **changes,
        }
        return DatabaseProvision(**given)

    def copy(self, **changes: Any) -> DatabaseSafetyCopy:
        given: dict[str, Any] = {"fence": Fence("op-1", 1, wait_s=30), **changes}
        return DatabaseSafetyCopy(
            connection=self.server.connection(), instance=self.instance, database=self.name, **given
        )

    def back(self, **changes: Any) -> DatabaseReturn:
        given: dict[str, Any] = {"fence": Fence("op-1", 1, wait_s=30), **changes}
        return DatabaseReturn(connection=self.server.connection(), instance=self.instance, database=self.name, **given)

    def drop(self, **changes: Any) -> DatabaseDrop:
        given: dict[str, Any] = {"fence": Fence("op-drop", 1, wait_s=30), **changes}
        return DatabaseDrop(connection=self.server.connection(), instance=self.instance, **given)

    @property
    def safety(self) -> str:
        return beside(self.instance, role="safety", operation="op-1")


@pytest.fixture
def shop(server: Server) -> Iterator[Shop]:
    name = f"shop_{uuid.uuid4().hex[:8]}"
    made = Shop(server, name, f"id-{name}")
    yield made
    done(made.drop(roles=("safety", "previous", "building", "current"), purge=True, owner=name))


# Server


def test_server_check_with_good_credentials_tells_what_it_is(server: Server) -> None:
    facts = done(ServerCheck(server.connection()))
    assert facts["major"] == 17
    assert facts["serverVersion"].startswith("17.")
    assert (facts["superuser"], facts["maintenance"], facts["readOnly"], facts["tls"]) == (True, True, False, False)
    assert facts["maxConnections"] == 100


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"port": 1}, "MOOR-410", id="nobody answers"),
        pytest.param({"host": "no-such-host.invalid"}, "MOOR-410", id="unknown host"),
        pytest.param({"password": "wrong"}, "MOOR-411", id="wrong password"),
        pytest.param({"user": "nobody-here"}, "MOOR-411", id="unknown role"),
        pytest.param({"sslmode": "require"}, "MOOR-412", id="no encryption to be had"),
        pytest.param({"maintenance_database": "nowhere"}, "MOOR-416", id="no such database"),
    ],
)
def test_server_check_with_wrong_connection_fails_typed(server: Server, changes: dict[str, Any], code: str) -> None:
    fault = refused(ServerCheck(server.connection(**changes)), code)
    assert "wrong" not in str(fault)
    assert fault["resolution"]


def test_server_check_of_an_old_server_is_refused(server: Server) -> None:
    assert "17." in refused(ServerCheck(server.connection(), minimum_major=18), "MOOR-413")["brief"]


def test_server_check_of_a_read_only_server_is_refused(server: Server) -> None:
    server.query("CREATE ROLE reader LOGIN PASSWORD 'reader'")
    server.query("ALTER ROLE reader SET default_transaction_read_only = on")
    document = ServerCheck(server.connection("reader", "reader"))
    refused(document, "MOOR-414")
    assert done(dataclasses.replace(document, writable=False))["readOnly"] is True


def test_server_check_with_a_missing_secret_names_the_file(server: Server) -> None:
    document = ServerCheck(dataclasses.replace(server.connection(), password_file="/nowhere/pw"))
    assert "/nowhere/pw" in refused(document, "MOOR-404")["brief"]


# Provision

MODULES = (
    "CREATE TABLE ir_module_module (name text, state text, latest_version text);"
    "INSERT INTO ir_module_module VALUES ('base', 'installed', '14.0.1.3'), ('sale', 'to install', '14.0.1.0');"
)


def test_provision_of_nothing_makes_a_database_as_odoo_wants_it(shop: Shop) -> None:
    made = done(shop.provision())
    assert (made["created"], made["roleCreated"], made["marked"], made["unaccentImmutable"]) == (True, True, True, True)
    row = shop.server.query(
        "SELECT pg_encoding_to_char(encoding), datcollate, datctype, pg_get_userbyid(datdba) FROM pg_database"
        " WHERE datname = %s",
        (shop.name,),
    )[0]
    assert row == ("UTF8", "C", "C.UTF-8", shop.name)
    assert shop.server.mark(shop.name)["role"] == "current"

    def own(text: str) -> Any:
        return shop.server.query(text, database=shop.name, user=shop.name, password=shop.password)

    assert own("SELECT upper('é'), unaccent('é')") == [("É", "e")]
    own("CREATE TABLE place (name text); CREATE INDEX ON place (unaccent(name))")
    own("CREATE INDEX ON place USING gin (name gin_trgm_ops)")
    rights = "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    assert own(rights) == [(False, False, False)]


def test_provision_says_what_its_owner_finds_in_the_database(shop: Shop) -> None:
    made = done(shop.provision())
    assert (made["exists"], made["empty"], made["initialized"], made["modules"]) == (True, True, False, {})
    assert made["mark"]["instance"] == shop.instance
    shop.server.query(MODULES, database=shop.name, user=shop.name, password=shop.password)
    again = done(shop.provision(series="14.0"))
    assert (again["initialized"], again["series"], again["pendingModules"]) == (True, "14.0", ["sale"])
    refused(shop.provision(series="15.0"), "MOOR-428")


def test_code_that_a_tenant_hides_in_a_type_is_run_by_nobody(shop: Shop) -> None:
    done(shop.provision())
    trap = MODULES + (
        "CREATE TYPE public.word AS (text text);"
        "CREATE FUNCTION public.who(public.word) RETURNS text LANGUAGE sql AS 'SELECT current_user::text';"
        "CREATE CAST (public.word AS text) WITH FUNCTION public.who(public.word) AS ASSIGNMENT;"
        "ALTER TABLE ir_module_module ALTER state TYPE public.word USING ROW(state)::public.word;"
    )
    shop.server.query(trap, database=shop.name, user=shop.name, password=shop.password)
    refused(shop.provision(), "MOOR-428")
    refused(DatabaseInspect(shop.server.connection(), shop.name, needs_data=True), "MOOR-428")


def test_provision_twice_changes_nothing_more(shop: Shop) -> None:
    done(shop.provision())
    verifier = "SELECT rolpassword FROM pg_authid WHERE rolname = %s"
    before = shop.server.query(verifier, (shop.name,))
    again = done(shop.provision())
    assert (again["created"], again["roleCreated"], again["passwordSet"]) == (False, False, False)
    assert shop.server.query(verifier, (shop.name,)) == before
    assert before[0][0].startswith("SCRAM-SHA-256$")


def test_provision_with_a_new_password_sets_it(shop: Shop) -> None:
    done(shop.provision())
    assert done(shop.provision(owner_password_file=shop.server.secret("rotated")))["passwordSet"] is True
    assert shop.server.query("SELECT 1", database=shop.name, user=shop.name, password="rotated") == [(1,)]


def test_provision_keeps_other_instances_out(shop: Shop) -> None:
    done(shop.provision())
    other = Shop(shop.server, f"{shop.name}_b", f"{shop.instance}-b", "other-secret")
    done(other.provision())
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        shop.server.query("SELECT 1", database=shop.name, user=other.name, password="other-secret")
    done(other.drop(roles=("current",), purge=True, owner=other.name))


def test_provision_over_another_instances_database_is_refused(shop: Shop) -> None:
    done(shop.provision())
    stranger = dataclasses.replace(shop, instance="id-stranger")
    refused(stranger.provision(owner=f"{shop.name}_x"), "MOOR-420")
    assert shop.server.query("SELECT 1 FROM pg_roles WHERE rolname = %s", (f"{shop.name}_x",)) == []
    assert shop.server.mark(shop.name)["instance"] == shop.instance


def test_provision_over_a_full_database_without_mark_needs_adopt(shop: Shop) -> None:
    shop.server.query(f"CREATE ROLE {shop.name} LOGIN PASSWORD '{shop.password}'")
    shop.server.query(f"CREATE DATABASE {shop.name} OWNER {shop.name} TEMPLATE template0")
    shop.server.fill(shop.name)
    refused(shop.provision(), "MOOR-421")
    assert shop.server.mark(shop.name) == {}
    assert done(shop.provision(adopt=True))["created"] is False
    assert shop.server.mark(shop.name)["instance"] == shop.instance
    assert shop.server.words(shop.name) == {"one"}
    dropped = done(shop.drop(roles=("current",), purge=True, owner=shop.name))
    assert "did not make" in dropped["roleKept"]
    shop.server.query(f"DROP ROLE {shop.name}")


def test_password_of_a_role_is_set_beside_the_lock_and_by_nobody_else(shop: Shop) -> None:
    done(shop.provision())
    given = {"instance": shop.instance, "database": shop.name, "owner": shop.name}

    def rotate(**changes: Any) -> RolePassword:
        file = shop.server.secret("changed")
        return RolePassword(shop.server.connection(), **{**given, "owner_password_file": file, **changes})

    before = shop.server.mark(shop.name)
    with connect(shop.server.connection(), database="postgres", task="t", password=SecretValue("admin-secret")) as busy:
        busy.lock(lock_key(shop.instance), wait_s=0)
        assert done(rotate())["passwordSet"] is True
    assert done(rotate())["passwordSet"] is False
    assert shop.server.query("SELECT 1", database=shop.name, user=shop.name, password="changed") == [(1,)]
    assert shop.server.mark(shop.name) == before
    refused(rotate(instance=str(uuid.uuid4()), owner_password_file=shop.server.secret("stolen")), "MOOR-420")
    assert shop.server.query("SELECT 1", database=shop.name, user=shop.name, password="changed") == [(1,)]


def test_provision_of_a_strangers_role_is_refused(shop: Shop) -> None:
    shop.server.query(f"CREATE ROLE {shop.name} LOGIN PASSWORD 'theirs'")
    assert "another password" in refused(shop.provision(), "MOOR-420")["brief"]
    assert shop.server.query("SELECT 1", user=shop.name, password="theirs") == [(1,)]
    shop.server.query(f"DROP ROLE {shop.name}")


def test_provision_with_quotes_in_names_works(server: Server) -> None:
    odd = Shop(server, "odd\"; DROP DATABASE postgres; --'%s", "id-'odd\"")
    done(odd.provision())
    assert odd.name in server.databases()
    done(odd.copy())
    done(odd.drop(roles=("safety", "current"), purge=True, owner=odd.name))
    assert odd.name not in server.databases()


def test_provision_of_an_existing_database_needs_only_its_owner(shop: Shop) -> None:
    server = shop.server
    server.query(f"CREATE ROLE {shop.name} LOGIN PASSWORD '{shop.password}'")
    server.query(f"CREATE DATABASE {shop.name} OWNER {shop.name} TEMPLATE template0")
    connection = server.connection(shop.name, shop.password, maintenance_database="not-for-me")
    document = shop.provision(connection=connection, owner_password_file=None, mode="existing")
    made = done(document)
    assert (made["created"], made["marked"]) == (False, True)
    assert server.mark(shop.name)["instance"] == shop.instance
    refused(dataclasses.replace(document, instance="id-stranger"), "MOOR-420")
    done(shop.drop(roles=("current",), purge=True))
    server.query(f"DROP ROLE {shop.name}")


def test_provision_of_an_existing_database_without_extensions_names_the_statements(shop: Shop) -> None:
    server = shop.server
    server.query(f"CREATE ROLE {shop.name} LOGIN PASSWORD '{shop.password}'")
    server.query(f"CREATE DATABASE {shop.name} TEMPLATE template0")
    server.query(f"GRANT USAGE, CREATE ON SCHEMA public TO {shop.name}", database=shop.name)
    document = shop.provision(
        connection=server.connection(shop.name, shop.password), owner_password_file=None, mode="existing"
    )
    fault = refused(document, "MOOR-422")
    assert "CREATE EXTENSION pg_trgm" in fault["brief"]
    assert "CREATE EXTENSION unaccent" in fault["brief"]
    server.query("CREATE EXTENSION pg_trgm; CREATE EXTENSION unaccent", database=shop.name)
    made = done(document)
    assert (made["marked"], made["unaccentImmutable"]) == (False, False)
    server.query(f"DROP DATABASE {shop.name}")
    server.query(f"DROP ROLE {shop.name}")


def test_provision_by_an_administrator_that_is_no_superuser_works(shop: Shop) -> None:
    server = shop.server
    server.query("CREATE ROLE helper LOGIN PASSWORD 'helper' CREATEDB CREATEROLE")
    made = done(shop.provision(connection=server.connection("helper", "helper")))
    assert (made["created"], made["unaccentImmutable"]) == (True, False)
    again = done(shop.provision(connection=server.connection("helper", "helper")))
    assert again["created"] is False
    done(shop.drop(roles=("current",), purge=True, owner=shop.name))
    server.query("DROP ROLE helper")


def test_provision_by_a_role_without_rights_says_which(shop: Shop) -> None:
    shop.server.query("CREATE ROLE weak LOGIN PASSWORD 'weak'")
    fault = refused(shop.provision(connection=shop.server.connection("weak", "weak")), "MOOR-417")
    assert "CREATEDB and CREATEROLE" in fault["brief"]
    shop.server.query("DROP ROLE weak")


def test_passwords_are_never_in_the_servers_log(shop: Shop) -> None:
    shop.server.query("ALTER SYSTEM SET log_statement = 'all'")
    shop.server.query("SELECT pg_reload_conf()")
    time.sleep(0.5)
    done(shop.provision())
    done(shop.provision(owner_password_file=shop.server.secret("rotated-secret")))
    log = subprocess.run(("docker", "logs", shop.server.container), capture_output=True, text=True, check=True)
    shop.server.query("ALTER SYSTEM RESET log_statement")
    shop.server.query("SELECT pg_reload_conf()")
    text = log.stdout + log.stderr
    assert f'ALTER ROLE "{shop.name}"' in text
    assert "rotated-secret" not in text
    assert shop.password not in text


# Inspect


def test_inspect_of_no_database_says_so(shop: Shop) -> None:
    assert done(DatabaseInspect(shop.server.connection(), shop.name))["exists"] is False


def test_inspect_of_an_empty_database_says_whose_it_is(shop: Shop) -> None:
    done(shop.provision())
    facts = done(DatabaseInspect(shop.server.connection(shop.name, shop.password), shop.name))
    assert (facts["exists"], facts["empty"], facts["initialized"], facts["series"]) == (True, True, False, None)
    assert facts["mark"]["instance"] == shop.instance
    assert facts["sizeBytes"] > 0
    assert [(str(facts["maxConnections"]),)] == shop.server.query("SHOW max_connections")


def test_inspect_that_needs_data_refuses_a_place_without_it(shop: Shop) -> None:
    missing = DatabaseInspect(shop.server.connection(), shop.name, needs_data=True)
    refused(missing, DatabaseMissing.code)
    done(shop.provision())
    refused(missing, NotInitialized.code)


def test_inspect_never_runs_a_tenants_code(shop: Shop) -> None:
    done(shop.provision())

    def own(text: str) -> None:
        shop.server.query(text, database=shop.name, user=shop.name, password=shop.password)

    own("CREATE FUNCTION boom() RETURNS text LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE CURRENT_USER SUPERUSER; END $$")
    own("CREATE VIEW ir_module_module AS SELECT boom() AS name, boom() AS state, boom() AS latest_version")
    assert done(DatabaseInspect(shop.server.connection(), shop.name))["initialized"] is False


# Safety copy, return, drop


def test_safety_copy_and_return_bring_back_data_rights_and_settings(shop: Shop) -> None:
    server = shop.server
    done(shop.provision())
    server.fill(shop.name)
    server.query(f"ALTER DATABASE {shop.name} SET work_mem = '7MB'")
    server.query(f"ALTER DATABASE {shop.name} SET search_path = \"$user\", public, 'od d'")
    server.query("DROP ROLE IF EXISTS reporting")
    server.query("CREATE ROLE reporting LOGIN PASSWORD 'reporting'")
    server.query(f"GRANT CONNECT ON DATABASE {shop.name} TO reporting")
    describe = "SELECT datacl::text FROM pg_database WHERE datname = %s"
    settings = "SELECT setconfig FROM pg_db_role_setting JOIN pg_database d ON setdatabase = d.oid WHERE datname = %s"
    before = [
        set(server.query(describe, (shop.name,))[0][0].strip("{}").split(",")),
        server.query(settings, (shop.name,)),
    ]

    made = done(shop.copy())
    assert made == {"database": shop.safety, "kept": False, "sizeBytes": made["sizeBytes"], "dropped": []}
    assert server.query("SELECT datallowconn FROM pg_database WHERE datname = %s", (shop.safety,)) == [(False,)]
    server.fill(shop.name, word="two")

    back = done(shop.back())
    assert back == {"database": shop.name, "returned": True, "previous": None}
    assert server.words(shop.name) == {"one"}
    after = [
        set(server.query(describe, (shop.name,))[0][0].strip("{}").split(",")),
        server.query(settings, (shop.name,)),
    ]
    assert after == before
    assert server.mark(shop.name)["returned"] == "op-1"
    assert not {name for name in server.databases() if name.startswith("mooring_")}
    assert server.query("SELECT 1", database=shop.name, user=shop.name, password=shop.password) == [(1,)]
    server.query(f"REVOKE ALL ON DATABASE {shop.name} FROM reporting")
    server.query("DROP ROLE reporting")


def test_safety_copy_again_for_the_same_operation_keeps_the_first(shop: Shop) -> None:
    done(shop.provision())
    shop.server.fill(shop.name)
    done(shop.copy())
    shop.server.fill(shop.name, word="two")
    assert done(shop.copy(fence=Fence("op-1", 2)))["kept"] is True
    done(shop.back())
    assert shop.server.words(shop.name) == {"one"}


def test_safety_copy_while_somebody_is_connected_fails_and_says_who(shop: Shop) -> None:
    done(shop.provision())
    with psycopg.connect(
        host="127.0.0.1", port=shop.server.port, user="admin", password="admin-secret", dbname=shop.name,
        application_name="nosy", autocommit=True,
    ) as nosy:  # fmt: skip
        fault = refused(shop.copy(fence=Fence("op-1", 1, wait_s=0)), "MOOR-425")
        assert "nosy as admin" in fault["details"]
        assert nosy.execute("SELECT 1").fetchone() == (1,)
        assert done(shop.copy(disconnect=True))["kept"] is False
        with pytest.raises(psycopg.OperationalError):
            nosy.execute("SELECT 1")


def test_safety_copy_without_room_changes_nothing(shop: Shop) -> None:
    done(shop.provision())
    before = shop.server.databases()
    refused(shop.copy(free_bytes=1000), "MOOR-426")
    assert shop.server.databases() == before


@pytest.mark.parametrize(
    ("room", "kept"),
    [pytest.param(None, True, id="room for both"), pytest.param(1_000_000, False, id="room for one")],
)
def test_safety_copy_drops_older_copies_only_to_make_room(shop: Shop, room: int | None, *, kept: bool) -> None:
    done(shop.provision())
    older = done(shop.copy(fence=Fence("op-0", 1)))["database"]
    made = done(shop.copy(fence=Fence("op-1", 1), free_bytes=room, make_room=True))
    assert made["dropped"] == ([] if kept else [older])
    assert (older in shop.server.databases()) == kept
    assert shop.safety in shop.server.databases()
    done(shop.drop(roles=("safety", "previous"), spare="op-1"))
    assert older not in shop.server.databases()
    assert shop.safety in shop.server.databases()


def test_safety_copy_that_fits_in_no_way_leaves_the_older_ones(shop: Shop) -> None:
    done(shop.provision())
    older = done(shop.copy(fence=Fence("op-0", 1)))["database"]
    size = shop.server.query("SELECT pg_database_size(%s::name)", (older,))[0][0]
    shop.server.fill(shop.name)
    shop.server.query("CREATE TABLE more AS SELECT repeat('x', 1000) FROM generate_series(1, 5000)", database=shop.name)
    refused(shop.copy(fence=Fence("op-1", 1), free_bytes=size // 2, make_room=True), "MOOR-426")
    assert older in shop.server.databases()


def test_safety_copy_of_a_stale_attempt_is_refused(shop: Shop) -> None:
    done(shop.provision())
    done(shop.copy(fence=Fence("op-1", 3)))
    refused(shop.copy(fence=Fence("op-1", 2)), "MOOR-424")
    assert done(shop.copy(fence=Fence("op-2", 1)))["kept"] is False


def test_task_while_another_holds_the_lock_waits_and_says_who(shop: Shop) -> None:
    done(shop.provision())
    connection: Connection = shop.server.connection()
    with connect(connection, database="postgres", task="holder", password=load_password(connection)) as holder:
        holder.lock(lock_key(shop.instance), wait_s=0)
        fault = refused(shop.copy(fence=Fence("op-1", 1, wait_s=1)), "MOOR-423")
        assert "mooring/holder" in fault["brief"]
    assert done(shop.copy())["kept"] is False


def test_return_ends_sessions_and_keeps_what_was_current_if_asked(shop: Shop) -> None:
    done(shop.provision())
    shop.server.fill(shop.name)
    done(shop.copy())
    shop.server.fill(shop.name, word="two")
    with psycopg.connect(
        host="127.0.0.1", port=shop.server.port, user="admin", password="admin-secret", dbname=shop.name
    ):
        back = done(shop.back(keep=True))
    assert back["previous"] == beside(shop.instance, role="previous", operation="op-1")
    assert shop.server.mark(back["previous"])["role"] == "previous"
    assert shop.server.words(shop.name) == {"one"}
    again = done(shop.back(keep=True))
    assert again == {**back, "returned": False}
    assert done(shop.drop(roles=("previous",), operation="op-1"))["dropped"] == [back["previous"]]


def test_return_without_a_copy_changes_nothing(shop: Shop) -> None:
    done(shop.provision())
    shop.server.fill(shop.name)
    refused(shop.back(fence=Fence("op-unknown", 1)), "MOOR-427")
    assert shop.server.words(shop.name) == {"one"}


def test_swap_back_of_a_swap_that_was_killed_first_opens_the_database_again(shop: Shop) -> None:
    """A swap refuses new connections before it renames; its undo finds nothing to rename."""
    done(shop.provision())
    shop.server.fill(shop.name)
    shop.server.query(f'ALTER DATABASE "{shop.name}" ALLOW_CONNECTIONS false')
    said = done(
        DatabaseSwap(
            connection=shop.server.connection(),
            fence=Fence("op-back", 1, wait_s=30),
            instance=shop.instance,
            database=shop.name,
            take="previous",
            replaced_by="op-1",
            back_as="building",
            back_of="op-1",
        )
    )
    assert said["swapped"] is False
    assert shop.server.words(shop.name) == {"one"}


def test_drop_takes_only_this_instances_roles(shop: Shop) -> None:
    done(shop.provision())
    other = Shop(shop.server, f"{shop.name}_b", f"{shop.instance}-b")
    done(other.provision())
    done(shop.copy())
    done(other.copy())
    assert done(shop.drop(roles=("safety", "previous")))["dropped"] == [shop.safety]
    assert {shop.name, other.name, other.safety} <= shop.server.databases()
    gone = done(other.drop(roles=("safety", "current"), purge=True, owner=other.name))
    assert gone == {"dropped": [other.safety, other.name], "roleDropped": True, "roleKept": None}
    assert shop.name in shop.server.databases()


def test_drop_while_the_role_owns_more_keeps_the_role(shop: Shop) -> None:
    done(shop.provision())
    shop.server.query(f"CREATE DATABASE {shop.name}_more OWNER {shop.name} TEMPLATE template0")
    gone = done(shop.drop(roles=("current",), purge=True, owner=shop.name))
    assert f"{shop.name}_more" in gone["roleKept"]
    shop.server.query(f"DROP DATABASE {shop.name}_more")
    assert done(shop.drop(roles=("current",), purge=True, owner=shop.name))["roleDropped"] is True


def test_task_told_to_stop_ends_with_an_error_line(shop: Shop, tmp_path: Path) -> None:
    done(shop.provision())
    connection = shop.server.connection()
    with connect(connection, database="postgres", task="holder", password=load_password(connection)) as holder:
        holder.lock(lock_key(shop.instance), wait_s=0)
        process = start_task(shop.copy(fence=Fence("op-1", 1, wait_s=60)), tmp_path)
        time.sleep(2)
        process.terminate()
        begun = time.monotonic()
        text, _ = process.communicate(timeout=10)
    assert time.monotonic() - begun < 3
    said = outcome(process.returncode, text)
    assert (said.code, said.error["code"]) == (1, "MOOR-402")


def test_unknown_task_and_bad_document_are_error_lines(server: Server) -> None:
    document = ServerCheck(server.connection())
    object.__setattr__(document, "TASK", "no-such-task")
    assert run_task(document).error["code"] == "MOOR-401"
