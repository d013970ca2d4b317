# SPDX-License-Identifier: Apache-2.0
"""How a task is told of a repository: addresses and paths of secret files, never a secret. Part of other documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mooring.domain.work.codec import Shape


@dataclass(frozen=True)
class RepositorySettings(Shape):
    """A repository as a task finds it.

    Attributes:
        url: `s3://BUCKET/PREFIX`, `gs://…`, `azure://…`, or `file:///FOLDER` as the task sees it.
        endpoint: of the store; None for the provider's own.
        path_style: None leaves it to the endpoint.
        credentials_dir: folder with the files `accessKeyId` and `secretAccessKey`; None sends unsigned requests.
        ca_file: PEM of the authority that signed the store's certificate.
        passphrase_file: None for a repository without encryption.
        share: who shares blobs; with `namespace` that is `namespace` of the instance.
        bandwidth_bytes_s: bytes a second in each direction; None is no limit.
        cache_dir: folder for copies of the repository's tables, kept between tasks; None keeps nothing.
        client: id of the installation.
        machine: name of the machine that it is on.
        prune_host: the only one that may prune where the store cannot refuse a write, by the machine's name or the
            installation's id; None is the installation that made it.
    """

    url: str
    endpoint: str | None = None
    region: str = "auto"
    path_style: bool | None = None
    credentials_dir: str | None = None
    ca_file: str | None = None
    passphrase_file: str | None = None
    share: Literal["none", "namespace", "all"] = "none"
    bandwidth_bytes_s: int | None = None
    cache_dir: str | None = None
    client: str = ""
    machine: str = ""
    prune_host: str | None = None
