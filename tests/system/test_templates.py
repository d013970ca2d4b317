# SPDX-License-Identifier: Apache-2.0
"""Templates on a real PostgreSQL: made by a role that nobody can be, copied, given away object by object, dropped."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mooring.domain.work.common import Connection, Fence
from mooring.domain.work.database import DatabaseFinishInit, DatabaseInspect, DatabaseProvision
from mooring.domain.work.names import beside
from mooring.domain.work.templates import (
    DatabaseEmpty,
    DatabaseFromTemplate,
    TemplateBegin,
    TemplatePack,
    TemplatePrune,
    TemplatePublish,
    template_building,
    template_database,
)
from tests.support.engine_server import Server, done, postgres, refused, start_task
from tests.support.odoo_like import add_files, fill_database

pytestmark = pytest.mark.real

HERE = "installation-1"
FILES = [b"logo" * 100, b"icon", bytes(range(256)) * 500]
MORE = """
CREATE TABLE res_users (id serial PRIMARY KEY, login varchar, password varchar, partner_id integer);
INSERT INTO res_users VALUES (2, 'admin', 'admin', 1);
CREATE TABLE res_company (id serial PRIMARY KEY, partner_id integer, currency_id integer);
INSERT INTO res_company VALUES (1, 2, NULL);
CREATE TABLE ir_model_data (module varchar, name varchar, model varchar, res_id integer);
INSERT INTO ir_model_data VALUES ('base', 'user_admin', 'res.users', 2), ('base', 'main_company', 'res.company', 1);
ALTER TABLE ir_config_parameter ADD create_uid integer, ADD write_uid integer;
ALTER TABLE ir_config_parameter ADD create_date timestamp, ADD write_date timestamp;
INSERT INTO ir_config_parameter (key, value) VALUES ('database.secret', 'the template''s'), ('web.kept', 'yes');
CREATE TABLE ir_cron (id serial PRIMARY KEY, nextcall timestamp);
INSERT INTO ir_cron (nextcall) VALUES (now() - interval '1 hour');
CREATE TABLE sale_order (id serial PRIMARY KEY, access_token varchar);
INSERT INTO sale_order (access_token) VALUES ('known to all'), (NULL);
CREATE TYPE mood AS ENUM ('fine', 'tired');
CREATE DOMAIN positive AS integer CHECK (value > 0);
CREATE TYPE pair AS (a integer, b text);
CREATE SEQUENCE ir_sequence_001;
CREATE AGGREGATE add_up(integer) (sfunc = int4pl, stype = integer);
CREATE STATISTICS about_partner ON id, name FROM res_partner;
CREATE TEXT SEARCH CONFIGURATION words (COPY = simple);
"""


@pytest.fixture(
    scope="module", params=["postgres:17", pytest.param("postgres:13", marks=pytest.mark.full)], ids=["17", "13"]
)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres(tmp_path_factory.mktemp("secrets"), request.param) as found:
        yield found


@dataclass(frozen=True)
class Template:
    """One template of a test."""

    server: Server
    folder: Path
    id: str
    password: str = "template-secret"

    @property
    def name(self) -> str:
        return template_database(self.id)

    def fence(self) -> Fence:
        return Fence(uuid.uuid4().hex, 1, wait_s=30)

    def begin(self, **about: str) -> TemplateBegin:
        secret = self.server.secret(self.password)
        return TemplateBegin(self.server.connection(), self.fence(), self.id, HERE, secret, about)

    def fill(self) -> None:
        """What Odoo would have left."""
        building = template_building(self.id)
        fill_database(self.server, building, self.name, password=self.password)
        with psycopg.connect(
            host="127.0.0.1", port=self.server.port, user=self.name, password=self.password, dbname=building
        ) as link:
            link.execute(MORE.encode())
        add_files(self.server, building, self.folder / "filestore" / building, FILES)

    def pack(self) -> TemplatePack:
        connection = self.server.connection(self.name, self.password)
        return TemplatePack(connection, self.id, str(self.folder), ("base", "web"), "14.0")

    def publish(self, *, keep: int = 5, max_age_s: int = 86_400) -> TemplatePublish:
        about = {"release": "odoo:14.0"}
        return TemplatePublish(self.server.connection(), self.fence(), self.id, HERE, keep, max_age_s, about)

    def make(self) -> Template:
        done(self.begin())
        self.fill()
        done(self.pack())
        done(self.publish())
        return self


def new_template(server: Server, folder: Path) -> Template:
    data = folder / uuid.uuid4().hex
    data.mkdir()
    return Template(server, data, uuid.uuid4().hex[:20])


@pytest.fixture(scope="module")
def template(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Template:
    return new_template(server, tmp_path_factory.mktemp("template")).make()


@dataclass(frozen=True)
class Shop:
    """A new instance with an empty database."""

    server: Server
    name: str
    folder: Path
    password: str = "owner-secret"

    @property
    def id(self) -> str:
        return f"id-{self.name}"

    def take(self, template: Template, operation: str = "op-1", attempt: int = 1) -> DatabaseFromTemplate:
        fence = Fence(operation, attempt, wait_s=30)
        return DatabaseFromTemplate(self.server.connection(), fence, self.id, self.name, self.name, template.id)

    def empty(self, operation: str = "op-1") -> DatabaseEmpty:
        return DatabaseEmpty(self.server.connection(), Fence(operation, 1, wait_s=30), self.id, self.name, self.name)

    def finish(self, **changes: Any) -> DatabaseFinishInit:
        return DatabaseFinishInit(
            self.own,
            Fence("op-1", 1, wait_s=30),
            self.id,
            self.name,
            expect=("base", "web"),
            series="14.0",
            admin_password_file=self.server.secret("boss-secret"),
            unpack_into=str(self.folder),
            **changes,
        )

    @property
    def own(self) -> Connection:
        return self.server.connection(self.name, self.password)

    def ask(self, text: str) -> list[Any]:
        return self.server.query(text, database=self.name, user=self.name, password=self.password)

    @property
    def building(self) -> str:
        return beside(self.id, role="building", operation="op-1")


@pytest.fixture
def shop(server: Server, tmp_path: Path) -> Shop:
    made = Shop(server, f"shop_{uuid.uuid4().hex[:8]}", tmp_path)
    done(
        DatabaseProvision(
            server.connection(),
            Fence("op-provision", 1, wait_s=30),
            made.id,
            made.name,
            made.name,
            server.secret(made.password),
            "create",
        )
    )
    return made


def test_new_instance_from_a_template_owns_everything_and_shares_nothing(
    server: Server, template: Template, shop: Shop
) -> None:
    made = done(shop.take(template))
    assert (made["kept"], made["install"]) == (False, False)
    assert made["objects"] > 10
    done(shop.finish())
    left = server.query(
        "SELECT count(*) FROM pg_shdepend WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND refobjid = (SELECT oid FROM pg_roles WHERE rolname = %s)",
        (template.name,),
        database=shop.name,
    )
    assert left == [(0,)]
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname IN ('public', 'other schema')"
    assert shop.ask(owners) == [(shop.name,)]
    shop.ask("ALTER TABLE res_partner ADD COLUMN mine integer")
    shop.ask("DROP FUNCTION touch() CASCADE")
    assert shop.ask("SELECT to_regnamespace('mooring_template') IS NULL") == [(True,)]
    for content in FILES:
        name = hashlib.sha1(content).hexdigest()
        assert (shop.folder / "filestore" / shop.name / name[:2] / name).read_bytes() == content
    parameters = dict(shop.ask("SELECT key, value FROM ir_config_parameter"))
    assert parameters["database.uuid"] != "one"
    assert parameters["database.secret"] != "the template's"
    assert parameters["database.create_date"]
    assert parameters["web.kept"] == "yes"
    assert shop.ask("SELECT access_token FROM sale_order WHERE access_token = 'known to all'") == []
    assert shop.ask("SELECT count(*) FROM sale_order WHERE access_token IS NULL") == [(1,)]
    mark = server.mark(shop.name)
    assert (mark["role"], mark["instance"]) == ("current", shop.id)
    assert shop.building not in server.databases()


def test_two_instances_from_one_template_are_strangers(
    server: Server, template: Template, shop: Shop, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Shop(server, f"other_{uuid.uuid4().hex[:8]}", tmp_path / "other")
    done(
        DatabaseProvision(
            server.connection(),
            Fence("op-p", 1),
            other.id,
            other.name,
            other.name,
            server.secret(other.password),
            "create",
        )
    )
    identities = set()
    for one in (shop, other):
        done(one.take(template))
        done(one.finish())
        identities.add(one.ask("SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'")[0][0])
    assert len(identities) == 2
    with pytest.raises(psycopg.OperationalError):
        server.query("SELECT 1", database=shop.name, user=other.name, password=other.password)
    for database in (template.name, shop.name):
        with pytest.raises((psycopg.OperationalError, psycopg.Error)):
            server.query("SELECT 1", database=database, user=template.name, password=template.password)


def test_copy_repeated_by_the_same_operation_is_kept(template: Template, shop: Shop) -> None:
    done(shop.take(template))
    shop.ask("CREATE TABLE mark_of_mine ()")
    assert done(shop.take(template, attempt=2))["kept"] is True
    assert shop.ask("SELECT to_regclass('mark_of_mine') IS NOT NULL") == [(True,)]
    refused(shop.take(template, attempt=1), "MOOR-424")


def test_copy_into_a_database_with_content_is_left_to_odoo(server: Server, template: Template, shop: Shop) -> None:
    shop.ask("CREATE TABLE invoice (id integer)")
    said = done(shop.take(template))
    assert said["install"] is True
    assert shop.name in said["reason"]
    assert shop.ask("SELECT to_regclass('invoice') IS NOT NULL") == [(True,)]
    assert shop.building not in server.databases()


def test_copy_of_a_template_that_is_gone_is_left_to_odoo(server: Server, shop: Shop) -> None:
    missing = Template(server, shop.folder, "0" * 20)
    said = done(shop.take(missing))
    assert (said["install"], said["kept"]) == (True, False)
    assert done(DatabaseInspect(shop.own, shop.name))["empty"] is True


def test_copy_taken_back_is_an_empty_database_again(server: Server, template: Template, shop: Shop) -> None:
    done(shop.take(template))
    assert done(shop.empty())["emptied"] is True
    facts = done(DatabaseInspect(shop.own, shop.name))
    assert (facts["empty"], facts["mark"]["role"]) == (True, "current")
    assert done(shop.empty())["emptied"] is False
    shop.ask("CREATE TABLE invoice (id integer)")
    assert done(shop.empty("op-2"))["emptied"] is False
    assert shop.ask("SELECT to_regclass('invoice') IS NOT NULL") == [(True,)]


def test_template_with_an_object_that_cannot_be_given_is_left_to_odoo(
    server: Server, shop: Shop, tmp_path: Path
) -> None:
    made = new_template(server, tmp_path)
    done(made.begin())
    made.fill()
    building = template_building(made.id)
    server.query(f"ALTER DEFAULT PRIVILEGES FOR ROLE {made.name} GRANT SELECT ON TABLES TO PUBLIC", database=building)
    done(made.pack())
    done(made.publish())
    said = done(shop.take(made))
    assert said["install"] is True
    assert shop.building not in server.databases()
    assert done(DatabaseInspect(shop.own, shop.name))["empty"] is True


def test_unfinished_copy_of_an_earlier_operation_is_replaced(template: Template, shop: Shop) -> None:
    done(shop.take(template))
    assert done(shop.take(template, "op-2"))["kept"] is False


@pytest.mark.parametrize("step", ["copy", "give", "swap"])
def test_copy_killed_at_a_step_is_carried_out_by_the_next_attempt(
    server: Server, template: Template, shop: Shop, step: str
) -> None:
    process = start_task(shop.take(template), shop.folder)
    _kill_at(process, step)
    made = done(shop.take(template, attempt=2))
    assert made["template"] == template.id
    done(shop.finish())
    assert shop.ask("SELECT count(*) > 0 FROM res_partner") == [(True,)]
    assert shop.building not in server.databases()


def test_copy_killed_when_the_database_is_closed_already_is_carried_out_by_the_next_attempt(
    server: Server, template: Template, shop: Shop
) -> None:
    server.query(f"ALTER DATABASE {shop.name} ALLOW_CONNECTIONS false")
    assert done(shop.take(template))["install"] is False
    assert shop.ask("SELECT count(*) > 0 FROM res_partner") == [(True,)]


def test_template_with_a_file_missing_is_refused(server: Server, tmp_path: Path) -> None:
    made = new_template(server, tmp_path)
    done(made.begin())
    made.fill()
    name = hashlib.sha1(FILES[0]).hexdigest()
    (made.folder / "filestore" / template_building(made.id) / name[:2] / name).unlink()
    assert name in refused(made.pack(), "MOOR-519")["brief"]


def test_template_begun_again_after_a_kill_starts_empty_and_a_whole_one_is_kept(server: Server, tmp_path: Path) -> None:
    made = new_template(server, tmp_path)
    done(made.begin())
    server.query("CREATE TABLE half_done ()", database=template_building(made.id))
    server.query(f"COMMENT ON DATABASE {template_building(made.id)} IS NULL")  # killed before the comment
    assert done(made.begin())["whole"] is False
    found = server.query("SELECT to_regclass('half_done') IS NULL", database=template_building(made.id))
    assert found == [(True,)]
    made.fill()
    done(made.pack())
    done(made.pack())
    assert done(made.publish())["templates"][0]["id"] == made.id
    assert done(made.publish())["dropped"] == []
    assert done(made.begin())["whole"] is True
    done(TemplatePrune(server.connection(), made.fence(), HERE, also=(made.id,)))


def test_prune_drops_the_longest_unused_with_their_roles_and_no_strangers(server: Server, tmp_path: Path) -> None:
    made = [new_template(server, tmp_path).make() for _ in range(2)]
    listed = done(TemplatePrune(server.connection(), made[0].fence(), HERE))["templates"]
    assert {one.id for one in made} <= {one["id"] for one in listed}
    assert listed[0]["about"] == {"release": "odoo:14.0"}
    assert done(TemplatePrune(server.connection(), made[0].fence(), "another", keep=0, max_age_s=0))["dropped"] == []
    pruned = done(TemplatePrune(server.connection(), made[0].fence(), HERE, also=tuple(one.id for one in made)))
    assert set(pruned["dropped"]) == {one.id for one in made}
    for one in made:
        assert one.name not in server.databases()
        assert server.query("SELECT FROM pg_roles WHERE rolname = %s", (one.name,)) == []


def _kill_at(process: subprocess.Popen[str], step: str) -> None:
    with process:
        assert process.stdout is not None
        next((line for line in process.stdout if f'"step": "{step}"' in line), None)
        process.send_signal(signal.SIGKILL)
        process.wait(30)


def test_administrator_that_is_no_superuser_makes_and_uses_templates(server: Server, tmp_path: Path) -> None:
    server.query("CREATE ROLE keeper LOGIN CREATEDB CREATEROLE PASSWORD 'keeper-secret'")
    keeper = server.connection("keeper", "keeper-secret")
    made = new_template(server, tmp_path)
    done(replace(made.begin(), connection=keeper))
    text = "ALTER FUNCTION public.unaccent(text) IMMUTABLE"  # what `fill` needs, and only a superuser may give
    server.query(text, database=template_building(made.id))
    made.fill()
    done(made.pack())
    done(replace(made.publish(), connection=keeper))
    shop = Shop(server, f"shop_{uuid.uuid4().hex[:8]}", tmp_path)
    secret = server.secret(shop.password)
    done(DatabaseProvision(keeper, Fence("op-p", 1), shop.id, shop.name, shop.name, secret, "create"))
    said = done(replace(shop.take(made), connection=keeper))
    assert (said["install"], said["reason"]) == (False, "")
    done(shop.finish())
    assert shop.ask("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'") == [(shop.name,)]
    assert done(TemplatePrune(keeper, made.fence(), HERE, also=(made.id,)))["dropped"] == [made.id]
