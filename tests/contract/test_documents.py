# SPDX-License-Identifier: Apache-2.0
"""What every store of documents promises, on each one there is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from mooring.domain.model.identity import Ref
from mooring.drivers.clock import SystemClock
from mooring.drivers.documents import Document, Documents, VersionConflict, owner_of
from mooring.drivers.journal import Journal, JournalConflict, OperationGone
from mooring.drivers.sqlite_documents import SqliteDocuments
from tests.support.memory_documents import MemoryDocuments

SHOP = Ref("OdooInstance", "default", "shop")
WIKI = Ref("OdooInstance", "default", "wiki")
MAIN = Ref("DatabaseServer", "default", "main")


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Documents]:
    documents: Documents
    if request.param == "memory":
        documents = MemoryDocuments()
    else:
        documents = await SqliteDocuments.open(tmp_path / "state.db", clock=SystemClock())
    yield documents
    await documents.close()


def shop(**fields: Any) -> Document:
    return replace(Document(ref=SHOP, id="id-1", spec={"image": "odoo:18.0"}), **fields)


async def test_get_of_nothing_gives_none(store: Documents) -> None:
    assert await store.get(SHOP) is None


async def test_put_then_get_gives_what_was_stored(store: Documents) -> None:
    deleted_at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    spec = {"z": 1, "a": [1.5, None, True, "é\n"], "n": {"x": {}}}
    stored = await store.put(shop(meta={"labels": {"b": "c"}}, spec=spec, deleted_at=deleted_at), if_version=None)
    found = await store.get(SHOP)
    assert found == stored
    assert (stored.id, stored.generation, stored.meta, stored.status) == ("id-1", 1, {"labels": {"b": "c"}}, {})
    assert list(stored.spec) == ["z", "a", "n"]
    assert stored.spec == spec
    assert stored.deleted_at == deleted_at


async def test_put_of_a_new_document_drops_its_status(store: Documents) -> None:
    await store.put(shop(status={"phase": "Running"}), if_version=None)
    found = await store.get(SHOP)
    assert found is not None
    assert found.status == {}


async def test_put_of_an_existing_document_without_version_conflicts(store: Documents) -> None:
    stored = await store.put(shop(), if_version=None)
    with pytest.raises(VersionConflict, match="exists already"):
        await store.put(shop(spec={}), if_version=None)
    assert await store.get(SHOP) == stored


async def test_put_with_an_old_version_conflicts_and_changes_nothing(store: Documents) -> None:
    first = await store.put(shop(), if_version=None)
    second = await store.put(shop(meta={"a": "b"}), if_version=first.version)
    with pytest.raises(VersionConflict, match="was changed"):
        await store.put(shop(spec={}), if_version=first.version)
    assert await store.get(SHOP) == second


async def test_put_with_version_of_a_missing_document_conflicts(store: Documents) -> None:
    with pytest.raises(VersionConflict, match="was removed"):
        await store.put(shop(), if_version="1")
    assert await store.get(SHOP) is None


@pytest.mark.parametrize(
    ("spec", "generation"),
    [
        pytest.param({"a": 1, "b": 2}, 1, id="same"),
        pytest.param({"b": 2, "a": 1}, 1, id="same in another order"),
        pytest.param({"a": 1}, 2, id="less"),
        pytest.param({"a": True, "b": 2}, 2, id="true is not one"),
        pytest.param({"a": 1.0, "b": 2}, 2, id="a fraction is not a whole number"),
    ],
)
async def test_put_raises_the_generation_only_when_the_spec_differs(
    store: Documents, spec: dict[str, Any], generation: int
) -> None:
    first = await store.put(shop(spec={"a": 1, "b": 2}), if_version=None)
    second = await store.put(shop(spec=spec, meta={"m": 1}), if_version=first.version)
    assert second.generation == generation
    assert second.version != first.version


async def test_put_keeps_the_status(store: Documents) -> None:
    first = await store.put(shop(), if_version=None)
    second = await store.put_status(replace(first, status={"phase": "Running"}), if_version=first.version)
    third = await store.put(replace(second, spec={}, status={"phase": "Lies"}), if_version=second.version)
    assert third.status == {"phase": "Running"}
    assert third.generation == 2


async def test_put_status_keeps_everything_else(store: Documents) -> None:
    first = await store.put(shop(meta={"m": 1}), if_version=None)
    lies = replace(first, status={"phase": "Running"}, spec={}, meta={}, generation=9, deleted_at=datetime.now(UTC))
    second = await store.put_status(lies, if_version=first.version)
    assert second == replace(first, status={"phase": "Running"}, version=second.version)
    assert second.version != first.version
    assert await store.get(SHOP) == second


async def test_put_status_with_an_old_version_conflicts(store: Documents) -> None:
    first = await store.put(shop(), if_version=None)
    second = await store.put_status(replace(first, status={"n": 1}), if_version=first.version)
    with pytest.raises(VersionConflict):
        await store.put_status(replace(first, status={"n": 2}), if_version=first.version)
    assert await store.get(SHOP) == second


async def test_put_status_of_a_missing_document_conflicts(store: Documents) -> None:
    with pytest.raises(VersionConflict, match="was removed"):
        await store.put_status(shop(), if_version="1")


async def test_write_by_who_knows_another_id_conflicts(store: Documents) -> None:
    first = await store.put(shop(), if_version=None)
    with pytest.raises(VersionConflict, match="created again"):
        await store.put(shop(id="id-2"), if_version=first.version)
    with pytest.raises(VersionConflict, match="created again"):
        await store.put_status(shop(id="id-2"), if_version=first.version)


async def test_delete_removes_only_what_is_named(store: Documents) -> None:
    first = await store.put(shop(), if_version=None)
    other = await store.put(Document(WIKI, "id-2"), if_version=None)
    await store.delete(SHOP, if_version=first.version)
    assert await store.get(SHOP) is None
    assert await store.list() == [other]


@pytest.mark.parametrize("exists", [pytest.param(True, id="old version"), pytest.param(False, id="gone")])
async def test_delete_of_something_else_conflicts(store: Documents, exists: bool) -> None:
    first = await store.put(shop(), if_version=None)
    if exists:
        await store.put(shop(meta={"a": 1}), if_version=first.version)
    else:
        await store.delete(SHOP, if_version=first.version)
    with pytest.raises(VersionConflict):
        await store.delete(SHOP, if_version=first.version)


async def test_version_is_never_used_again_after_delete_and_create(store: Documents) -> None:
    first = await store.put(shop(), if_version=None)
    await store.delete(SHOP, if_version=first.version)
    again = await store.put(shop(), if_version=None)
    assert again.generation == 1
    with pytest.raises(VersionConflict):
        await store.put(shop(spec={}), if_version=first.version)


async def test_list_gives_one_kind_or_all_in_order(store: Documents) -> None:
    for ref in (WIKI, SHOP, MAIN):
        await store.put(Document(ref, f"id-{ref.name}"), if_version=None)
    assert [doc.ref for doc in await store.list("OdooInstance")] == [SHOP, WIKI]
    assert [doc.ref for doc in await store.list()] == [MAIN, SHOP, WIKI]
    assert list(await store.list("Nothing")) == []


def operation(
    name: str, instance: str, *, namespace: str = "default", kind: str = "OdooOperation", **meta: Any
) -> Document:
    """A document that asks something of an instance."""
    return Document(Ref(kind, namespace, name), f"id-{name}", meta=meta, spec={"instanceRef": {"name": instance}})


async def test_list_gives_what_one_owner_has_and_nothing_of_others(store: Documents) -> None:
    given = (
        operation("stop", "shop"),
        operation("up", "shop", kind="OdooUpgradeJob"),
        operation("other", "wiki"),
        operation("elsewhere", "shop", namespace="team"),
        Document(MAIN, "id-main", meta={"owner": str(SHOP)}),
        shop(),
    )
    for one in given:
        await store.put(one, if_version=None)
    assert [doc.ref.name for doc in await store.list(owner=SHOP)] == [MAIN.name, "stop", "up"]
    assert [doc.ref.name for doc in await store.list("OdooUpgradeJob", owner=SHOP)] == ["up"]
    assert [doc.ref.namespace for doc in await store.list(owner=Ref("OdooInstance", "team", "shop"))] == ["team"]
    assert list(await store.list(owner=Ref("OdooInstance", "default", "nobody"))) == []
    assert len(await store.list()) == len(given)


async def test_owner_follows_what_is_written_and_stays_through_a_status(store: Documents) -> None:
    first = await store.put(operation("stop", "shop"), if_version=None)
    second = await store.put_status(replace(first, status={"phase": "Running"}), if_version=first.version)
    assert [doc.status for doc in await store.list(owner=SHOP)] == [{"phase": "Running"}]
    await store.put(replace(second, spec={"instanceRef": {"name": "wiki"}}), if_version=second.version)
    assert list(await store.list(owner=SHOP)) == []
    assert [doc.ref.name for doc in await store.list(owner=WIKI)] == ["stop"]


@pytest.mark.parametrize(
    ("meta", "spec", "owner"),
    [
        pytest.param({}, {}, "", id="nobody's"),
        pytest.param(
            {"owner": "OdooInstance shop"}, {"instanceRef": {"name": "wiki"}}, "OdooInstance shop", id="meta first"
        ),
        pytest.param({"owner": 5}, {"instanceRef": {"name": 5}}, "", id="neither is a name"),
        pytest.param({}, {"instanceRef": {"kind": "Odoo", "name": "shop"}}, "Odoo shop", id="another kind"),
    ],
)
def test_owner_of_a_document(meta: dict[str, Any], spec: dict[str, Any], owner: str) -> None:
    assert owner_of(Document(SHOP, "id", meta=meta, spec=spec)) == owner


async def test_returned_document_changed_by_the_caller_leaves_the_store_alone(store: Documents) -> None:
    stored = await store.put(shop(spec={"list": [1]}), if_version=None)
    cast("dict[str, Any]", stored.spec)["list"].append(2)
    found = await store.get(SHOP)
    assert found is not None
    cast("dict[str, Any]", found.spec)["list"].append(3)
    again = await store.get(SHOP)
    assert again is not None
    assert again.spec == {"list": [1]}


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}], ids=["object", "nan", "set"])
async def test_put_of_what_is_no_json_raises_and_stores_nothing(store: Documents, value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        await store.put(shop(spec={"a": value}), if_version=None)
    assert await store.get(SHOP) is None
    assert (await store.put(shop(), if_version=None)).generation == 1


async def test_put_by_many_at_once_lets_one_through_per_version(store: Documents) -> None:
    first = await store.put(shop(), if_version=None)
    outcomes = await asyncio.gather(
        *(store.put(shop(spec={"writer": n}), if_version=first.version) for n in range(10)), return_exceptions=True
    )
    winners = [outcome for outcome in outcomes if isinstance(outcome, Document)]
    assert len(winners) == 1
    assert sum(isinstance(outcome, VersionConflict) for outcome in outcomes) == 9
    assert await store.get(SHOP) == winners[0]


async def test_changes_names_first_all_then_what_is_written_or_removed(store: Documents) -> None:
    first = await store.put(shop(), if_version=None)
    async with aclosing(cast("Any", store.changes())) as changes, asyncio.timeout(10):
        assert await anext(changes) == SHOP
        await store.put(Document(WIKI, "id-2"), if_version=None)
        assert await anext(changes) == WIKI
        second = await store.put_status(replace(first, status={"n": 1}), if_version=first.version)
        assert await anext(changes) == SHOP
        await store.delete(SHOP, if_version=second.version)
        assert await anext(changes) == SHOP


async def test_changes_has_one_stream_for_each_who_asks(store: Documents) -> None:
    async with (
        aclosing(cast("Any", store.changes())) as one,
        aclosing(cast("Any", store.changes())) as two,
        asyncio.timeout(10),
    ):
        waiting = [asyncio.ensure_future(anext(one)), asyncio.ensure_future(anext(two))]
        await asyncio.sleep(0)
        await store.put(shop(), if_version=None)
        assert await asyncio.gather(*waiting) == [SHOP, SHOP]


class TestJournal:
    """The journal, over every store."""

    async def test_append_keeps_order_and_the_rest_of_the_status(self, store: Documents) -> None:
        doc = await store.put(shop(), if_version=None)
        await store.put_status(replace(doc, status={"phase": "Running"}), if_version=doc.version)
        journal = Journal(store)
        assert await journal.load(SHOP) == ()
        await journal.append(SHOP, {"step": "a"}, expect=0)
        last = await journal.append(SHOP, {"step": "b"}, expect=1)
        assert await journal.load(SHOP) == ({"step": "a"}, {"step": "b"})
        assert last == await store.get(SHOP)
        assert last.status["phase"] == "Running"
        assert last.generation == 1

    @pytest.mark.parametrize("expect", [0, 2], ids=["too few", "too many"])
    async def test_append_with_another_length_conflicts_and_appends_nothing(
        self, store: Documents, expect: int
    ) -> None:
        await store.put(shop(), if_version=None)
        journal = Journal(store)
        await journal.append(SHOP, {"step": "a"}, expect=0)
        with pytest.raises(JournalConflict, match="1 records"):
            await journal.append(SHOP, {"step": "b"}, expect=expect)
        assert await journal.load(SHOP) == ({"step": "a"},)

    async def test_append_by_two_who_know_the_same_lets_one_through(self, store: Documents) -> None:
        await store.put(shop(), if_version=None)
        journals = [Journal(store), Journal(store)]
        for expect in range(20):
            outcomes = await asyncio.gather(
                *(journal.append(SHOP, {"by": n}, expect=expect) for n, journal in enumerate(journals)),
                return_exceptions=True,
            )
            assert sum(isinstance(outcome, JournalConflict) for outcome in outcomes) == 1
            assert len(await journals[0].load(SHOP)) == expect + 1

    async def test_journal_of_a_missing_operation_says_so(self, store: Documents) -> None:
        with pytest.raises(OperationGone):
            await Journal(store).load(SHOP)
        with pytest.raises(OperationGone):
            await Journal(store).append(SHOP, {}, expect=0)
