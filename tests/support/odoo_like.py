# SPDX-License-Identifier: Apache-2.0
"""A small database that has what an Odoo's has, and what trips dumps: large objects, odd names, generated columns."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import psycopg

from tests.support.engine_server import Server

_TABLES = r"""
CREATE TABLE ir_module_module (id serial PRIMARY KEY, name varchar, state varchar, latest_version varchar);
INSERT INTO ir_module_module (name, state, latest_version) VALUES
  ('base', 'installed', '14.0.1.3'), ('web', 'installed', '14.0.1.0'), ('sale', 'uninstalled', NULL);
CREATE TABLE ir_attachment (id serial PRIMARY KEY, name varchar, store_fname varchar, checksum varchar, file_size integer);
CREATE TABLE res_partner (id serial PRIMARY KEY, name varchar, note text,
  upper_name varchar GENERATED ALWAYS AS (upper(name)) STORED);
INSERT INTO res_partner (name, note) SELECT 'Partner ' || n, E'line\nline\ttab\\back \\. ' || md5(n::text)
  FROM generate_series(1, 5000) n;
INSERT INTO res_partner (name, note) VALUES (E'\\.', NULL), ('Élodie', '');
CREATE INDEX partner_name ON res_partner USING gin (name gin_trgm_ops);
CREATE INDEX partner_plain ON res_partner (unaccent(name));
CREATE MATERIALIZED VIEW partner_count AS SELECT count(*) AS n FROM res_partner;
CREATE VIEW partner_names AS SELECT name FROM res_partner;
CREATE TABLE "Odd ""name"" äöü; DROP" ("a b" integer, "SELECT" text);
INSERT INTO "Odd ""name"" äöü; DROP" SELECT n, repeat('x', n) FROM generate_series(1, 100) n;
CREATE SCHEMA "other schema";
CREATE TABLE "other schema"."DATA" (n integer PRIMARY KEY);
INSERT INTO "other schema"."DATA" SELECT generate_series(1, 7);
CREATE TABLE empty_one (id integer);
CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES;
INSERT INTO no_columns DEFAULT VALUES;
CREATE TABLE line (id serial PRIMARY KEY, partner_id integer REFERENCES res_partner, amount numeric);
INSERT INTO line (partner_id, amount) SELECT 1 + n % 5000, n * 1.5 FROM generate_series(1, 20000) n;
CREATE TABLE ir_config_parameter (key varchar UNIQUE, value text);
INSERT INTO ir_config_parameter VALUES ('database.uuid', 'one');
COMMENT ON TABLE res_partner IS 'people''s table';
COMMENT ON EXTENSION pg_trgm IS 'ours';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER touched BEFORE UPDATE ON res_partner FOR EACH ROW EXECUTE FUNCTION touch();
"""


def fill_database(server: Server, name: str, owner: str, *, password: str, big_mb: int = 0) -> None:
    """Make the tables as the owner, large objects, and a table of so many megabytes."""
    with psycopg.connect(
        host="127.0.0.1", port=server.port, user=owner, password=password, dbname=name, autocommit=True
    ) as link:
        for statement in _TABLES.split(";\n"):
            words = statement.strip()
            if words and "EXTENSION" not in words:
                link.execute(words.encode())
        for number in range(3):
            link.execute("SELECT lo_from_bytea(0, %s)", (random.Random(number).randbytes(3000 * (number + 1)),))
        if big_mb:
            link.execute("CREATE TABLE mail_message (id serial PRIMARY KEY, body text)")
            link.execute(
                "INSERT INTO mail_message (body) SELECT repeat(md5(n::text), 32) FROM generate_series(1, %s) n",
                (big_mb * 1000,),
            )
    server.query("COMMENT ON EXTENSION pg_trgm IS 'ours'", database=name)


def add_files(server: Server, name: str, store: Path, contents: list[bytes]) -> list[str]:
    """Attachments with their files; the names in the filestore."""
    found = []
    with (
        psycopg.connect(
            host="127.0.0.1", port=server.port, user="admin", password="admin-secret", dbname=name, autocommit=True
        ) as link,
        link.cursor() as cursor,
    ):
        for content in contents:
            digest = hashlib.sha1(content).hexdigest()
            fname = f"{digest[:2]}/{digest}"
            path = store / fname
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            cursor.execute(
                "INSERT INTO ir_attachment (name, store_fname, checksum, file_size) VALUES (%s, %s, %s, %s)",
                (digest[:6], fname, digest, len(content)),
            )
            found.append(fname)
    return found


def fingerprint(server: Server, name: str) -> dict[str, str]:
    """Rows and a digest of each table, sequences, and the large objects."""
    tables = server.query(
        "SELECT format('%I.%I', n.nspname, c.relname), c.relname FROM pg_class c JOIN pg_namespace n ON n.oid ="
        " c.relnamespace WHERE c.relkind IN ('r', 'm', 'v') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'",
        database=name,
    )
    found: dict[str, str] = {}
    for quoted, _ in tables:
        query = f"SELECT count(*), md5(COALESCE(string_agg(t::text, '|' ORDER BY t::text COLLATE \"C\"), '')) FROM {quoted} t"
        found[quoted] = str(server.query(query, database=name)[0])
    found["indexes"] = str(server.query("SELECT count(*) FROM pg_indexes WHERE schemaname !~ '^pg_'", database=name))
    found["objects"] = str(
        server.query("SELECT count(*), sum(hashtext(lo_get(oid)::text)) FROM pg_largeobject_metadata", database=name)
    )
    found["sequence"] = str(server.query("SELECT last_value FROM res_partner_id_seq", database=name))
    return found
