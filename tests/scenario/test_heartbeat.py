# SPDX-License-Identifier: Apache-2.0
"""Who watches over backups from outside: a ping of a real receiver after each whole one; what the webhook is told of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from mooring.domain.work.backup_errors import DumpFailed
from tests.scenario.test_backups import snapshots
from tests.scenario.world import World, instance, repository
from tests.support.http_server import serve_http

PATH = "/ping/s3cret-path"


@dataclass
class Watcher:
    """Gets pings and callbacks; answers the pings with `status`."""

    url: str = ""
    status: int = 200
    pings: list[tuple[str, str]] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    state = Watcher()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.pings.append((self.path, str(self.headers["User-Agent"])))
            self.send_response(state.status)
            self.end_headers()

        def do_POST(self) -> None:
            state.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

    with serve_http(Handler) as address:
        state.url = f"http://{address}"
        yield state


async def watched(world: World, url: str, **spec: Any) -> None:
    """`shop` with a repository, and an address that watches."""
    await world.apply(repository(), instance(backup={"repository": "nas", "heartbeatUrl": url}, **spec))
    assert await world.rest() is None


async def back_up(world: World) -> None:
    await world.ask("Backup", repository="nas")
    assert await world.rest() is None


async def warnings(world: World) -> str:
    return " ".join((await world.doc()).status.get("warnings", ()))


async def test_each_whole_backup_is_pinged_once_and_a_failed_one_is_not(shop: World, watcher: Watcher) -> None:
    await watched(shop, watcher.url + PATH)
    assert watcher.pings == []
    await back_up(shop)
    assert [path for path, _ in watcher.pings] == [PATH]
    assert watcher.pings[0][1].startswith("mooring/")
    await shop.passes(20)
    assert len(watcher.pings) == 1
    shop.machine.fail_next += [("backup", DumpFailed("no"))]
    await back_up(shop)
    assert len(watcher.pings) == 1
    await back_up(shop)
    assert len(watcher.pings) == 2
    assert "heartbeatUrl" not in await warnings(shop)


async def test_a_scheduled_backup_is_pinged(shop: World, watcher: Watcher) -> None:
    shop.schedules = True
    backup = {"repository": "nas", "schedule": "0 2 * * *", "heartbeatUrl": watcher.url + PATH}
    await shop.apply(repository(), instance(backup=backup))
    assert await shop.rest() is None
    shop.clock.advance(86_400.0)
    assert await shop.rest() is None
    assert len(watcher.pings) == 1


async def test_a_ping_that_is_not_taken_is_a_warning_and_tried_again(shop: World, watcher: Watcher) -> None:
    await watched(shop, watcher.url + PATH)
    watcher.status = 503
    await back_up(shop)
    assert await shop.condition("BackupHealthy") == ("True", "BackupSucceeded")
    assert "backup.heartbeatUrl was not reached: " in await warnings(shop)
    assert "answered 503" in await warnings(shop)
    tried = len(watcher.pings)
    watcher.status = 200
    shop.clock.advance(1000.0)
    assert await shop.rest() is None
    assert len(watcher.pings) == tried + 1
    assert "heartbeatUrl" not in await warnings(shop)


async def test_a_refused_ping_is_not_repeated_and_stays_a_warning_until_the_next_backup(
    shop: World, watcher: Watcher
) -> None:
    await watched(shop, watcher.url + PATH)
    watcher.status = 404
    await back_up(shop)
    shop.clock.advance(5000.0)
    assert await shop.rest() is None
    assert len(watcher.pings) == 1
    assert "after the next backup" in await warnings(shop)
    watcher.status = 200
    await back_up(shop)
    assert len(watcher.pings) == 2
    assert "heartbeatUrl" not in await warnings(shop)


async def test_an_address_where_nobody_is_fails_no_backup_and_is_never_said(shop: World) -> None:
    await watched(shop, f"http://127.0.0.1:9{PATH}")
    await back_up(shop)
    assert snapshots(shop)
    assert "127.0.0.1:9" in await warnings(shop)
    for doc in [await shop.doc(), *[one.doc for one in await shop.operations()]]:
        assert "s3cret" not in json.dumps(doc.status), doc.ref
    assert "s3cret" not in json.dumps([vars(one) for one in shop.events], default=str)
    assert not [one for one in shop.sim.containers.values() if "s3cret" in str(one)]


async def test_the_webhook_is_told_which_snapshot_a_backup_made(shop: World, watcher: Watcher) -> None:
    await shop.apply(repository(), instance(backup={"repository": "nas"}, webhook={"url": f"{watcher.url}/hook"}))
    assert await shop.rest() is None
    await back_up(shop)
    shop.machine.fail_next += [("backup", DumpFailed("no"))]
    await back_up(shop)
    ends = [one for one in watcher.told if "operation" in one and one["operation"]["type"] == "Backup"]
    assert [one["operation"]["phase"] for one in ends] == ["succeeded", "failed"]
    assert ends[0]["backup"] == {"result": "Complete", "snapshot": snapshots(shop)[-1].id}
    assert ends[1]["backup"] == {"result": "Failed"}
