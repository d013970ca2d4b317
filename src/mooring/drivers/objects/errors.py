# SPDX-License-Identifier: Apache-2.0
"""What an object store can answer, in words of our own. Raised by `drivers.objects` only."""

from __future__ import annotations

from mooring.errors import ConflictError, FailedError, NotFoundError, Retry, UsageError


class StoreUnreachable(FailedError):
    """Nobody answers where the object store should be."""

    code = "MOOR-360"
    reason = "StoreUnreachable"
    retry = Retry.AFTER
    default_resolution = "Check `endpoint`, the name's DNS entry and the way out of the network, then run it again."


class StoreCredentialsRefused(FailedError):
    """The object store does not know the access key, or the secret key is not its own."""

    code = "MOOR-361"
    reason = "StoreCredentialsRefused"
    default_resolution = (
        "Put the right accessKeyId and secretAccessKey into the secret that `credentialsSecretRef` names."
    )


class BucketMissing(NotFoundError):
    """The bucket does not exist there."""

    code = "MOOR-362"
    reason = "BucketMissing"
    default_resolution = "Create the bucket, or correct `url`, `endpoint` or `region`: Mooring makes no buckets."


class StoreForbidden(FailedError):
    """The key is known, and may not do this."""

    code = "MOOR-363"
    reason = "StoreForbidden"
    default_resolution = "Give the key the right that is named, on this bucket and prefix."


class ObjectMissing(NotFoundError):
    """There is no object of that name."""

    code = "MOOR-364"
    reason = "ObjectGone"
    default_resolution = "Run `mooring repository check`: it names what is missing and which snapshots it hurts."


class ObjectExists(ConflictError):
    """An object of that name is there already, and was to be made."""

    code = "MOOR-365"
    reason = "ObjectExists"


class ObjectChanged(ConflictError):
    """Somebody wrote the object in between."""

    code = "MOOR-366"
    reason = "ObjectChanged"
    retry = Retry.NOW


class StoreTlsFailed(FailedError):
    """The store's certificate is not trusted, or it speaks no TLS."""

    code = "MOOR-367"
    reason = "StoreTlsFailed"
    default_resolution = "Name the authority's certificate with `caSecretRef`, or correct the scheme of `endpoint`."


class StoreFailed(FailedError):
    """The store kept failing, or answered what no store should."""

    code = "MOOR-368"
    reason = "StoreFailed"
    retry = Retry.AFTER
    default_resolution = "Read the store's own words in the details; look at its status page, then run it again."


class StoreUrlInvalid(UsageError):
    """The address of a repository cannot be one."""

    code = "MOOR-369"
    reason = "StoreUrlInvalid"
    default_resolution = (
        "Write s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX, file:///FOLDER or an absolute path."
    )


class StoreCredentialsMissing(NotFoundError):
    """The secret for the store lacks a key, or its file cannot be read."""

    code = "MOOR-370"
    reason = "StoreCredentialsMissing"
    default_resolution = "Write the key that is named into the secret of `credentialsSecretRef`."


class StoreRegionWrong(UsageError):
    """The bucket is in another region than `region` says."""

    code = "MOOR-371"
    reason = "StoreRegionWrong"
    default_resolution = "Set `region` to the one that is named, or to `auto`."
