# SPDX-License-Identifier: Apache-2.0
"""Subjects for tests: a plain instance on a managed server, and changes to it."""

from __future__ import annotations

from typing import Any

from mooring.api.instance import OdooInstanceSpec
from mooring.domain.instance.ledger import Ledger
from mooring.domain.instance.subject import PinnedRelease, ServerAccess, Subject
from mooring.domain.instance.tasks import generated_secret
from mooring.domain.lifecycle import State
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.release import ReleaseFacts, ResolvedRelease
from mooring.domain.model.secret import SecretKey, SecretRef, version_name

SHOP = Ref("OdooInstance", "default", "shop")
SERVER = Ref("DatabaseServer", "default", "default")


def release(tag: str = "14.0", series: str = "14.0") -> PinnedRelease:
    """A release with the facts of Odoo's own image."""
    return PinnedRelease(
        ResolvedRelease(f"odoo:{tag}", f"odoo@sha256:{tag}", f"sha256:{tag}"),
        ReleaseFacts(series, 101, 101, "/usr/lib/python3/dist-packages/odoo/addons", "/usr/bin/odoo", "3.9"),
    )


def managed() -> ServerAccess:
    """The default server."""
    return ServerAccess(
        SERVER, Identity("here", "server-1"), "default-database-0", admin=SecretRef("default", "default-superuser")
    )


def subject(
    *,
    server: ServerAccess | None = None,
    pinned: PinnedRelease | None = None,
    environment: str = "Production",
    volumes: tuple[str, ...] = (),
    folders: tuple[Any, ...] = (),
    more_versions: dict[str, str] | None = None,
    owner_secret: SecretRef | None = None,
    **spec: Any,
) -> Subject:
    """An instance `shop` with this spec, camelCase as in a manifest."""
    owner_secret = owner_secret or generated_secret(SHOP, "database")
    odoo = generated_secret(SHOP, "odoo")
    versions = {
        version_name(owner_secret, "password"): "v-owner",
        version_name(SecretRef("default", "default-superuser"), "password"): "v-admin",
        **(more_versions or {}),
    }
    return Subject(
        ref=SHOP,
        identity=Identity("here", "shop-1"),
        spec=OdooInstanceSpec.model_validate(spec),
        environment=environment,
        release=pinned or release(),
        server=server or managed(),
        database="default_shop",
        owner="default_shop",
        owner_secret=owner_secret,
        master_password=SecretKey(odoo, "master-password", "v-master"),
        admin_password=SecretKey(odoo, "admin-password", "v-user"),
        versions=versions,
        folders=folders,
        addon_volumes=volumes,
    )


def ledger(**given: Any) -> Ledger:
    """Of an instance that runs `release()`."""
    one = release()
    base: dict[str, Any] = {
        "state": State.RUNNING,
        "environment": "Production",
        "database": "default_shop",
        "provisioned": "DatabaseServer default/default_shop",
        "owner_version": "v-owner",
        "initialized": True,
        "wanted_source": one.release.source,
        "wanted": one.release.digest,
        "runs": one.release.digest,
        "releases": {one.release.digest: one},
    }
    return Ledger(**{**base, **given})
