# SPDX-License-Identifier: Apache-2.0
"""Builds the subject of an instance: what the decisions read, from documents, secrets and the pinned release."""

from __future__ import annotations

from pathlib import Path

from mooring.api.instance import OdooInstanceSpec
from mooring.api.meta import SecretKeyRef
from mooring.control.errors import AddonsMissing
from mooring.control.servers import Access, describe_access, secret_ref
from mooring.control.services import Services, ensure_passwords
from mooring.domain.instance.conf import render_odoo_conf
from mooring.domain.instance.environment import environment_of
from mooring.domain.instance.ledger import Ledger
from mooring.domain.instance.status import without_heartbeat
from mooring.domain.instance.subject import ADDONS_DIR, PinnedRelease, Subject
from mooring.domain.instance.tasks import generated_secret
from mooring.domain.model.desired import Folder
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.secret import SecretKey, SecretRef, version_name
from mooring.domain.postgres.names import default_database_name, default_role_name
from mooring.drivers.folders import folder_digest, module_names

MASTER = "master-password"
ADMIN = "admin-password"


async def build_subject(
    services: Services,
    ref: Ref,
    identity: Identity,
    spec: OdooInstanceSpec,
    ledger: Ledger,
    release: PinnedRelease,
    access: Access,
) -> Subject:
    """Everything decided about one instance so far; makes the secrets that Mooring generates.

    Raises:
        MissingSecret, EmptySecret: a secret that the manifest names is not there.
        AddonsMissing: a folder of add-ons is not there.
        FolderUnreadable: one is there, and may not be read by the user whom this process runs as.
    """
    external = spec.database.external
    if external is not None:
        owner_secret = secret_ref(ref.namespace, external.secret_ref)
        owner = (await services.secrets.value(SecretKey(owner_secret, "user"))).reveal()
        database = spec.database.name or (await services.secrets.value(SecretKey(owner_secret, "dbname"))).reveal()
    else:
        owner_secret = generated_secret(ref, "database")
        await ensure_passwords(services, owner_secret, {"password": None})
        owner = default_role_name(namespace=ref.namespace, name=ref.name)
        database = spec.database.name or default_database_name(namespace=ref.namespace, name=ref.name)
    named = external is not None or spec.database.name is not None
    generated = generated_secret(ref, "odoo")
    await ensure_passwords(services, generated, {MASTER: None})
    versions: dict[str, str] = {}

    async def slot(secret: SecretRef, key: str) -> SecretKey:
        version = await services.secrets.version(secret, key)
        versions[version_name(secret, key)] = version
        return SecretKey(secret, key, version)

    async def chosen(given: SecretKeyRef | None, key: str) -> SecretKey:
        if given is None:
            # Odoo's user gets a password once, at init (`ensure_admin_password`): made later, it would be one that Odoo
            # never got.
            return SecretKey(generated, key) if key == ADMIN else await slot(generated, key)
        if given.file is not None:
            return await slot(SecretRef(ref.namespace, f"file:{given.file}"), "value")
        return await slot(SecretRef(ref.namespace, given.name or ""), given.key or "")

    await slot(owner_secret, "password")
    if access.server.admin is not None:
        await slot(access.server.admin, "password")
    if access.server.root_certificate is not None:
        await slot(access.server.root_certificate, "sslrootcert")
    tls = spec.ingress.tls if spec.ingress else None
    if tls is not None and tls.secret_name:
        for key in ("tls.crt", "tls.key"):
            await slot(SecretRef(ref.namespace, tls.secret_name), key)
    return Subject(
        ref=ref,
        identity=identity,
        spec=without_heartbeat(spec),
        environment=ledger.environment or environment_of(spec),
        release=release,
        server=access.server,
        # Settled with the first data; an instance that comes back may name its database, and nothing is ignored.
        database=(ledger.database if ledger.provisioned or not named else "") or database,
        owner=owner,
        owner_secret=owner_secret,
        master_password=await chosen(spec.admin_password_secret_ref, MASTER),
        admin_password=await chosen(spec.init.admin_password_secret_ref, ADMIN),
        versions=versions,
        folders=_folders(spec),
        addon_volumes=tuple(addon.volume for addon in spec.addons if addon.volume is not None),
    )


async def ensure_admin_password(services: Services, subject: Subject) -> None:
    """Make the password that init gives to Odoo's user `admin`, where the manifest names none."""
    generated = generated_secret(subject.ref, "odoo")
    if subject.admin_password.ref == generated and subject.spec.init.admin_password_secret_ref is None:
        await ensure_passwords(services, generated, {ADMIN: None})


async def describe_subject(
    services: Services,
    ref: Ref,
    identity: Identity,
    spec: OdooInstanceSpec,
    ledger: Ledger,
    release: PinnedRelease,
    server: Ref | None,
) -> tuple[Subject, tuple[str, ...]]:
    """The subject as `plan` and `render` need it, without keeping a server in shape; with notes for the user."""
    found = await describe_access(services, ref, spec, server)
    subject = await build_subject(services, ref, identity, spec, ledger, release, found)
    return subject, render_odoo_conf(subject, "web").warnings


def _folders(spec: OdooInstanceSpec) -> tuple[Folder, ...]:
    folders: list[Folder] = []
    for number, addon in enumerate(spec.addons):
        if addon.path is None:
            continue
        source = Path(addon.path)
        if not module_names(source):
            what = "has no subfolder with an Odoo module" if source.is_dir() else "is no folder of this machine"
            raise AddonsMissing(f"addons[{number}].path: {source} {what}.")
        folders.append(Folder(f"{ADDONS_DIR}/{number}", str(source), folder_digest(source)))
    return tuple(folders)
