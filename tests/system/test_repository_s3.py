# SPDX-License-Identifier: Apache-2.0
"""The repository on real S3 servers: faults of the way there, rights, conditions, locks, and what errors say."""

from __future__ import annotations

import os
import random
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mooring.drivers.objects.errors import (
    BucketMissing,
    StoreCredentialsMissing,
    StoreCredentialsRefused,
    StoreFailed,
    StoreRegionWrong,
    StoreTlsFailed,
    StoreUnreachable,
    StoreUrlInvalid,
)
from mooring.drivers.objects.settings import StoreSettings, open_store
from mooring.drivers.objects.store import ObjectStore
from mooring.engine.repository.check import check_scope
from mooring.engine.repository.config import init_repository, read_config
from mooring.engine.repository.errors import PruneRefused
from mooring.engine.repository.ports import Cut
from mooring.engine.repository.prune import prune_scope
from mooring.engine.repository.repository import Repository, open_repository
from tests.support.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.support.gated_store import WatchedStore
from tests.support.repositories import SCOPE, manifest, office_file
from tests.support.s3_servers import S3Server, free_port, rclone_server, versity_server, write_credentials

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FILES = [office_file(seed, 200_000) for seed in range(30)]


@pytest.fixture
def rclone(tmp_path: Path) -> Iterator[S3Server]:
    with rclone_server(tmp_path) as server:
        yield server


