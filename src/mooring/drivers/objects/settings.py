# SPDX-License-Identifier: Apache-2.0
"""Opens the object store that a URL names, with credentials from a folder of secret files and never from the environment.

Called by the engine's repository tasks, which get the settings in their document. It sends nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from obstore.store import AzureStore, GCSStore, S3Store

from mooring.domain.repository.endpoints import AUTO, FIRST_REGION, s3_base
from mooring.drivers.files import file_errors
from mooring.drivers.objects.errors import StoreCredentialsMissing, StoreUrlInvalid
from mooring.drivers.objects.folder import FolderObjects
from mooring.drivers.objects.remote import RemoteObjects
from mooring.drivers.objects.retry import Bandwidth, RetryPolicy
from mooring.drivers.objects.store import ObjectStore
from mooring.drivers.objects.writer import ObjectWriter

ACCESS_KEY_FILE = "accessKeyId"
SECRET_KEY_FILE = "secretAccessKey"  # noqa: S105 - the name of a file
SERVICE_ACCOUNT_FILE = "serviceAccountKey"
_CONNECT_TIMEOUT = "10s"
_READ_TIMEOUT = "60s"
_REQUEST_TIMEOUT = "600s"
# An object of 64 MiB over a line of 1 Mbit/s takes nine minutes.
_WRITE_TIMEOUT = "900s"


@dataclass(frozen=True)
class StoreSettings:
    """Where a repository is and how to reach it.

    Attributes:
        url: `s3://BUCKET/PREFIX`, `gs://…`, `az://CONTAINER/…`, `file:///FOLDER` or an absolute path.
        endpoint: base URL of a server that speaks S3 (or Azure's, or Google's protocol); None is the provider's own.
        region: `auto` asks the server, or takes what it needs.
        path_style: whether the bucket stands in the path; else in the host's name.
        ca_file: certificates in PEM that are trusted besides the system's.
        credentials: a folder with `accessKeyId` and `secretAccessKey` (Azure: the account and its key), for Google with
            `serviceAccountKey` (JSON); None sends unsigned requests.
        bandwidth: bytes a second, in both directions together; None is unlimited.
        retry: how long to insist on a request.
    """

    url: str
    endpoint: str | None = None
    region: str = AUTO
    path_style: bool = True
    ca_file: Path | None = None
    credentials: Path | None = None
    bandwidth: int | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)


def open_store(settings: StoreSettings) -> ObjectStore:
    """The store of the settings; nothing is sent.

    Raises:
        StoreUrlInvalid: the URL or the endpoint cannot be one.
        StoreCredentialsMissing: a file of the credentials is not there or empty.
        NotWritable: `ca_file` cannot be read.
    """
    bandwidth = Bandwidth(settings.bandwidth) if settings.bandwidth else None
    parts = urlsplit(settings.url)
    if settings.url.startswith("/") or parts.scheme == "file":
        path = Path(parts.path if parts.scheme == "file" else settings.url)
        if not path.is_absolute() or parts.netloc not in ("", "localhost"):
            raise StoreUrlInvalid(f"{settings.url} names no folder by an absolute path.")
        return FolderObjects(path, bandwidth=bandwidth)
    makers = {"s3": _s3, "gs": _gs, "az": _az, "azure": _az}
    if parts.scheme not in makers or not parts.netloc or parts.username or parts.query or parts.fragment:
        raise StoreUrlInvalid(f"{parts.scheme or settings.url}: not an address of a repository.")
    prefix = parts.path.strip("/")
    make = makers[parts.scheme]
    place = f"{parts.scheme}://{parts.netloc}" + (f"/{prefix}" if prefix else "")
    if settings.endpoint:
        place += f" ({settings.endpoint})"

    def both(region: str) -> tuple[Any, Any]:
        there = replace(settings, region=region)
        try:
            reads = make(
                there, parts.netloc, prefix, _client(settings, _REQUEST_TIMEOUT, read_timeout=_READ_TIMEOUT), _NO_RETRY
            )
            writes = make(there, parts.netloc, prefix, _client(settings, _WRITE_TIMEOUT, read_timeout=None), _NO_RETRY)
        except (ValueError, TypeError) as error:
            raise StoreUrlInvalid(f"{place} cannot be opened.", details=str(error)) from error
        return reads, writes

    def streams(region: str | None) -> Any:
        there = replace(settings, region=region or settings.region)
        client = _client(settings, _WRITE_TIMEOUT, read_timeout=None)
        return make(there, parts.netloc, prefix, client, {"max_retries": 10})

    reads, writes = both(settings.region)
    return RemoteObjects(
        reads,
        writes=writes,
        place=place,
        policy=settings.retry,
        bandwidth=bandwidth,
        streams=streams,
        relocate=both if parts.scheme == "s3" and settings.region == AUTO else None,
        signed_ranges=parts.scheme == "s3" and settings.credentials is not None,
        ca_file=settings.ca_file,
    )


def open_writer(settings: StoreSettings, key: str) -> ObjectWriter:
    """Begin one large object, which is there when the writer is closed.

    Raises:
        StoreUrlInvalid: the settings name a folder: a file is written as one.
        MooringError: see `open_store`; the store cannot be asked.
    """
    store = open_store(settings)
    if not isinstance(store, RemoteObjects):
        raise StoreUrlInvalid(f"{settings.url} is no object store.")
    return store.open_writer(key)


def _client(settings: StoreSettings, timeout: str, *, read_timeout: str | None) -> dict[str, Any]:
    options: dict[str, Any] = {
        "connect_timeout": _CONNECT_TIMEOUT,
        "timeout": timeout,
        "allow_http": (settings.endpoint or "").startswith("http://"),
        "user_agent": "mooring",
    }
    if read_timeout is not None:
        options["read_timeout"] = read_timeout
    if settings.ca_file is not None:
        with file_errors(settings.ca_file):
            options["root_certificate"] = settings.ca_file.read_bytes()
    return options


# `retry.insist` repeats, and counts; a second loop inside would multiply the pauses.
_NO_RETRY: dict[str, Any] = {"max_retries": 0}


def _s3(settings: StoreSettings, bucket: str, prefix: str, client: dict[str, Any], retry: dict[str, Any]) -> Any:

    region = FIRST_REGION if settings.region == AUTO and settings.endpoint is None else settings.region
    endpoint = s3_base(bucket, endpoint=settings.endpoint, region=region, path_style=settings.path_style)
    # What is named here is not taken from AWS_… variables of the environment.
    config: dict[str, Any] = {
        "endpoint": endpoint,
        "aws_endpoint_url_s3": endpoint,
        "region": region,
        "virtual_hosted_style_request": not settings.path_style,
        "unsigned_payload": False,
        "s3_express": False,
        "request_payer": False,
        "conditional_put": "etag",
        "skip_signature": settings.credentials is None,
    }
    provider = None
    if settings.credentials is not None:
        key, secret = _read(settings.credentials, ACCESS_KEY_FILE), _read(settings.credentials, SECRET_KEY_FILE)

        # A provider, since a session token of the environment would be mixed into plain keys.
        def provider() -> dict[str, Any]:
            return {"access_key_id": key, "secret_access_key": secret, "token": None, "expires_at": None}

    return S3Store(
        bucket,
        prefix=prefix or None,
        config=config,  # type: ignore[arg-type]
        client_options=client,  # type: ignore[arg-type]
        retry_config=retry,  # type: ignore[arg-type]
        credential_provider=provider,  # type: ignore[arg-type]
    )


def _gs(settings: StoreSettings, bucket: str, prefix: str, client: dict[str, Any], retry: dict[str, Any]) -> Any:
    config: dict[str, Any] = {"skip_signature": settings.credentials is None}
    if settings.credentials is not None:
        config["service_account_key"] = _read(settings.credentials, SERVICE_ACCOUNT_FILE)
    if settings.endpoint is not None:
        config["base_url"] = settings.endpoint
    return GCSStore(
        bucket,
        prefix=prefix or None,
        config=config,  # type: ignore[arg-type]
        client_options=client,  # type: ignore[arg-type]
        retry_config=retry,  # type: ignore[arg-type]
    )


def _az(settings: StoreSettings, container: str, prefix: str, client: dict[str, Any], retry: dict[str, Any]) -> Any:
    if settings.credentials is None:
        raise StoreCredentialsMissing("Azure's store needs credentials: the account's name as accessKeyId, its key.")
    config: dict[str, Any] = {
        "account_name": _read(settings.credentials, ACCESS_KEY_FILE),
        "account_key": _read(settings.credentials, SECRET_KEY_FILE),
        "skip_signature": False,
    }
    if settings.endpoint is not None:
        config["endpoint"] = settings.endpoint
    return AzureStore(
        container,
        prefix=prefix or None,
        config=config,  # type: ignore[arg-type]
        client_options=client,  # type: ignore[arg-type]
        retry_config=retry,  # type: ignore[arg-type]
    )


def _read(folder: Path, name: str) -> str:
    try:
        value = (folder / name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreCredentialsMissing(f"The secret for the store has no readable {name}.") from error
    if not value:
        raise StoreCredentialsMissing(f"The secret for the store has an empty {name}.")
    return value
