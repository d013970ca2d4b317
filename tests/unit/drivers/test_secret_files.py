# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mooring.domain.model.secret import SecretKey, SecretRef, SecretValue
from mooring.drivers.files import NotWritable
from mooring.drivers.secret_files import SecretFiles
from mooring.drivers.secret_store import (
    BadSecretName,
    BadSecretValue,
    EmptySecret,
    MissingSecret,
    SecretFileRefused,
    Secrets,
)
from mooring.errors import MooringError
from mooring.targets.base import SecretReader
from tests.support.people import as_nobody, names

REF = SecretRef("default", "shop-admin")
HIDDEN = "correct-horse-battery"


@pytest.fixture
def store(tmp_path: Path) -> SecretFiles:
    return SecretFiles(tmp_path / "secrets")


def made(**values: str) -> Callable[[], Mapping[str, SecretValue]]:
    return lambda: {key: SecretValue(value) for key, value in values.items()}


async def revealed(store: SecretReader, ref: SecretRef, key: str) -> str:
    return (await store.value(SecretKey(ref, key))).reveal()


def test_secret_files_is_a_store_and_a_reader(store: SecretFiles) -> None:
    as_store: Secrets = store
    as_reader: SecretReader = store
    assert as_store is as_reader


async def test_set_then_value_gives_it_and_the_files_are_private(store: SecretFiles, tmp_path: Path) -> None:
    await store.set(REF, "password", SecretValue("old"))
    await store.set(REF, "password", SecretValue(HIDDEN))
    assert await revealed(store, REF, "password") == HIDDEN
    folder = tmp_path / "secrets/default/shop-admin"
    assert (folder / "password").read_bytes() == HIDDEN.encode()
    assert names(folder) == ["password"]
    assert (folder / "password").stat().st_mode & 0o777 == 0o600
    for private in (folder, folder.parent, folder.parent.parent):
        assert private.stat().st_mode & 0o777 == 0o700


async def test_read_gives_all_keys(store: SecretFiles) -> None:
    await store.ensure(REF, made(user="shop", password="x y"))
    values = await store.read(REF)
    assert {key: value.reveal() for key, value in values.items()} == {"user": "shop", "password": "x y"}
    assert HIDDEN not in repr(values)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param(b"a\n", "a", id="one line break"),
        pytest.param(b"a\r\n", "a", id="one line break of Windows"),
        pytest.param(b" a ", " a ", id="spaces stay"),
        pytest.param("pässwörd".encode(), "pässwörd", id="not ASCII"),
    ],
)
async def test_value_written_by_hand_loses_one_trailing_line_break(
    store: SecretFiles, tmp_path: Path, written: bytes, read: str
) -> None:
    await store.set(REF, "password", SecretValue("x"))
    (tmp_path / "secrets/default/shop-admin/password").write_bytes(written)
    assert await revealed(store, REF, "password") == read


BAD_VALUES = [
    pytest.param("a\nb", BadSecretValue, "line break", id="line break"),
    pytest.param("a\n\n", BadSecretValue, "line break", id="two trailing line breaks"),
    pytest.param("a\rb", BadSecretValue, "line break", id="carriage return"),
    pytest.param("a\0b", BadSecretValue, "NUL", id="nul"),
    pytest.param("a\udc80", BadSecretValue, "UTF-8", id="no text"),
    pytest.param("a" * 65537, BadSecretValue, "64 KiB", id="too long"),
    pytest.param("", EmptySecret, "empty", id="empty"),
    pytest.param("\n", EmptySecret, "empty", id="only a line break"),
]


@pytest.mark.parametrize(("value", "error", "words"), BAD_VALUES)
async def test_set_and_ensure_of_a_bad_value_write_nothing(
    store: SecretFiles, value: str, error: type[MooringError], words: str
) -> None:
    with pytest.raises(error, match=words):
        await store.set(REF, "password", SecretValue(value))
    with pytest.raises(error, match=words):
        await store.ensure(REF, made(user="a", password=value))
    assert await store.list() == {}


