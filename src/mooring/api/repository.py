# SPDX-License-Identifier: Apache-2.0
"""The kind `BackupRepository`: where snapshots are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from mooring.api.base import Broken, Model, RuledModel, described
from mooring.api.common import Retention
from mooring.api.enums import ShareBlobs
from mooring.api.meta import Resource, SecretKeyRef, SecretRef
from mooring.api.quantity import Size
from mooring.api.texts import AllowedNamespace, Flag, HttpUrl, Line, RepositoryUrl


class Encryption(Model):
    """Encryption before anything leaves the machine."""

    passphrase_secret_ref: SecretKeyRef = described(
        "The passphrase. Without it no backup can be read: keep a copy away from this machine."
    )


class BackupRepositorySpec(RuledModel):
    """Where and how snapshots are kept."""

    url: RepositoryUrl = described(
        "The place: `s3://BUCKET/FOLDER` (also for R2 and other stores with S3's interface), `gs://BUCKET/FOLDER`, "
        "`azure://CONTAINER/FOLDER` or `file:///FOLDER`."
    )
    endpoint: HttpUrl | None = Field(
        default=None, description="Address of the store's S3 interface. Left out: that of the url's provider."
    )
    region: Line = Field(default="auto", description="The store's region. `auto` asks the store.")
    path_style: Flag | None = Field(
        default=None,
        description="Whether the bucket stands in the path instead of the host name. Left out: as the endpoint needs.",
    )
    ca_secret_ref: SecretKeyRef | None = Field(
        default=None, description="Certificate (PEM) of the authority that signed the store's own, where it is private."
    )
    credentials_secret_ref: SecretRef | None = Field(
        default=None,
        description="Secret with the keys `accessKeyId` and `secretAccessKey` (Azure: the account and its key), for `gs://` "
        "`serviceAccountKey` (JSON). Left out: requests are not signed, as for a store that asks for no keys; the machine's "
        "own identity is not used.",
    )
    encryption: Encryption | None = Field(
        default=None, description="Encrypts snapshots before they leave the machine. Left out: they are not encrypted."
    )
    share_blobs: ShareBlobs = Field(
        default=ShareBlobs.NONE,
        description="Between whom a file is stored only once: each instance for itself (`none`), the instances of a "
        "namespace, or all. Who shares can find out whether another has a certain file.",
    )
    allowed_namespaces: tuple[AllowedNamespace, ...] = Field(
        default=(), description="Other namespaces whose instances may use it; `*` for all. Its own always may."
    )
    retention: Retention = Field(
        default_factory=Retention, description="Which snapshots stay, for instances that say nothing themselves."
    )
    prune_host: Line | None = Field(
        default=None,
        description="Name of the one machine, as `hostname` prints it, that removes what no snapshot needs, where several "
        "write to one repository in a store that cannot refuse to overwrite. Left out: the installation that made the "
        "repository.",
    )
    bandwidth_limit: Size | None = Field(
        default=None, description="Bytes a second for uploads and downloads, such as `10M`. Left out: no limit."
    )

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """A folder has no endpoint and no credentials."""
        url = given.get("url")
        if isinstance(url, str) and url.startswith("file:"):
            for name in ("endpoint", "credentials_secret_ref", "path_style", "ca_secret_ref"):
                if name in given:
                    yield Broken("a folder (file:///…) has none; leave it out", field=name)


class BackupRepository(Resource):
    """Where snapshots are kept."""

    kind: Literal["BackupRepository"] = Field(default="BackupRepository", description="What the document describes.")
    spec: BackupRepositorySpec = described("Where and how snapshots are kept.")