@pytest.fixture
def proxy(rclone: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(rclone.port) as made:
        yield made


def made(store: ObjectStore) -> Repository:
    init_repository(store, passphrase=None, now=NOW)
    return open_repository(store, passphrase=None, cache=None)


def backup_and_read(repository: Repository) -> None:
    with repository.session(SCOPE) as session:
        refs = [session.write([file], cut=Cut.FIXED) for file in FILES]
        refs.append(session.write(FILES, cut=Cut.CONTENT))
        session.commit(lambda _: manifest(refs))
    with repository.reader(SCOPE) as reader:
        assert [b"".join(reader.read(ref)) for ref in refs] == [*FILES, b"".join(FILES)]


def test_a_snapshot_goes_through_a_real_server_and_the_probe_sees_that_it_ignores_conditions(rclone: S3Server) -> None:
    repository = made(open_store(rclone.settings()))
    assert not read_config(repository.store).conditional_writes
    backup_and_read(repository)
    assert check_scope(repository, SCOPE, read_share=1).good


def test_a_server_that_cannot_refuse_writes_is_pruned_by_the_host_that_is_named_only(rclone: S3Server) -> None:
    repository = made(open_store(rclone.settings()))
    backup_and_read(repository)
    with pytest.raises(PruneRefused, match="only one host"):
        prune_scope(repository, SCOPE)
    snapshots, _ = repository.snapshots()
    repository.store.delete([snapshot.name.key for snapshot in snapshots])
    assert prune_scope(repository, SCOPE, sole_pruner=True).named
    later = WatchedStore(repository.store, lambda _: None, ahead=timedelta(days=2))
    report = prune_scope(open_repository(later, passphrase=None, cache=None), SCOPE, sole_pruner=True)
    assert report.deleted == 1
    assert not list(rclone.data.rglob("packs/*/*"))


@pytest.mark.parametrize("fault", ["500", "503", "cut", "lost", "gone", "slow"])
def test_faults_on_the_way_are_overcome(rclone: S3Server, proxy: FaultProxy, fault: Fault) -> None:
    dice = random.Random(5)
    store = open_store(replace(rclone.settings(patience_s=60), endpoint=proxy.endpoint))
    proxy.choose = lambda _method, _path, _number: fault if dice.random() < 0.3 else "none"
    repository = made(store)
    backup_and_read(repository)
    assert any(seen[2] == fault for seen in proxy.seen)
    assert fault == "slow" or store.requests.repeats > 0
    proxy.choose = lambda _method, _path, _number: "none"
    assert check_scope(repository, SCOPE, read_share=1).good


def test_a_store_that_is_gone_for_seconds_is_waited_for(rclone: S3Server, proxy: FaultProxy) -> None:
    repository = made(open_store(replace(rclone.settings(patience_s=60), endpoint=proxy.endpoint)))
    until = time.monotonic() + 5
    proxy.choose = lambda _method, _path, _number: "gone" if time.monotonic() < until else "none"
    backup_and_read(repository)
    assert time.monotonic() >= until


def test_a_store_that_keeps_failing_is_an_error_with_its_words(rclone: S3Server, proxy: FaultProxy) -> None:
    store = open_store(replace(rclone.settings(patience_s=1), endpoint=proxy.endpoint))
    proxy.choose = lambda _method, _path, _number: "503"
    with pytest.raises(StoreFailed, match="503") as caught:
        store.put("a", b"x")
    assert "SlowDown" in caught.value.details


def test_a_pack_that_cannot_be_sent_fails_the_backup_and_leaves_no_snapshot(
    rclone: S3Server, proxy: FaultProxy
) -> None:
    repository = made(open_store(replace(rclone.settings(), endpoint=proxy.endpoint)))
    proxy.choose = lambda method, path, _number: "500" if method == "PUT" and "/packs/" in path else "none"
    with pytest.raises(StoreFailed):
        backup_and_read(repository)
    proxy.choose = lambda _method, _path, _number: "none"
    assert repository.snapshots() == ([], [])


def deletes(method: str, path: str) -> bool:
    return method == "DELETE" or (method == "POST" and "?delete" in path)


def test_a_bucket_without_the_right_to_delete_takes_backups_and_the_prune_says_what_stays(
    rclone: S3Server, proxy: FaultProxy
) -> None:
    repository = made(open_store(replace(rclone.settings(), endpoint=proxy.endpoint)))
    proxy.choose = lambda method, path, _number: "403" if deletes(method, path) else "none"
    backup_and_read(repository)
    proxy.choose = lambda _method, _path, _number: "none"
    snapshots, _ = repository.snapshots()
    repository.store.delete([snapshot.name.key for snapshot in snapshots])
    prune_scope(repository, SCOPE, sole_pruner=True)
    [pack] = rclone.data.rglob("packs/*/*")
    # First packs are held, as by a lock; then the key may delete nothing at all; then it may again.
    for number, forbidden in enumerate(("/packs/", "", None)):
        proxy.choose = lambda method, path, _number, forbidden=forbidden: (  # type: ignore[misc]
            "403"
            if forbidden is not None and deletes(method, path) and (forbidden in path or "?delete" in path)
            else "none"
        )
        later = WatchedStore(repository.store, lambda _: None, ahead=timedelta(days=2 * number + 2))
        report = prune_scope(open_repository(later, passphrase=None, cache=None), SCOPE, sole_pruner=True)
        assert pack.exists() is (forbidden is not None)
        assert bool(report.refused) is (forbidden is not None)
        assert all("may not delete" in refusal.error.brief for refusal in report.refused)
        proxy.choose = lambda _method, _path, _number: "none"
        backup_and_read(repository)
        assert check_scope(repository, SCOPE, read_share=1).good


def test_wrong_keys_wrong_buckets_and_nobody_there_are_told_apart(rclone: S3Server, tmp_path: Path) -> None:
    wrong_secret = write_credentials(tmp_path / "wrong", secret="not it")
    wrong_key = write_credentials(tmp_path / "unknown", access="NOBODY")
    for settings, error in (
        (replace(rclone.settings(), credentials=wrong_secret), StoreCredentialsRefused),
        (replace(rclone.settings(), credentials=wrong_key), StoreCredentialsRefused),
        (replace(rclone.settings(), url="s3://no-such-bucket/x"), BucketMissing),
        (replace(rclone.settings(), endpoint=f"http://127.0.0.1:{free_port()}"), StoreUnreachable),
        (replace(rclone.settings(), endpoint="http://no.such.host.invalid"), StoreUnreachable),
        (replace(rclone.settings(), endpoint=rclone.endpoint.replace("http:", "https:")), StoreTlsFailed),
    ):
        store = open_store(settings)
        for ask in (lambda store=store: store.put("a", b"x"), lambda store=store: list(store.list_below("a/"))):
            with pytest.raises(error) as caught:
                ask()
            assert "mooring-test-secret" not in f"{caught.value.brief} {caught.value.details}"


@pytest.mark.parametrize(
    "url", ["s3://", "ftp://x/y", "relative/path", "s3://bucket/x?y=1", "s3://user@bucket/x", "file://host/x"]
)
def test_an_address_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(StoreUrlInvalid):
        open_store(StoreSettings(url))


def test_credentials_come_from_their_files_and_never_from_the_environment(
    rclone: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "NOBODY",
        "AWS_SECRET_ACCESS_KEY": "wrong",
        "AWS_SESSION_TOKEN": "wrong",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_REGION": "mars-1",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
    }.items():
        monkeypatch.setenv(name, value)
    store = open_store(rclone.settings())
    store.put("a", b"x")
    assert store.get("a") == b"x"
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreCredentialsMissing, match="accessKeyId"):
        open_store(replace(rclone.settings(), credentials=tmp_path / "empty"))


