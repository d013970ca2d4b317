# SPDX-License-Identifier: Apache-2.0
"""Which one place a repository's tasks may reach."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mooring.domain.instance.repository import RepositoryAccess, repository_task
from mooring.domain.model.desired import Destination
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.repository.endpoints import decide_destination
from mooring.domain.work.repository_work import SnapshotList

ACCESS = RepositoryAccess(
    ref=Ref("BackupRepository", "default", "store"),
    identity=Identity("here", "1"),
    url="s3://bucket/folder",
    client="here",
    endpoint="https://s3.example.test:9000",
)


@pytest.mark.parametrize(
    ("url", "how", "expected"),
    [
        pytest.param("s3://b/x", {"endpoint": "https://S3.example.test"}, "s3.example.test:443", id="https"),
        pytest.param("s3://b/x", {"endpoint": "http://s3.example.test"}, "s3.example.test:80", id="http"),
        pytest.param("s3://b/x", {"endpoint": "http://minio:9000/s3"}, "minio:9000", id="port and path"),
        pytest.param(
            "s3://b/x", {"endpoint": "https://r2.test", "path_style": False}, "b.r2.test:443", id="bucket in the name"
        ),
        pytest.param("s3://b/x", {"region": "eu-west-3"}, "b.s3.eu-west-3.amazonaws.com:443", id="amazon, region"),
        pytest.param(
            "s3://b/x", {"region": "eu-west-3", "path_style": True}, "s3.eu-west-3.amazonaws.com:443", id="amazon, path"
        ),
        pytest.param("azure://c/x", {"endpoint": "https://a.blob.test"}, "a.blob.test:443", id="azure's endpoint"),
        pytest.param("s3://b/x", {}, None, id="amazon, the region is asked for"),
        pytest.param("azure://c/x", {}, None, id="azure, the account is a secret"),
        pytest.param("gs://b/x", {}, None, id="google"),
        pytest.param("gs://b/x", {"endpoint": "https://gs.test"}, None, id="google's endpoint"),
        pytest.param("file:///srv/nas", {}, None, id="folder"),
        pytest.param("s3://b/x", {"endpoint": "https://192.0.2.7:9000"}, None, id="address"),
        pytest.param("s3://b/x", {"endpoint": "https://[2001:db8::7]:9000"}, None, id="address of IPv6"),
        pytest.param("s3://b/x", {"endpoint": "https://192.519"}, None, id="address in another spelling"),
        pytest.param("s3://b/x", {"endpoint": "https://0x7f000001"}, None, id="address in hexadecimal digits"),
        pytest.param("s3://b/x", {"endpoint": "https://s3.test."}, None, id="name that ends in a dot"),
        pytest.param("s3://b/x", {"endpoint": "https://bücher.test"}, None, id="name beyond ASCII"),
        pytest.param("s3://b/x", {"endpoint": "https://s3.test:99999"}, None, id="no port"),
    ],
)
def test_store_is_reached_at_one_place_where_that_is_known_by_name(
    url: str, how: dict[str, object], expected: str | None
) -> None:
    found = decide_destination(url, **{"endpoint": None, **how})  # type: ignore[arg-type]  # any of its arguments
    assert (found and f"{found.host}:{found.port}") == expected


def spec(access: RepositoryAccess) -> tuple[bool, tuple[Destination, ...]]:
    """What a task of the repository may reach: everything, or what."""
    task = repository_task(access, "t", SnapshotList(access.settings()), deadline=timedelta(hours=1))
    return task.egress, task.allow


def test_task_of_a_repository_may_reach_its_store_alone() -> None:
    assert spec(ACCESS) == (False, (Destination("s3.example.test", 9000),))


@pytest.mark.parametrize("endpoint", [pytest.param(None, id="none"), pytest.param("http://192.0.2.7", id="address")])
def test_task_of_a_repository_whose_place_has_no_name_may_reach_the_world(endpoint: str | None) -> None:
    assert spec(replace(ACCESS, endpoint=endpoint)) == (True, ())


def test_task_of_a_repository_in_a_folder_reaches_nothing() -> None:
    assert spec(replace(ACCESS, url="file:///srv/nas", endpoint=None)) == (False, ())


def test_task_that_reaches_a_database_outside_reaches_that_and_the_store() -> None:
    task = repository_task(ACCESS, "t", SnapshotList(ACCESS.settings()), deadline=timedelta(hours=1))
    database = Destination("db.example.test", 5432)
    granted = ACCESS.grant(replace(task, allow=(database,)))
    assert granted.allow == (database, Destination("s3.example.test", 9000))
    assert ACCESS.grant(granted).allow == granted.allow
