# SPDX-License-Identifier: Apache-2.0
"""Places, worlds and instances for the promises; what the page is written from (tests/support/page.py writes it)."""

from __future__ import annotations

import json
import os
import random
import secrets
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mooring.errors import MooringError
from tests.conformance.places import PLACES, PRIVATE, Place, Private
from tests.conformance.suite import MODULES
from tests.conformance.world import Instance, World
from tests.support.page import RESULTS, VERSIONS

SEED = "seed"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Podman proves in `make test` what is marked for it; the rest in `make test-full`. What runs comes before what fails."""
    order = {f"tests.conformance.{name}": number for number, name in enumerate(MODULES)}
    ours = [item for item in items if _module(item) in order]
    ours.sort(key=lambda item: order[_module(item)])
    items[:] = [*(item for item in items if _module(item) not in order), *ours]
    for item in items:
        if _target(item) == "podman" and item.get_closest_marker("podman") is None:
            item.add_marker("full")


def _module(item: pytest.Item) -> str:
    return item.module.__name__ if isinstance(item, pytest.Function) else ""


def _target(item: pytest.Item) -> str:
    call = getattr(item, "callspec", None)
    return str(call.params.get("place", "")) if call is not None else ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what came of each promise; a test with parameters has to pass with all of them."""
    report = yield
    fault = call.excinfo.value if call.excinfo is not None else None
    if isinstance(fault, MooringError):
        report.sections.append(("details of the error", fault.details))
    target = _target(item)
    if target and not report.skipped and (report.when == "call" or report.failed):
        results = item.config.stash.setdefault(RESULTS, {})
        key = (item.name.partition("[")[0], target)
        results[key] = results.get(key, True) and not report.failed
    return report


@pytest.fixture(scope="session", params=list(PLACES))
def place(request: pytest.FixtureRequest) -> Place:
    """A target that runs, with the images of the test ground."""
    found = PLACES[request.param]()
    if isinstance(found, str):
        pytest.skip(f"{request.param}: {found}")
    request.config.stash.setdefault(VERSIONS, {})[found.name] = found.version()
    return found


@pytest.fixture(scope="session")
def world(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An installation of its own on the place; everything that it made goes in the end."""
    made = World(place, tmp_path_factory.mktemp(place.name) / "state", f"conf-{secrets.token_hex(3)}")
    try:
        yield made
    finally:
        place.clean(made.namespace)


@pytest.fixture(scope="session")
def shop(world: World) -> Instance:
    """An instance with a real `-i` behind it: the only one of the suite. Tests leave it running at the base release."""
    return world.instance("shop").apply()


@pytest.fixture(scope="session")
def seed(world: World, shop: Instance) -> str:
    """A database to copy from, made from the shop's while nobody is connected to it."""
    source = shop.database
    name = f"{world.namespace}_{SEED}"
    world.server_sql(
        f'ALTER DATABASE "{source}" ALLOW_CONNECTIONS false;\n'
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{source}';\n"
        "SELECT pg_sleep(0.3);\n"
        f'CREATE DATABASE "{name}" TEMPLATE "{source}";\n'
        f'ALTER DATABASE "{source}" ALLOW_CONNECTIONS true;\n'
    )
    # Files do not come with it: what Odoo wrote into them is made anew, or is not missed.
    world.server_sql("DELETE FROM ir_attachment WHERE store_fname IS NOT NULL", name)
    return name


def make_copy(world: World, shop: Instance, seed: str, name: str) -> Instance:
    """An instance with an initialized database, as after its own init."""
    instance = world.instance(name)
    instance.accept()
    doc = instance.document
    assert doc is not None
    plant_database(world, instance, doc.id, template=seed, owner=shop.database)
    instance.drive()
    return instance


@pytest.fixture(scope="module")
def copy(request: pytest.FixtureRequest, world: World, shop: Instance, seed: str) -> Iterator[Instance]:
    """Such an instance, for the tests of one file; each leaves it, or brings it back, as its manifest says."""
    instance = make_copy(world, shop, seed, request.module.__name__.rpartition("test_")[2])
    yield instance
    world.place.clean(instance.ref.namespace, instance.name)


def plant_database(world: World, instance: Instance, instance_id: str, *, template: str, owner: str) -> None:
    """A database with its role, marked as this instance's own, as retained data is."""
    name = instance.database
    mark = {"mooring": 1, "instance": instance_id}
    world.server_sql(
        f'CREATE ROLE "{name}" LOGIN;\n'
        f"COMMENT ON ROLE \"{name}\" IS '{json.dumps({**mark, 'role': 'owner'})}';\n"
        f'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER "{name}";\n'
        f"COMMENT ON DATABASE \"{name}\" IS '{json.dumps({**mark, 'role': 'current'})}';\n"
        f'REVOKE CONNECT, TEMPORARY ON DATABASE "{name}" FROM PUBLIC;\n'
    )
    # REASSIGN OWNED would also give away the database that it was copied from.
    world.server_sql(
        "DO $$ DECLARE item record; BEGIN FOR item IN SELECT c.oid::regclass AS name FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname = 'public' AND c.relkind IN ('r', 'v', 'm', 'p') AND pg_get_userbyid(c.relowner) = '{owner}'"
        f" LOOP EXECUTE format('ALTER TABLE %s OWNER TO \"{name}\"', item.name); END LOOP;"
        " FOR item IN SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname = 'public' AND c.relkind = 'S' AND pg_get_userbyid(c.relowner) = '{owner}'"
        f" LOOP EXECUTE format('ALTER SEQUENCE %s OWNER TO \"{name}\"', item.name); END LOOP;"
        f" IF EXISTS (SELECT FROM pg_namespace WHERE nspname = 'public' AND pg_get_userbyid(nspowner) = '{owner}')"
        f' THEN ALTER SCHEMA public OWNER TO "{name}"; END IF;'
        " END $$;",
        name,
    )


@contextmanager
def open_private(place: Place, *, disk: str = "") -> Iterator[Private]:
    """An engine like the place's, of the test's own, which may fail."""
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"mooring-private-{secrets.token_hex(3)}"
    with PRIVATE[place.name](folder, disk) as engine:
        yield engine


@pytest.fixture
def chance(record_property: Callable[[str, object], None]) -> random.Random:
    """Randomness that is the same each time, so that no change fails by another's luck; MOORING_SEED has others."""
    number = int(os.environ.get("MOORING_SEED", "1"))
    record_property("seed", number)
    sys.stdout.write(f"MOORING_SEED={number}\n")  # pytest shows it with a failure
    return random.Random(number)
