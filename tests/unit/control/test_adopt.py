# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mooring.control.adopt import AdoptionUnclear, NothingFound, choose_installation, recover
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.observed import Found
from mooring.domain.model.secret import SecretKey, SecretRef, SecretValue
from mooring.drivers.secret_files import SecretFiles
from mooring.drivers.state import StateDir
from tests.support.memory_documents import MemoryDocuments

SHOP = Ref("OdooInstance", "default", "shop")
SERVER = Ref("DatabaseServer", "default", "default")
CONF = b"[options]\nadmin_passwd = master = x\ndb_name = shop\ndb_password = owner\n"


def found(ref: Ref, installation: str, *, volumes: tuple[str, ...] = ()) -> Found:
    return Found(ref, Identity(installation, "id"), volumes=volumes)


class Reader:
    """A target with some files."""

    def __init__(self, replicas: dict[str, bytes], volumes: dict[str, bytes] | None = None) -> None:
        self.replicas = replicas
        self.volumes = volumes or {}

    async def inventory(self) -> Sequence[Found]:
        return ()

    async def read_replica_file(self, ref: Ref, *, role: str, path: str) -> bytes | None:
        return self.replicas.get(f"{ref.name}/{role}:{path}")

    async def read_volume_file(self, ref: Ref, identity: Identity, *, role: str, path: str) -> bytes | None:
        return self.volumes.get(f"{ref.name}/{role}:{path}")


@pytest.mark.parametrize(
    ("there", "fresh", "wanted", "chosen"),
    [
        pytest.param(("own", "other"), False, None, "own", id="own objects are there"),
        pytest.param(("other",), True, None, "other", id="fresh, and one other"),
        pytest.param(("one", "two"), True, "two", "two", id="named among several"),
        pytest.param(("own",), False, "own", "own", id="the own one named"),
    ],
)
def test_installation_is_chosen_where_it_is_clear(
    there: tuple[str, ...], fresh: bool, wanted: str | None, chosen: str
) -> None:
    assert choose_installation([found(SHOP, one) for one in there], "own", fresh=fresh, wanted=wanted) == chosen


@pytest.mark.parametrize(
    ("there", "fresh", "wanted", "error"),
    [
        pytest.param((), True, None, NothingFound, id="nothing there"),
        pytest.param(("other",), True, "typo", NothingFound, id="a name that nothing carries"),
        pytest.param(("one", "two"), True, None, AdoptionUnclear, id="several others"),
        pytest.param(("other",), False, None, AdoptionUnclear, id="records of its own"),
        pytest.param(("own", "other"), True, "other", AdoptionUnclear, id="objects of its own"),
    ],
)
def test_installation_is_never_guessed(
    there: tuple[str, ...], fresh: bool, wanted: str | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        choose_installation([found(SHOP, one) for one in there], "own", fresh=fresh, wanted=wanted)


async def test_secrets_are_recovered_from_configuration_and_pass_file(tmp_path: Path) -> None:
    secrets = SecretFiles(tmp_path)
    reader = Reader(
        {
            "shop/cron:/etc/mooring/odoo.conf": CONF,
            "default/database:/etc/mooring/superuser-password": b"super\n",
        }
    )

    adopted = await recover(
        [found(SHOP, "own"), found(SERVER, "own"), found(Ref("OdooInstance", "default", "till"), "other")],
        reader,
        secrets,
        MemoryDocuments(),
        installation="own",
    )

    async def value(name: str, key: str) -> str:
        return (await secrets.value(SecretKey(SecretRef("default", name), key))).reveal()

    assert await value("shop-database", "password") == "owner"
    assert await value("shop-odoo", "master-password") == "master = x"
    assert await value("default-superuser", "password") == "super"
    assert await value("default-superuser", "user") == "mooring"
    assert [one.ref for one in adopted] == [SHOP, SERVER]
    assert not any(one.lost or one.recorded for one in adopted)


async def test_superuser_password_comes_from_its_copy_where_no_container_is_left(tmp_path: Path) -> None:
    secrets = SecretFiles(tmp_path)
    reader = Reader({}, {"default/database:superuser-password": b"super\n"})

    (adopted,) = await recover(
        [found(SERVER, "own", volumes=("database",))], reader, secrets, MemoryDocuments(), installation="own"
    )

    assert adopted.recovered == ("default-superuser password",)


async def test_what_cannot_be_read_back_is_said_and_what_is_known_stays(tmp_path: Path) -> None:
    secrets = SecretFiles(tmp_path)
    await secrets.set(SecretRef("default", "shop-database"), "password", SecretValue("kept"))

    (adopted,) = await recover(
        [found(SHOP, "own")],
        Reader({"shop/web:/etc/mooring/odoo.conf": b"db_password = other\n"}),
        secrets,
        MemoryDocuments(),
        installation="own",
    )

    kept = await secrets.value(SecretKey(SecretRef("default", "shop-database"), "password"))
    assert kept.reveal() == "kept"
    assert adopted.lost == ("shop-odoo master-password",)


def test_state_directory_takes_over_an_installation_and_keeps_it(tmp_path: Path) -> None:
    state = StateDir.open(tmp_path / "home")
    other = "0b6f7f9e-93c1-4a1c-8f4e-3a4c1f0d2b77"

    assert state.adopt_installation(other).installation == other
    assert StateDir.open(tmp_path / "home").installation == other
    with pytest.raises(Exception, match="no id"):
        state.adopt_installation("x\ny")
