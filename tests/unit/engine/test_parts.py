# SPDX-License-Identifier: Apache-2.0
"""Pure parts of the engine: verification, password hashes, secret files, what PostgreSQL's refusals mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from mooring.domain.model.secret import SecretValue
from mooring.domain.repository.manifest import ModuleVersion
from mooring.domain.work import errors
from mooring.domain.work.backup_errors import ClientMissing
from mooring.domain.work.common import Connection
from mooring.domain.work.results import DatabaseFacts, ModuleFact
from mooring.domain.work.verification import decide_faults, decide_older
from mooring.drivers.postgres_faults import connect_fault, statement_fault
from mooring.engine.finish import fits, hash_password
from mooring.engine.secret_files import load_secret
from mooring.engine.server import check_version
from mooring.errors import MooringError

HERE = Connection("db", 5432, "shop", None)
BASE = ModuleFact("installed", "14.0.1.3")


def facts(**modules: ModuleFact) -> DatabaseFacts:
    pending = tuple(name for name, fact in modules.items() if fact.state.startswith("to "))
    return DatabaseFacts(
        exists=True, initialized=True, series="14.0", modules={"base": BASE, **modules}, pending_modules=pending
    )


@pytest.mark.parametrize(
    ("given", "expect", "series", "says"),
    [
        pytest.param(facts(), (), None, (), id="all there"),
        pytest.param(facts(), ("base",), "14.0", (), id="series fits"),
        pytest.param(DatabaseFacts(exists=False), (), None, ("does not exist",), id="no database"),
        pytest.param(DatabaseFacts(exists=True), (), None, ("base is not installed",), id="never initialized"),
        pytest.param(facts(), ("sael",), None, ("sael is unknown",), id="misspelt module"),
        pytest.param(
            facts(sale=ModuleFact("uninstalled", "")), ("sale",), None, ("sale is uninstalled",), id="not there"
        ),
        pytest.param(facts(), (), "15.0", ("Odoo 14.0, not 15.0",), id="other series"),
        pytest.param(
            facts(sale=ModuleFact("to upgrade", "1")), ("sale",), None, ("sale (to upgrade)",), id="in between"
        ),
        pytest.param(facts(), ("a", "b"), "15.0", ("a is", "b is", "15.0"), id="three faults"),
    ],
)
def test_verification_names_every_fault(
    given: DatabaseFacts, expect: tuple[str, ...], series: str | None, says: tuple[str, ...]
) -> None:
    faults = decide_faults(given, expect=expect, series=series)
    assert len(faults) == len(says)
    assert all(word in fault for word, fault in zip(says, faults, strict=True))


@pytest.mark.parametrize(
    ("major", "version", "kind", "says"),
    [
        pytest.param(15, "15.9", errors.ServerTooOld, "15.9; this needs 16", id="older than Odoo needs"),
        pytest.param(
            18, "18.1", ClientMissing, "18.1; Mooring's clients are of PostgreSQL 17", id="newer than the clients"
        ),
    ],
)
def test_server_of_a_major_that_does_not_serve_is_refused(
    major: int, version: str, kind: type[MooringError], says: str
) -> None:
    check_version(17, 16, "17.2")
    with pytest.raises(kind, match=says):
        check_version(major, 16, version)


def test_password_hash_is_what_passlib_writes() -> None:
    # Made by passlib 1.7.4: pbkdf2_sha512.using(rounds=1000, salt=b"0123456789abcdef").hash("pässword")
    known = (
        "$pbkdf2-sha512$1000$MDEyMzQ1Njc4OWFiY2RlZg$"
        "20MTVzg/n3H4pkjP7rPbs9uXGvJYlRG4j32EBHiNeegrbijWGjc63LMIJzA0jtIUGL4tJ0FCjR9uzA3gQvH7WA"
    )
    assert hash_password(SecretValue("pässword"), b"0123456789abcdef", rounds=1000) == known
    assert fits(SecretValue("pässword"), known)
    assert not fits(SecretValue("password"), known)


@pytest.mark.parametrize("text", ["", "admin", "$pbkdf2-sha512$x$y$z"], ids=["empty", "clear", "broken"])
def test_password_hash_of_another_form_never_fits(text: str) -> None:
    assert not fits(SecretValue("admin"), text)


@pytest.mark.parametrize(
    ("data", "value"),
    [(b"secret\n", "secret"), (b"secret\r\n", "secret"), (b" two words ", " two words "), ("pä".encode(), "pä")],
    ids=["line", "windows line", "spaces", "letters"],
)
def test_secret_file_is_one_line(tmp_path: Path, data: bytes, value: str) -> None:
    (tmp_path / "s").write_bytes(data)
    assert load_secret(str(tmp_path / "s")).reveal() == value


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"top-secret\nand more\n", b"\xff\xfe", b"a\0b", b"x" * 70_000],
    ids=["empty", "line break", "two lines", "no text", "zero byte", "huge"],
)
def test_secret_file_that_is_none_is_refused_without_its_content(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "s").write_bytes(data)
    with pytest.raises(errors.SecretUnreadable) as caught:
        load_secret(str(tmp_path / "s"))
    assert "top-secret" not in str(caught.value.to_json())


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('FATAL:  password authentication failed for user "shop"', errors.PasswordRefused),
        ("fe_sendauth: no password supplied", errors.PasswordRefused),
        ('FATAL:  database "shop" does not exist', errors.DatabaseMissing),
        ('FATAL:  permission denied for database "shop"', errors.RightsMissing),
        ('FATAL:  no pg_hba.conf entry for host "db", user "shop", database "shop", no encryption', errors.TlsRefused),
        ('FATAL:  no pg_hba.conf entry for host "db", user "shop", database "shop", SSL encryption', errors.ServerRefused),
        ("server does not support SSL, but SSL was required", errors.TlsRefused),
        ("SSL error: certificate verify failed", errors.TlsRefused),
        ("FATAL:  the database system is starting up", errors.ServerRefused),
        ("FATAL:  sorry, too many clients already", errors.ServerRefused),
        ("FATAL:  Passwort-Authentifizierung fehlgeschlagen", errors.ServerRefused),
        ("Connection refused", errors.ServerUnreachable),
        ("could not translate host name", errors.ServerUnreachable),
        ("connection timeout expired", errors.ServerUnreachable),
    ],
)  # fmt: skip
def test_connection_refusal_is_typed(text: str, kind: type[MooringError]) -> None:
    assert type(connect_fault(text, HERE, "shop")) is kind


@pytest.mark.parametrize(
    ("state", "alive", "kind"),
    [
        ("42501", True, errors.RightsMissing),
        ("55006", True, errors.DatabaseInUse),
        ("55P03", True, errors.DatabaseInUse),
        ("53100", True, errors.NotEnoughSpace),
        ("57P01", False, errors.ConnectionLost),
        (None, False, errors.ConnectionLost),
        ("XX000", False, errors.ConnectionLost),
        ("42P01", True, errors.SqlFailed),
        (None, True, errors.SqlFailed),
    ],
)
def test_statement_refusal_is_typed(state: str | None, alive: bool, kind: type[MooringError]) -> None:
    assert type(statement_fault(state, "words", alive=alive, doing="try")) is kind


@pytest.mark.parametrize(
    ("before", "now", "older"),
    [
        pytest.param("14.0.1.2.0", "14.0.1.2.0", False, id="same"),
        pytest.param("14.0.1.2.0", "14.0.1.10.0", False, id="newer by numbers, not by letters"),
        pytest.param("14.0.1.10.0", "14.0.1.9.9", True, id="older"),
        pytest.param("14.0.1.0.0", "14.0.1.0", True, id="shorter"),
        pytest.param("", "14.0.1.0", False, id="nothing said before"),
        pytest.param("14.0.x", "14.0.y", False, id="no numbers"),
    ],
)
def test_module_below_what_a_snapshot_had_is_named(before: str, now: str, *, older: bool) -> None:
    facts = DatabaseFacts(exists=True, modules={"sale": ModuleFact("installed", now)})
    found = decide_older(facts, (ModuleVersion("sale", before), ModuleVersion("gone", "14.0.1.0")))
    assert bool(found) is older
    assert all("sale" in one and before in one for one in found)
