# SPDX-License-Identifier: Apache-2.0
"""Finds the backup repository of an instance, with the slots of its secrets. Reads records and secrets, touches nothing."""

from __future__ import annotations

from mooring.api.meta import SecretKeyRef
from mooring.api.repository import BackupRepositorySpec
from mooring.control.errors import NamespaceNotAllowed, UnknownRepository
from mooring.control.servers import secret_ref
from mooring.control.services import Services
from mooring.domain.instance.repository import RepositoryAccess
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.secret import SecretKey, SecretRef

KIND = "BackupRepository"
CREDENTIALS = ("accessKeyId", "secretAccessKey")


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
    spec = BackupRepositorySpec.model_validate(found.spec)
    home = found.ref.namespace

    async def slot(ref: SecretRef, key: str) -> SecretKey:
        await services.secrets.value(SecretKey(ref, key))  # missing or empty is told now, not by a task
        return SecretKey(ref, key, await services.secrets.version(ref, key))

    async def chosen(given: SecretKeyRef | None) -> SecretKey | None:
        if given is None:
            return None
        if given.file is not None:
            return await slot(SecretRef(home, f"file:{given.file}"), "value")
        return await slot(SecretRef(home, given.name or ""), given.key or "")

    credentials: tuple[SecretKey, ...] = ()
    if spec.credentials_secret_ref is not None:
        ref = secret_ref(home, spec.credentials_secret_ref)
        credentials = tuple([await slot(ref, key) for key in CREDENTIALS])
    return RepositoryAccess(
        ref=found.ref,
        identity=Identity(services.installation, found.id),
        url=spec.url,
        client=services.installation,
        endpoint=spec.endpoint,
        region=spec.region,
        path_style=spec.path_style,
        credentials=credentials,
        ca=await chosen(spec.ca_secret_ref),
        passphrase=await chosen(spec.encryption.passphrase_secret_ref) if spec.encryption else None,
        share=spec.share_blobs.value,
        bandwidth_bytes_s=spec.bandwidth_limit.bytes if spec.bandwidth_limit else None,
        prune_host=spec.prune_host,
    )