@pytest.mark.parametrize(("value", "error", "words"), BAD_VALUES)
async def test_value_of_a_bad_file_is_refused(
    store: SecretFiles, tmp_path: Path, value: str, error: type[MooringError], words: str
) -> None:
    await store.set(REF, "password", SecretValue("x"))
    path = tmp_path / "secrets/default/shop-admin/password"
    path.write_bytes(value.encode(errors="surrogateescape"))
    given = tmp_path / "given"
    given.write_bytes(path.read_bytes())
    given.chmod(0o600)
    with pytest.raises(error, match=words):
        await revealed(store, REF, "password")
    with pytest.raises((error, SecretFileRefused), match=words):
        await revealed(store, SecretRef("default", f"file:{given}"), "value")


@pytest.mark.parametrize("value", [f"{HIDDEN}\nx", f"{HIDDEN}\0", f"{HIDDEN}\udc80"], ids=["line", "nul", "no text"])
async def test_error_about_a_value_never_carries_it(store: SecretFiles, tmp_path: Path, value: str) -> None:
    caught: list[BaseException] = []
    try:
        await store.set(REF, "password", SecretValue(value))
    except BadSecretValue as error:
        caught.append(error)
    await store.set(REF, "password", SecretValue("x"))
    (tmp_path / "secrets/default/shop-admin/password").write_bytes(value.encode(errors="surrogateescape"))
    try:
        await revealed(store, REF, "password")
    except BadSecretValue as error:
        caught.append(error)
    assert len(caught) == 2
    for one in caught:
        chain: BaseException | None = one
        while chain is not None:
            assert HIDDEN not in f"{chain!r}{vars(chain)}"
            assert HIDDEN not in "".join(traceback.format_exception_only(chain))
            chain = chain.__cause__ or chain.__context__


@pytest.mark.parametrize("key", ["tls.crt", "tls.key", "sslrootcert", "ssh-privatekey", ".dockerconfigjson"])
async def test_value_of_several_lines_is_kept_whole_where_it_belongs(store: SecretFiles, key: str) -> None:
    text = "-----BEGIN X-----\nabc\n-----END X-----\n"
    await store.set(REF, key, SecretValue(text))
    assert await revealed(store, REF, key) == text


async def test_login_for_a_registry_is_listed_read_and_removed_like_any_key(store: SecretFiles) -> None:
    await store.set(REF, ".dockerconfigjson", SecretValue('{"auths": {}}'))
    assert await store.list() == {REF: (".dockerconfigjson",)}
    assert {key: one.reveal() for key, one in (await store.read(REF)).items()} == {".dockerconfigjson": '{"auths": {}}'}
    await store.delete(REF)
    assert await store.list() == {}


async def test_missing_key_and_secret_say_how_to_set_them(store: SecretFiles) -> None:
    with pytest.raises(MissingSecret) as caught:
        await store.read(REF)
    assert caught.value.resolution == "Set it with `mooring secret set shop-admin KEY`."
    await store.set(REF, "user", SecretValue("a"))
    with pytest.raises(MissingSecret) as caught:
        await store.value(SecretKey(REF, "password"))
    assert caught.value.resolution == "Set it with `mooring secret set shop-admin password`."
    with pytest.raises(MissingSecret) as caught:
        await store.value(SecretKey(SecretRef("team", "x"), "password"))
    assert caught.value.resolution == "Set it with `mooring secret set -n team x password`."


async def test_read_with_empty_keys_names_all_of_them(store: SecretFiles, tmp_path: Path) -> None:
    await store.ensure(REF, made(a="1", b="2", c="3"))
    for key in "ac":
        (tmp_path / "secrets/default/shop-admin" / key).write_bytes(b"")
    with pytest.raises(EmptySecret, match="a, c"):
        await store.read(REF)


