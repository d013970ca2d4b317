# SPDX-License-Identifier: Apache-2.0
"""Finds the backup repository of an instance, with the slots of its secrets. Reads records and secrets, touches nothing."""

from __future__ import annotations

from dataclasses import replace

from mooring.api.common import Retention
from mooring.api.instance import OdooInstanceSpec
from mooring.api.meta import SecretKeyRef
from mooring.api.repository import BackupRepositorySpec
from mooring.control.errors import NamespaceNotAllowed, UnknownRepository
from mooring.control.servers import secret_ref
from mooring.control.services import Services
from mooring.domain.instance.repository import RepositoryAccess
from mooring.domain.instance.retention import keep_rule
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.secret import SecretKey, SecretRef
from mooring.domain.work.repository_work import InstanceRule, KeepRule

KIND = "BackupRepository"
CREDENTIALS = ("accessKeyId", "secretAccessKey")
SERVICE_ACCOUNT = ("serviceAccountKey",)


def credential_keys(url: str) -> tuple[str, ...]:
    """Keys of the Secret that a store's credentials are in: Google's has one of its own."""
    return SERVICE_ACCOUNT if url.startswith("gs://") else CREDENTIALS


async def find_repository(services: Services, namespace: str, name: str) -> RepositoryAccess:
    """The repository `name` as instances of `namespace` may use it: theirs, or one of another namespace that allows it.

    Raises:
        UnknownRepository: there is none of that name.
        NamespaceNotAllowed: it is of another namespace that does not serve this one.
        MissingSecret, EmptySecret: a secret that it names is not there.
    """
    found = await services.documents.get(Ref(KIND, namespace, name))
    if found is None:
        others = [one for one in await services.documents.list(KIND) if one.ref.name == name]
        for one in others:
            if {"*", namespace} & set(BackupRepositorySpec.model_validate(one.spec).allowed_namespaces):
                found = one
                break
        else:
            if others:
                raise NamespaceNotAllowed(f"{others[0].ref} does not serve the namespace {namespace}.")
            raise UnknownRepository(f"There is no BackupRepository {name} in the namespace {namespace}.")
    return await describe_repository(services, found.ref, found.id, BackupRepositorySpec.model_validate(found.spec))


async def describe_repository(
    services: Services, ref: Ref, doc_id: str, spec: BackupRepositorySpec
) -> RepositoryAccess:
    """The repository of this spec, whether a record of it is written or not.

    Args:
        ref: its name; secrets are of its namespace.
        doc_id: of its record.

    Raises:
        MissingSecret, EmptySecret: a secret that it names is not there.
    """
    home = ref.namespace

    async def chosen(given: SecretKeyRef | None) -> SecretKey | None:
        if given is None:
            return None
        if given.file is not None:
            return await find_slot(services, SecretRef(home, f"file:{given.file}"), "value")
        return await find_slot(services, SecretRef(home, given.name or ""), given.key or "")

    credentials: tuple[SecretKey, ...] = ()
    if spec.credentials_secret_ref is not None:
        secret = secret_ref(home, spec.credentials_secret_ref)
        credentials = tuple([await find_slot(services, secret, key) for key in credential_keys(spec.url)])
    return RepositoryAccess(
        ref=ref,
        identity=Identity(services.installation, doc_id),
        url=spec.url,
        client=services.installation,
        machine=services.machine,
        endpoint=spec.endpoint,
        region=spec.region,
        path_style=spec.path_style,
        credentials=credentials,
        ca=await chosen(spec.ca_secret_ref),
        passphrase=await chosen(spec.encryption.passphrase_secret_ref) if spec.encryption else None,
        share=spec.share_blobs.value,
        bandwidth_bytes_s=spec.bandwidth_limit.bytes if spec.bandwidth_limit else None,
        prune_host=spec.prune_host,
        retention=keep_rule(spec.retention, "UTC"),
    )


async def with_new_passphrase(services: Services, access: RepositoryAccess, secret: str, key: str) -> RepositoryAccess:
    """The same with a passphrase that is to be added, from a secret of the repository's namespace.

    Raises:
        MissingSecret, EmptySecret: it is not there.
    """
    slot = await find_slot(services, SecretRef(access.ref.namespace, secret), key)
    return replace(access, new_passphrase=slot)


async def retention_of(services: Services, ref: Ref) -> tuple[KeepRule, tuple[InstanceRule, ...]]:
    """The retention of a repository: its own rule, and those of the instances that have one."""
    doc = await services.documents.get(ref)
    default = BackupRepositorySpec.model_validate(doc.spec).retention if doc is not None else Retention()
    rules: list[InstanceRule] = []
    for one in await services.documents.list("OdooInstance"):
        backup = OdooInstanceSpec.model_validate(one.spec).backup
        if backup.repository == ref.name and (backup.retention is not None or backup.time_zone != "UTC"):
            rules.append(InstanceRule(one.id, keep_rule(backup.retention or default, backup.time_zone)))
    return keep_rule(default, "UTC"), tuple(rules)


async def find_slot(services: Services, ref: SecretRef, key: str) -> SecretKey:
    """The slot of a secret's value, as it is now.

    Raises:
        MissingSecret, EmptySecret: it is not there.
    """
    await services.secrets.value(SecretKey(ref, key))  # missing or empty is told now, not by a task
    return SecretKey(ref, key, await services.secrets.version(ref, key))
