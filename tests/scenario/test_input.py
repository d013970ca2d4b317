# SPDX-License-Identifier: Apache-2.0
"""Manifests that control refuses: every fault at once, each with the name of the field, and nothing changed."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from mooring.api.errors import ManifestError
from mooring.control.accept import accept_manifests
from mooring.control.errors import (
    FieldUnsupported,
    ForeignData,
    ImmutableField,
    SeriesMismatch,
    SharedResource,
    UnknownInstance,
    UnknownServer,
)
from mooring.domain.model.identity import Identity, Ref, child
from mooring.domain.model.secret import SecretRef
from mooring.drivers.secret_store import EmptySecret, MissingSecret
from mooring.errors import MooringError, SeveralErrors
from mooring.targets.base import Capabilities
from mooring.targets.errors import Foreign, ImageNotFound
from tests.scenario.data import Database, Postgres, Role
from tests.scenario.world import SHOP, World, instance, manifest

Data = dict[str, Any]
OTHER = {"host": "db.example.com", "secretRef": {"name": "mydb"}}
MINE = {"host": "mine.example.com", "secretRef": {"name": "mine"}}


async def everything(world: World) -> tuple[object, ...]:
    """What must not change: documents, secrets, the world."""
    return (
        await world.documents.list(),
        {ref: sorted(keys) for ref, keys in world.secrets.values.items()},
        list(world.sim.effects),
    )


async def refuse(world: World, kind: type[MooringError], *manifests: Data) -> str:
    """Apply and be refused with nothing changed; all that the error says."""
    before = await everything(world)
    with pytest.raises(MooringError) as caught:
        await world.apply(*manifests)
    assert await everything(world) == before
    return words(caught.value, kind)


def words(error: MooringError, kind: type[MooringError]) -> str:
    """All that an error says, which has to be of this kind, or to hold one of it."""
    found = error.errors if isinstance(error, SeveralErrors) else (error,)
    assert any(isinstance(one, kind) for one in found), error
    assert all(one.resolution for one in found)
    return "\n".join(f"{one.brief}\n{one.details}" for one in found)


UNSUPPORTED: Mapping[str, Data] = {
    "spec.git": {
        **instance(),
        "spec": {"git": {"repository": "https://git.example.com/shop.git", "ref": "main"}},
    },
    "spec.maintenance": instance(maintenance={"approval": "required"}),
    "spec.metrics": instance(metrics={"enabled": True}),
    "spec.readOnlySqlAccess": instance(readOnlySqlAccess={"enabled": True}),
    "names no port": instance(stagingOf={"name": "blog"}, neutralize={"allowEgress": ["api.example.com"]}),
    "spec.networkPolicy": instance(networkPolicy={"enabled": False}),
    "filestoreMethod": manifest(
        "OdooStagingRefreshJob", "one", instanceRef={"name": "shop"}, filestoreMethod="snapshot"
    ),
    "cloudNativePG": manifest("DatabaseServer", "pg", cloudNativePG={"cluster": "main"}),
}


@pytest.mark.parametrize(("word", "given"), UNSUPPORTED.items(), ids=UNSUPPORTED.keys())
async def test_manifest_with_what_nobody_carries_out_yet_is_refused_by_name(
    shop: World, word: str, given: Data
) -> None:
    said = await refuse(shop, FieldUnsupported, given)
    assert word.removeprefix("spec.") in said


async def test_manifest_with_several_faults_names_them_all(shop: World) -> None:
    given = instance("blog", metrics={"enabled": True}, maintenance={"approval": "required"})
    said = await refuse(shop, FieldUnsupported, given, UNSUPPORTED["filestoreMethod"])
    assert all(word in said for word in ("metrics", "maintenance", "filestoreMethod"))


async def test_field_that_the_target_cannot_honour_is_refused_by_name(shop: World) -> None:
    services = shop.life()
    assert shop.target is not None
    capabilities = Capabilities("sim", unsupported_fields=frozenset({"nodeSelector", "extraEnv"}))
    shop.target.capabilities = capabilities
    from mooring.api.loader import load_resource

    given = load_resource(instance(nodeSelector={"disk": "fast"}), source="test")
    with pytest.raises(FieldUnsupported, match=r"spec\.nodeSelector: the target sim cannot honour it"):
        await accept_manifests(services, [given])


IMMUTABLE: Mapping[str, tuple[Data, Data]] = {
    "database.name, set": ({"database": {"name": "one"}}, {"database": {"name": "two"}}),
    "database.name, given later": ({}, {"database": {"name": "two"}}),
    "database.server": ({}, {"database": {"server": "main"}}),
    "database.external": ({}, {"database": {"external": OTHER}}),
    "database.external.host": (
        {"database": {"external": MINE}},
        {"database": {"external": {**MINE, "host": "other.example.com"}}},
    ),
    "database.external.port": ({"database": {"external": MINE}}, {"database": {"external": {**MINE, "port": 5433}}}),
    "database.managed": ({}, {"database": {"managed": {}}}),
    "database.managed.version": (
        {"database": {"managed": {"version": 16}}},
        {"database": {"managed": {"version": 17}}},
    ),
    "database.managed.storageSize": (
        {"database": {"managed": {"storageSize": "20Gi"}}},
        {"database": {"managed": {"storageSize": "10Gi"}}},
    ),
    "filestore.storageSize": (
        {"filestore": {"storageSize": "20Gi"}},
        {"filestore": {"storageSize": "10Gi"}},
    ),
}


@pytest.mark.parametrize(("name", "specs"), IMMUTABLE.items(), ids=IMMUTABLE.keys())
async def test_change_that_cannot_be_made_is_refused_by_name(world: World, name: str, specs: tuple[Data, Data]) -> None:
    before, after = specs
    world.secrets.put(SecretRef("default", "mine"), user="me", password="pw", dbname="mine")
    world.machine.external["mine.example.com"] = Postgres({"mine": Database("me")}, {"me": Role(None, "pw")})
    await world.bring_up(instance(**before))
    said = await refuse(world, ImmutableField, instance(**after))
    assert name.partition(",")[0] in said
    assert await world.rest() is None
    await world.check_rest()


async def test_external_database_under_another_address_is_taken_back_only_if_it_is_the_instances_own(
    world: World,
) -> None:
    moved = {**MINE, "host": "other.example.com"}
    world.secrets.put(SecretRef("default", "mine"), user="me", password="pw", dbname="mine")
    server = world.machine.external["mine.example.com"] = Postgres({"mine": Database("me")}, {"me": Role(None, "pw")})
    await world.bring_up(instance(database={"external": MINE}))
    await world.delete()
    assert (await world.drive()).gone

    strange = copy.deepcopy(server)
    found = strange.databases["mine"].mark
    assert found is not None
    strange.databases["mine"].mark = replace(found, instance="another")
    world.machine.external["other.example.com"] = strange
    await world.apply(instance(database={"external": moved}))
    error = await world.rest()
    assert error is not None
    assert "belongs to instance another" in str(error)
    assert not world.sim.running(SHOP)

    empty = Postgres({"mine": Database("me")}, {"me": Role(None, "pw")})
    world.machine.external["other.example.com"] = empty
    error = await world.rest()
    assert "holds no Odoo" in str(error)
    assert empty.databases["mine"].mark is None
    assert not world.sim.running(SHOP)

    world.machine.external["other.example.com"] = server
    assert await world.rest() is None
    await world.check_rest()
    assert [one.type.value for one in await world.operations() if one.phase == "Succeeded"] == ["Provision"]


RETURNS: Mapping[str, Data] = {
    "a server of its own": {"database": {"managed": {"version": 17}}},
    "a database of another name": {"database": {"name": "two"}},
}


@pytest.mark.parametrize("spec", RETURNS.values(), ids=RETURNS.keys())
async def test_instance_that_comes_back_to_a_place_without_its_data_is_refused_and_makes_nothing_there(
    shop: World, spec: Data
) -> None:
    await shop.passes(3)
    await shop.delete()
    assert (await shop.drive()).gone
    before = [sorted(one.databases) for one in shop.machine.servers()]
    await shop.apply(instance(**spec))
    error = await shop.rest()
    assert "data was retained" in str(error)
    assert not shop.sim.running(SHOP)
    assert [one for one in [sorted(one.databases) for one in shop.machine.servers()] if one] == before

    await shop.apply(instance())
    assert await shop.rest() is None
    await shop.check_rest()
    await shop.check_nothing_lost()


async def test_name_of_the_database_given_as_it_is_is_no_change(shop: World) -> None:
    name = next(name for name, one in shop.machine.servers()[0].databases.items() if one.mark)
    await shop.apply(instance(database={"name": name}))
    assert await shop.rest() is None


async def test_change_before_there_is_data_is_taken(world: World) -> None:
    await world.apply(instance(database={"name": "one"}, filestore={"storageSize": "20Gi"}))
    await world.apply(instance(database={"name": "two"}, filestore={"storageSize": "10Gi"}))
    assert await world.rest() is None
    assert "two" in world.machine.servers()[0].databases


SHARED: Mapping[str, tuple[Data, Data]] = {
    "the host shop.example.com": (
        instance("shop", ingress={"hosts": ["shop.example.com"]}),
        instance("blog", ingress={"hosts": ["blog.example.com", "SHOP.example.com"]}),
    ),
    "the port 18070": (instance("shop", service={"port": 18070}), instance("blog", service={"port": 18070})),
    "the database": (instance("shop", database={"name": "one"}), instance("blog", database={"name": "one"})),
    "the host far.example.com": (
        instance("shop", ingress={"hosts": ["far.example.com"]}),
        instance("shop", namespace="team", ingress={"hosts": ["far.example.com"]}),
    ),
    "the database db.example.com:5432/one": (
        instance("shop", database={"name": "one", "external": OTHER}),
        instance("shop", namespace="team", database={"name": "one", "external": OTHER}),
    ),
}


@pytest.mark.parametrize("together", [True, False], ids=["one file", "two files"])
@pytest.mark.parametrize(("what", "pair"), SHARED.items(), ids=SHARED.keys())
async def test_two_instances_that_would_share_something_are_refused(
    world: World, what: str, pair: tuple[Data, Data], *, together: bool
) -> None:
    first, second = pair
    for namespace in ("default", "team"):
        world.secrets.put(SecretRef(namespace, "mydb"), user="odoo", password="hush")
    if not together:
        await world.apply(first)
    if together:  # one file is checked where it is read, with line and column
        said = await refuse(world, ManifestError, first, second)
        assert "is taken by the document with line 1" in said
    else:
        said = await refuse(world, SharedResource, second)
        assert what in said
        assert "OdooInstance" in said


async def test_hosts_exchanged_between_two_instances_in_one_file_are_taken(world: World) -> None:
    await world.apply(
        instance("shop", ingress={"hosts": ["a.example.com"]}), instance("blog", ingress={"hosts": ["b.example.com"]})
    )
    written = await world.apply(
        instance("shop", ingress={"hosts": ["b.example.com"]}), instance("blog", ingress={"hosts": ["a.example.com"]})
    )
    assert [one.change for one in written] == ["changed", "changed"]


async def test_operation_for_an_unknown_instance_is_refused(shop: World) -> None:
    given = manifest("OdooOperation", "one", instanceRef={"name": "nobody"}, type="Stop")
    assert "nobody" in await refuse(shop, UnknownInstance, given)


async def test_operation_for_an_instance_of_the_same_file_is_taken(world: World) -> None:
    given = manifest("OdooOperation", "one", instanceRef={"name": "shop"}, type="Stop")
    assert [one.change for one in await world.apply(given, instance())] == ["created", "created"]


async def test_operation_changed_after_it_was_accepted_is_refused(shop: World) -> None:
    given = manifest("OdooOperation", "one", instanceRef={"name": "shop"}, type="Stop")
    await shop.apply(given)
    assert [one.change for one in await shop.apply(given)] == ["unchanged"]
    await refuse(shop, ImmutableField, {**given, "spec": {"instanceRef": {"name": "shop"}, "type": "Start"}})


async def test_instance_that_is_being_deleted_is_not_changed(shop: World) -> None:
    await shop.delete()
    await refuse(shop, SharedResource, instance(replicas=2))


async def test_server_that_belongs_to_an_instance_is_not_changed_directly(world: World) -> None:
    await world.bring_up(instance(database={"managed": {"version": 16}}))
    said = await refuse(world, ImmutableField, manifest("DatabaseServer", "shop", managed={"version": 16}))
    assert "belongs to" in said


async def test_volume_of_another_installation_is_not_taken(world: World) -> None:
    world.sim.add_stranger("volume", child(SHOP, "filestore"), SHOP)
    await refuse(world, ForeignData, instance())
    volume = world.sim.volumes[child(SHOP, "filestore")]
    volume.identity, volume.role = Identity("elsewhere", "x"), "filestore"
    await refuse(world, ForeignData, instance())


async def test_container_of_another_installation_is_not_taken(shop: World) -> None:
    box = shop.sim.containers[f"{child(SHOP, 'web')}-0"]
    box.identity = Identity("elsewhere", "x")
    shop.machine.writing = False
    error = await shop.rest()
    assert isinstance(error, Foreign)
    assert box.name in shop.sim.containers


async def test_one_fault_in_a_file_writes_nothing_of_it(world: World) -> None:
    await refuse(world, FieldUnsupported, instance("shop"), instance("blog", metrics={"enabled": True}))
    assert not await world.documents.list("OdooInstance")


async def test_dry_run_writes_nothing(shop: World) -> None:
    from mooring.api.loader import load_resource

    before = await everything(shop)
    given = [load_resource(instance(name, replicas=2), source="test") for name in ("shop", "blog")]
    written = await accept_manifests(shop.life(), given, dry_run=True)
    assert [one.change for one in written] == ["changed", "created"]
    assert await everything(shop) == before


# What is found out later: an error that says what to do, an instance that waits, nothing lost


LATER: Mapping[str, tuple[Data, type[MooringError], str]] = {
    "version against image": ({"version": "15.0"}, SeriesMismatch, "15.0"),
    "image that does not exist": ({"image": "odoo:gone"}, ImageNotFound, "odoo:gone"),
    "image that is no Odoo": ({"image": "nothing:1"}, MooringError, "no release of Odoo"),
}
FORESEEN: Mapping[str, tuple[Data, type[MooringError], str]] = {
    "unknown server": ({"database": {"server": "main"}}, UnknownServer, "main"),
    "missing secret": ({"adminPasswordSecretRef": {"name": "gone", "key": "x"}}, MissingSecret, "gone"),
    "empty secret": ({"adminPasswordSecretRef": {"name": "empty", "key": "x"}}, EmptySecret, "empty"),
    "missing secret of an external server": ({"database": {"external": OTHER}}, MissingSecret, "mydb"),
    "option that breaks a safety rule": ({"configOptions": {"list_db": True}}, MooringError, "list_db"),
    "processes that do not fit": ({"workers": 64, "resources": {"memory": "1Gi"}}, MooringError, "memory"),
}


@pytest.mark.parametrize(("spec", "kind", "word"), LATER.values(), ids=LATER.keys())
async def test_new_instance_that_cannot_be_carried_out_says_so_and_starts_nothing(
    world: World, spec: Data, kind: type[MooringError], word: str
) -> None:
    world.secrets.put(SecretRef("default", "empty"), x="")
    await world.apply(instance(**spec))
    error = await world.rest()
    assert isinstance(error, kind)
    assert word in f"{error.brief} {error.details}"
    assert error.resolution
    assert (await world.doc()).status["problem"]["code"] == error.code
    assert not world.sim.running(SHOP)
    assert not world.machine.started
    await world.apply(instance())
    assert await world.rest() is None
    await world.check_rest()


@pytest.mark.parametrize(("spec", "kind", "word"), FORESEEN.values(), ids=FORESEEN.keys())
async def test_what_the_first_pass_would_refuse_is_not_written(
    world: World, spec: Data, kind: type[MooringError], word: str
) -> None:
    world.secrets.put(SecretRef("default", "empty"), x="")
    await world.apply(instance())
    before = (await world.doc()).spec
    with pytest.raises(MooringError) as caught:
        await world.apply(instance(**spec))
    assert word in words(caught.value, kind)
    assert (await world.doc()).spec == before


async def test_faults_of_every_class_are_said_at_once(shop: World) -> None:
    external = {"host": "db.example.com", "secretRef": {"name": "nothere"}, "adminSecretRef": {"name": "neither"}}
    before = await everything(shop)
    with pytest.raises(SeveralErrors) as caught:
        await shop.apply(
            instance(filestore={"storageSize": "1Gi"}, configOptions={"list_db": True}, metrics={"enabled": True}),
            instance("blog", database={"external": external}, adminPasswordSecretRef={"name": "gone", "key": "x"}),
            instance("till", database={"server": "nowhere"}, service={"port": 18070}),
            instance("desk", workers=64, resources={"memory": "1Gi"}),
            manifest("OdooOperation", "one", instanceRef={"name": "nobody"}, type="Stop"),
        )
    said = "\n".join(f"{one.brief} {one.details}" for one in caught.value.errors)
    for word in ("metrics", "storageSize", "nobody", "list_db", "nothere", "neither", "gone", "nowhere", "memory"):
        assert word in said, word
    assert all(one.resolution for one in caught.value.errors)
    assert await everything(shop) == before


@pytest.mark.parametrize("name", [name for name in LATER if "server" not in name])
async def test_running_instance_that_is_changed_so_goes_on_as_it_was(shop: World, name: str) -> None:
    spec, kind, word = LATER[name]
    shop.secrets.put(SecretRef("default", "empty"), x="")
    before = await shop.picture()
    await shop.apply(instance(**spec))
    error = await shop.rest()
    assert isinstance(error, kind)
    assert word in f"{error.brief} {error.details}"
    assert replace(await shop.picture(), phase="") == replace(before, phase="")
    await shop.apply(instance())
    assert await shop.rest() is None
    await shop.check_rest()
    await shop.check_nothing_lost()


async def test_secret_that_is_gone_while_it_runs_stops_nothing(shop: World) -> None:
    shop.secrets.put(SecretRef("default", "mine"), x="master")
    await shop.apply(instance(adminPasswordSecretRef={"name": "mine", "key": "x"}))
    assert await shop.rest() is None
    del shop.secrets.values[SecretRef("default", "mine")]
    assert isinstance(await shop.rest(), MissingSecret)
    assert shop.running("web") == 1
    await shop.delete()
    assert (await shop.drive()).gone


async def test_namespaces_keep_instances_of_one_name_apart(world: World) -> None:
    await world.bring_up(instance("shop"), instance("shop", namespace="team"))
    team = Ref("OdooInstance", "team", "shop")
    await world.check_rest(SHOP)
    await world.check_rest(team)
    assert (await world.doc(SHOP)).id != (await world.doc(team)).id
    assert len(world.machine.servers()) == 2


async def test_instance_whose_manifest_says_delete_goes_with_its_data(world: World) -> None:
    await world.bring_up(instance(deletionPolicy="Delete"))
    await world.delete()
    assert (await world.drive()).gone
    assert not [name for name in world.sim.volumes if name.startswith("shop")]


MAIN = manifest("DatabaseServer", "main", default=True, managed={})
SPARE = manifest("DatabaseServer", "spare", default=True, managed={})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param([MAIN], [SPARE], id="one after the other"),
        pytest.param([MAIN, manifest("DatabaseServer", "spare", managed={})], [SPARE], id="a change"),
        pytest.param([instance()], [MAIN], id="beside the one that Mooring made"),
    ],
)
async def test_second_default_server_of_a_namespace_is_refused(
    world: World, first: list[Data], second: list[Data]
) -> None:
    await world.bring_up(*first)
    said = await refuse(world, SharedResource, *second)
    other = "default" if first[0]["kind"] == "OdooInstance" else "main"
    assert f"DatabaseServer {second[0]['metadata']['name']} and DatabaseServer {other}" in said
    assert "default: true" in said


async def test_two_default_servers_of_one_file_are_refused(world: World) -> None:
    before = await everything(world)
    with pytest.raises(ManifestError, match="default server") as caught:
        await world.apply(MAIN, SPARE)
    assert [one.path for one in caught.value.faults] == ["spec.default"]
    assert await everything(world) == before


async def test_default_server_changes_hands_in_one_file_and_each_namespace_has_its_own(world: World) -> None:
    await world.apply(MAIN)
    await world.apply(manifest("DatabaseServer", "spare", namespace="other", default=True, managed={}))
    await world.apply(SPARE, manifest("DatabaseServer", "main", managed={}))
    found = {str(one.ref): one.spec.get("default") for one in await world.documents.list("DatabaseServer")}
    assert found == {
        "DatabaseServer main": None,
        "DatabaseServer spare": True,
        "DatabaseServer other/spare": True,
    }


async def test_default_server_that_is_applied_again_is_no_second_one(world: World) -> None:
    await world.apply(MAIN)
    assert [one.change for one in await world.apply(MAIN)] == ["unchanged"]
