# SPDX-License-Identifier: Apache-2.0
"""Instances as the decisions make them, for the tests of what is rendered."""

from __future__ import annotations

from typing import Any

from mooring.api.common import ManagedPostgres
from mooring.api.instance import OdooInstanceSpec
from mooring.domain.instance.desired import decide_desired
from mooring.domain.instance.subject import PinnedRelease, ServerAccess, Subject
from mooring.domain.lifecycle import State, output
from mooring.domain.model.desired import Desired, Folder
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.release import ReleaseFacts, ResolvedRelease
from mooring.domain.model.secret import SecretKey, SecretRef
from mooring.domain.operations.plan import NO_HOLD
from mooring.domain.server.desired import ServerSubject, decide_server, server_host, server_secret
from mooring.targets.docker.options import DockerOptions
from mooring.targets.docker.rendering import Stack, decide_stack

REF = Ref("OdooInstance", "default", "shop")
SERVER = Ref("DatabaseServer", "default", "default")
INSTALLATION = "installation1"
LOCAL = ResolvedRelease("odoo:14.0", "sha256:" + "a" * 64, "sha256:" + "a" * 64)
PULLED = ResolvedRelease("odoo:14.0", "sha256:" + "a" * 64, "sha256:" + "d" * 64)
POSTGRES = ResolvedRelease("postgres:17", "sha256:" + "b" * 64, "sha256:" + "e" * 64)
FACTS = ReleaseFacts("14.0", 101, 101, "/usr/lib/python3/dist-packages/odoo/addons", "/usr/bin/odoo", "3.9")
OPTIONS = DockerOptions()


def instance(
    *,
    release: ResolvedRelease = PULLED,
    server: Ref | None = SERVER,
    folders: tuple[Folder, ...] = (),
    environment: str = "Production",
    **spec: Any,
) -> Desired:
    """What is wanted of the instance `shop`; `spec` is in the manifest's words."""
    managed = ServerAccess(SERVER, Identity(INSTALLATION, "server1"), server_host(SERVER), admin=server_secret(SERVER))
    external = ServerAccess(None, None, "db.example.test", sslmode="require")
    subject = Subject(
        ref=REF,
        identity=Identity(INSTALLATION, "instance1"),
        spec=OdooInstanceSpec.model_validate(spec),
        environment=environment,
        release=PinnedRelease(release, FACTS),
        server=external if server is None else managed,
        database="default_shop",
        owner="default_shop",
        owner_secret=SecretRef("default", "shop-database"),
        master_password=SecretKey(SecretRef("default", "shop-odoo"), "master-password"),
        admin_password=SecretKey(SecretRef("default", "shop-odoo"), "admin-password"),
        folders=folders,
    )
    return decide_desired(subject, output(State.RUNNING), NO_HOLD)


def server() -> Desired:
    """What is wanted of the server `default`."""
    identity = Identity(INSTALLATION, "server1")
    password = SecretKey(server_secret(SERVER), "password")
    return decide_server(ServerSubject(SERVER, identity, ManagedPostgres(), POSTGRES, (999, 999), password))


def stack(*, managed: bool = True, **spec: Any) -> Stack:
    """The stack of the instance, published on 18069."""
    wanted = instance(server=SERVER if managed else None, **spec)
    return decide_stack(wanted, server() if managed else None, OPTIONS, ports={"http": 18069})


STACKS = {
    "plain": stack(),
    "replicas": stack(replicas=2, resources={"cpu": 2, "memory": "2Gi"}, release=LOCAL),
    "staging-hosts": stack(
        environment="Staging",
        ingress={"hosts": ["shop.example.test"], "tls": {"secretName": "shop-tls"}},
        folders=(Folder("/mnt/mooring-addons/0", "/srv/addons", "digest", 101, 101),),
    ),
    "external": stack(managed=False),
}
"""Golden stacks, by the name of their files."""