@pytest.mark.parametrize("bad", ["..", ".", "../x", "a/b", "/etc", "", "A", "a\0", "a\n", "-a", "a-", "x" * 201])
async def test_name_that_could_leave_its_folder_is_refused(store: SecretFiles, tmp_path: Path, bad: str) -> None:
    for ref in (SecretRef(bad, "x"), SecretRef("default", bad)):
        for call in (
            store.read(ref),
            store.value(SecretKey(ref, "k")),
            store.ensure(ref, made(k="v")),
            store.version(ref, "k"),
            store.set(ref, "k", SecretValue("v")),
            store.delete(ref),
        ):
            with pytest.raises(BadSecretName):
                await call
    assert names(tmp_path) == []


@pytest.mark.parametrize("bad", ["..", ".hidden", "../x", "a/b", "", "a\0", "a b", "x" * 201])
async def test_key_that_could_leave_its_folder_is_refused(store: SecretFiles, bad: str) -> None:
    await store.set(REF, "k", SecretValue("v"))
    for call in (
        store.value(SecretKey(REF, bad)),
        store.ensure(REF, lambda: {bad: SecretValue("v")}),
        store.set(REF, bad, SecretValue("v")),
        store.version(REF, bad),
        store.delete(REF, bad),
    ):
        with pytest.raises(BadSecretName):
            await call
    assert await store.list() == {REF: ("k",)}


async def test_ensure_creates_only_what_is_missing(store: SecretFiles) -> None:
    await store.set(REF, "password", SecretValue("mine"))
    await store.ensure(REF, made(user="made", password="made"))
    await store.ensure(REF, made(user="again", password="again"))
    assert await revealed(store, REF, "user") == "made"
    assert await revealed(store, REF, "password") == "mine"


def _ensure(root: Path, by: str) -> None:
    asyncio.run(SecretFiles(root).ensure(REF, made(**dict.fromkeys(("user", "password", "extra"), by))))


async def test_ensure_by_many_processes_gives_one_set_of_values(store: SecretFiles, tmp_path: Path) -> None:
    def race() -> None:
        with multiprocessing.get_context("spawn").Pool(4) as pool:
            for n in range(5):
                pool.starmap(_ensure, [(tmp_path / f"{n}", f"writer{by}") for by in range(4)], chunksize=1)

    await asyncio.to_thread(race)
    for n in range(5):
        values = await SecretFiles(tmp_path / f"{n}").read(REF)
        assert len({value.reveal() for value in values.values()}) == 1


_ENSURE = """
import asyncio, sys
from pathlib import Path
from mooring.domain.model.secret import SecretRef, SecretValue
from mooring.drivers.secret_files import SecretFiles
async def main():
    store, n = SecretFiles(Path(sys.argv[1])), 0
    while True:
        values = {key: SecretValue(f"v{n}") for key in "abcdefgh"}
        await store.ensure(SecretRef("default", f"s{n}"), lambda: values)
        n += 1
        print(n, flush=True)
asyncio.run(main())
"""