def test_a_bandwidth_limit_is_kept(rclone: S3Server) -> None:
    store = open_store(replace(rclone.settings(), bandwidth=1_000_000))
    begin = time.monotonic()
    for number in range(5):
        store.put(f"b/{number}", os.urandom(500_000))
    assert time.monotonic() - begin >= 2.0


def test_a_certificate_of_ones_own_authority_is_trusted_when_it_is_named(rclone: S3Server, tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    with tls_front(rclone.port, certificate, key) as port:
        settings = replace(rclone.settings(), endpoint=f"https://localhost:{port}")
        with pytest.raises(StoreTlsFailed):
            open_store(settings).put("a", b"x")
        store = open_store(replace(settings, ca_file=certificate))
        store.put("a", b"12345")
        assert store.get("a") == b"12345"
        assert store.get("a", start=1, length=3) == b"234"


@pytest.fixture
def versity(tmp_path: Path) -> Iterator[S3Server]:
    with versity_server(tmp_path / "versity") as server:
        yield server


def test_the_region_is_learnt_from_a_server_that_insists_on_one(versity: S3Server) -> None:
    repository = made(open_store(versity.settings()))
    assert read_config(repository.store).conditional_writes
    backup_and_read(repository)
    with pytest.raises(StoreRegionWrong, match="us-east-1"):
        open_store(versity.settings(region="eu-west-9")).put("a", b"x")


def tls_front(port: int, certificate: Path, key: Path):  # type: ignore[no-untyped-def]
    """Takes TLS off and hands on to a port, until the block ends."""
    import contextlib

    @contextlib.contextmanager
    def serve() -> Iterator[int]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with fault_proxy(port) as inner, socket.create_server(("127.0.0.1", 0)) as server:
            ended = threading.Event()
            server.settimeout(0.1)

            def handle(raw: socket.socket) -> None:
                with contextlib.suppress(OSError), context.wrap_socket(raw, server_side=True) as secured:
                    inner.serve(secured)

            def accept() -> None:
                while not ended.is_set():
                    with contextlib.suppress(TimeoutError):
                        connection, _ = server.accept()
                        connection.settimeout(30)
                        threading.Thread(target=handle, args=(connection,), daemon=True).start()

            thread = threading.Thread(target=accept, daemon=True)
            thread.start()
            try:
                yield server.getsockname()[1]
            finally:
                ended.set()
                thread.join()

    return serve()