def _kill_ensure(root: Path, delay: float) -> None:
    with subprocess.Popen([sys.executable, "-c", _ENSURE, str(root)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)


async def test_ensure_killed_in_the_middle_leaves_all_keys_or_none(tmp_path: Path) -> None:
    for run, delay in enumerate((0.0, 0.003, 0.008, 0.02)):
        root = tmp_path / f"{run}"
        await asyncio.to_thread(_kill_ensure, root, delay)
        store = SecretFiles(root)
        found = await store.list()
        assert set(found.values()) == {tuple("abcdefgh")}
        await store.ensure(SecretRef("default", f"s{len(found)}"), made(a="after", b="after"))
        assert await revealed(store, SecretRef("default", f"s{len(found)}"), "a") == "after"


async def test_ensure_shows_a_new_secret_with_all_its_keys_at_once(store: SecretFiles, tmp_path: Path) -> None:
    seen: set[tuple[str, ...]] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.update(tuple(names(folder)) for folder in (tmp_path / "secrets/default").glob("[!.]*"))

    watcher = threading.Thread(target=look)
    watcher.start()
    for n in range(60):
        await store.ensure(SecretRef("default", f"s{n}"), made(**dict.fromkeys("abcdefgh", "v")))
    done.set()
    watcher.join()
    assert seen == {tuple("abcdefgh")}


async def test_delete_removes_a_key_then_the_secret(store: SecretFiles, tmp_path: Path) -> None:
    await store.ensure(REF, made(a="1", b="2", c="3"))
    await store.delete(REF, "a")
    assert await store.list() == {REF: ("b", "c")}
    await store.delete(REF)
    assert await store.list() == {}
    assert not (tmp_path / "secrets/default/shop-admin").exists()
    for key in (None, "a"):
        with pytest.raises(MissingSecret):
            await store.delete(REF, key)


async def test_list_gives_names_and_keys_in_order_and_nothing_of_its_own(store: SecretFiles, tmp_path: Path) -> None:
    assert await store.list() == {}
    await store.ensure(SecretRef("team", "b"), made(y="1", x="2"))
    await store.ensure(SecretRef("default", "c"), made(k="1"))
    await store.version(SecretRef("default", "c"), "k")
    (tmp_path / "secrets/team/b/.x.123.tmp").touch()
    found = await store.list()
    assert list(found.items()) == [(SecretRef("default", "c"), ("k",)), (SecretRef("team", "b"), ("x", "y"))]


async def test_version_changes_with_the_value_only(store: SecretFiles, tmp_path: Path) -> None:
    await store.set(REF, "password", SecretValue("one"))
    first = await store.version(REF, "password")
    assert len(first) == 12
    assert int(first, 16) >= 0
    await store.set(REF, "password", SecretValue("one"))
    assert await SecretFiles(tmp_path / "secrets").version(REF, "password") == first
    await store.set(REF, "password", SecretValue("two"))
    assert await store.version(REF, "password") != first


async def test_version_of_equal_values_differs_between_keys_secrets_and_installations(tmp_path: Path) -> None:
    one, other = SecretFiles(tmp_path / "1"), SecretFiles(tmp_path / "2")
    versions = []
    for store in (one, other):
        for ref, key in ((REF, "a"), (REF, "b"), (SecretRef("default", "x"), "a")):
            await store.set(ref, key, SecretValue("same"))
            versions.append(await store.version(ref, key))
    assert len(set(versions)) == 6


async def test_file_reference_reads_the_file_that_is_named(store: SecretFiles, tmp_path: Path) -> None:
    path = tmp_path / "given"
    path.write_text(f"{HIDDEN}\n")
    path.chmod(0o640)
    ref = SecretRef("default", f"file:{path}")
    assert await revealed(store, ref, "value") == HIDDEN
    assert (await store.read(ref))["value"].reveal() == HIDDEN
    await store.ensure(ref, made(value="never"))
    assert path.read_text() == f"{HIDDEN}\n"
    first = await store.version(ref, "value")
    path.write_text("rotated")
    assert await store.version(ref, "value") != first
    with pytest.raises(MissingSecret, match="only key"):
        await revealed(store, ref, "password")


async def test_file_reference_to_pem_text_keeps_its_lines(store: SecretFiles, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("-----BEGIN X-----\na\n-----END X-----\n")
    path.chmod(0o600)
    assert await revealed(store, SecretRef("default", f"file:{path}"), "value") == path.read_text()


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644], ids=oct)
async def test_file_reference_open_to_all_is_refused_with_the_way_out(
    store: SecretFiles, tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "given"
    path.write_text("x")
    path.chmod(mode)
    with pytest.raises(SecretFileRefused, match="every user") as caught:
        await revealed(store, SecretRef("default", f"file:{path}"), "value")
    assert f"chmod o-rwx {path}" in caught.value.resolution


@pytest.mark.parametrize("kind", ["pipe", "device"])
async def test_file_reference_to_something_else_is_refused_without_waiting(
    store: SecretFiles, tmp_path: Path, kind: str
) -> None:
    path = Path("/dev/null") if kind == "device" else tmp_path / "given"
    if kind == "pipe":
        os.mkfifo(path, 0o600)
    async with asyncio.timeout(5):
        with pytest.raises(SecretFileRefused, match="regular file"):
            await revealed(store, SecretRef("default", f"file:{path}"), "value")


async def test_file_reference_to_a_folder_gives_one_key_a_file(store: SecretFiles, tmp_path: Path) -> None:
    for name, text in (("user", "odoo"), ("password", "hush")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    ref = SecretRef("default", f"file:{tmp_path}")
    assert await revealed(store, ref, "password") == "hush"
    assert sorted(await store.read(ref)) == ["password", "user"]
    with pytest.raises(MissingSecret, match="dbname"):
        await revealed(store, ref, "dbname")
    (tmp_path / "user").chmod(0o644)
    with pytest.raises(SecretFileRefused, match="every user"):
        await revealed(store, ref, "user")


async def test_file_reference_to_nothing_says_so(store: SecretFiles, tmp_path: Path) -> None:
    ref = SecretRef("default", f"file:{tmp_path}/none")
    with pytest.raises(MissingSecret, match="does not exist"):
        await revealed(store, ref, "value")
    with pytest.raises(MissingSecret):
        await store.ensure(ref, made(value="x"))


@pytest.mark.parametrize("name", ["file:", "file:a", "file:~/a", "file:/a\0b"])
async def test_file_reference_without_absolute_path_is_refused(store: SecretFiles, name: str) -> None:
    with pytest.raises(BadSecretName, match="absolute"):
        await store.read(SecretRef("default", name))


async def test_set_and_delete_of_a_file_reference_are_refused(store: SecretFiles, tmp_path: Path) -> None:
    path = tmp_path / "given"
    path.write_text("x")
    ref = SecretRef("default", f"file:{path}")
    for call in (store.set(ref, "value", SecretValue("y")), store.delete(ref)):
        with pytest.raises(BadSecretName, match="file of yours"):
            await call
    assert path.read_text() == "x"


async def test_set_without_permission_says_so() -> None:
    with as_nobody() as folder, pytest.raises(NotWritable):
        await SecretFiles(folder / "secrets").set(REF, "k", SecretValue("v"))


async def test_recalled_version_holds_as_long_as_the_value_does(tmp_path: Path) -> None:
    lost, fresh = SecretFiles(tmp_path / "lost"), SecretFiles(tmp_path / "fresh")
    for store in (lost, fresh):
        await store.set(REF, "password", SecretValue(HIDDEN))
    said = await lost.version(REF, "password")
    assert await fresh.version(REF, "password") != said

    assert await fresh.recall(SecretKey(REF, "password", said), SecretValue(HIDDEN))
    assert await fresh.version(REF, "password") == said
    assert await SecretFiles(tmp_path / "fresh").version(REF, "password") == said

    await fresh.set(REF, "password", SecretValue("another"))
    assert await fresh.version(REF, "password") not in (said, await lost.version(REF, "password"))
    assert HIDDEN not in (tmp_path / "fresh/.recalled-versions").read_text()
    assert (tmp_path / "fresh/.recalled-versions").stat().st_mode & 0o777 == 0o600
    assert list(await fresh.list()) == [REF]


async def test_version_is_not_recalled_for_another_value(store: SecretFiles) -> None:
    await store.set(REF, "password", SecretValue(HIDDEN))
    before = await store.version(REF, "password")
    assert not await store.recall(SecretKey(REF, "password", "0123456789ab"), SecretValue("another"))
    assert await store.version(REF, "password") == before
