# SPDX-License-Identifier: Apache-2.0
"""Secrets as files of mode 0600: `<root>/<namespace>/<name>/<key>`, and files that a manifest names by `file:PATH`.

Values are handed out as `SecretValue` and written nowhere else. Writers of one secret exclude one another by a lock; readers
need none, as every file is replaced whole. It makes no values: `ensure` is told how. Called by control, by targets through
`SecretReader`, and by `mooring secret`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mooring.domain.model.secret import SecretKey, SecretRef, SecretValue, version_name
from mooring.drivers.files import create_file, file_errors, fsync_dir, private_dir, remove_temporaries, write_file
from mooring.drivers.locks import exclusive
from mooring.drivers.secret_store import BadSecretName, EmptySecret, MissingSecret, SecretFileRefused
from mooring.drivers.secret_text import MAX_BYTES, MULTILINE_KEYS, PULL_KEY, check_key, check_name, decode

FILE_PREFIX = "file:"
FILE_KEY = "value"
_VERSION_KEY = ".version-key"
_RECALLED = ".recalled-versions"
_PEM = "-----BEGIN "


class SecretFiles:
    """The store below one folder."""

    def __init__(self, root: Path, *, multiline: frozenset[str] = MULTILINE_KEYS) -> None:
        """Touches nothing yet.

        Args:
            root: the `secrets` folder of the state directory.
            multiline: keys whose values may have line breaks.
        """
        self._root = root
        self._multiline = multiline

    async def read(self, ref: SecretRef) -> Mapping[str, SecretValue]:
        """See `Secrets.read`.

        Raises:
            SecretFileRefused: a `file:` reference names something that is not safe to read.
        """
        return await asyncio.to_thread(self._read, ref)

    async def value(self, key: SecretKey) -> SecretValue:
        """See `Secrets.value`.

        Raises:
            SecretFileRefused: a `file:` reference names something that is not safe to read.
        """
        return await asyncio.to_thread(self._value, key.ref, key.key)

    async def ensure(self, ref: SecretRef, make: Callable[[], Mapping[str, SecretValue]]) -> None:
        """See `Secrets.ensure`. A secret that does not exist yet appears with all its keys at once.

        A `file:` reference is only looked at: it must be there.
        """
        await asyncio.to_thread(self._ensure, ref, make)

    async def version(self, ref: SecretRef, key: str) -> str:
        """See `Secrets.version`. Differs between state directories; `recall` says again what one that was lost said."""
        return await asyncio.to_thread(self._version, ref, key)

    async def recall(self, key: SecretKey, value: SecretValue) -> bool:
        """Say `key.version` again for as long as the value is this one: what runs was made with it. Safe to repeat.

        Args:
            key: with the version that a lost state directory said.
            value: what that version stood for, as it was read back from where it is in use.

        Returns:
            Whether that is the value; otherwise nothing is recalled.
        """
        return await asyncio.to_thread(self._recall, key, value)

    async def set(self, ref: SecretRef, key: str, value: SecretValue) -> None:
        """Write one value, in the place of the old one; on the disk when this returns.

        Raises:
            BadSecretName: the name or key cannot be one, or is a `file:` reference.
            BadSecretValue: the value cannot be one.
            EmptySecret: it is empty.
        """
        await asyncio.to_thread(self._set, ref, key, value)

    async def delete(self, ref: SecretRef, key: str | None = None) -> None:
        """Remove one key, or the whole secret.

        Raises:
            MissingSecret: there is no such secret or key.
            BadSecretName: as `set`.
        """
        await asyncio.to_thread(self._delete, ref, key)

    async def list(self) -> Mapping[SecretRef, tuple[str, ...]]:
        """Every secret of the folder with its keys, both in order; never a value."""
        return await asyncio.to_thread(self._list)

    def _read(self, ref: SecretRef) -> Mapping[str, SecretValue]:
        if ref.name.startswith(FILE_PREFIX):
            folder = _given_folder(ref)
            if folder is None:
                return {FILE_KEY: _read_given_file(ref)}
            given = {key: self._value(ref, key) for key in _keys(folder)}
            if not given:
                raise MissingSecret(f"{folder} has no file in it.", resolution="Put one file for each key into it.")
            return given
        keys = _keys(self._folder(ref))
        if not keys:
            raise _missing(ref)
        values: dict[str, SecretValue] = {}
        empty = []
        for key in keys:
            try:
                values[key] = self._value(ref, key)
            except EmptySecret:
                empty.append(key)
        if empty:
            raise EmptySecret(f"{_called(ref)} has no value in {', '.join(empty)}.", resolution=_set_it(ref, empty[0]))
        return values

    def _value(self, ref: SecretRef, key: str) -> SecretValue:
        check_key(key)
        if ref.name.startswith(FILE_PREFIX):
            folder = _given_folder(ref)
            if folder is not None:
                return _read_given_file(SecretRef(ref.namespace, f"{FILE_PREFIX}{folder / key}"))
            if key != FILE_KEY:
                raise MissingSecret(
                    f"{ref.name} has the only key {FILE_KEY!r}, not {key!r}.", resolution="Leave the key out."
                )
            return _read_given_file(ref)
        path = self._folder(ref) / key
        with file_errors(path):
            try:
                data = _read_limited(path)
            except (FileNotFoundError, NotADirectoryError):
                data = None
        if data is None:
            raise _missing(ref, key)
        try:
            return SecretValue(decode(data, name=_called(ref, key), multiline=key in self._multiline))
        except EmptySecret as error:
            raise EmptySecret(error.brief, resolution=_set_it(ref, key)) from None

    def _ensure(self, ref: SecretRef, make: Callable[[], Mapping[str, SecretValue]]) -> None:
        if ref.name.startswith(FILE_PREFIX):
            if _given_folder(ref) is None:
                _read_given_file(ref)
            return
        folder = self._folder(ref)
        with self._locked(ref):
            there = set(_keys(folder))
            missing = {key: self._encode(ref, key, value) for key, value in make().items() if key not in there}
            if not missing:
                return
            if there:
                for key, data in missing.items():
                    create_file(folder / key, data)
                return
            # All at once: halves of a pair that come from two runs, such as a certificate and its key, would not match.
            building = folder.with_name(f".{folder.name}.new")
            with file_errors(building):
                if building.exists():
                    shutil.rmtree(building)
            remove_temporaries(folder)
            private_dir(building)
            for key, data in missing.items():
                write_file(building / key, data)
            with file_errors(folder):
                building.rename(folder)  # also over an empty folder that a killed `set` left
                fsync_dir(folder.parent)

    def _version(self, ref: SecretRef, key: str) -> str:
        own = self._own_version(ref, key)
        said = self._recalled().get(version_name(ref, key))
        return said[1] if said is not None and said[0] == own else own

    def _recall(self, key: SecretKey, value: SecretValue) -> bool:
        if not key.version or self._value(key.ref, key.key) != value:
            return False
        own = self._own_version(key.ref, key.key)
        with exclusive(self._root / f"{_RECALLED}.lock"):
            known = {**self._recalled(), version_name(key.ref, key.key): [own, key.version]}
            write_file(self._root / _RECALLED, json.dumps(known, sort_keys=True).encode())
        return True

    def _recalled(self) -> Mapping[str, Sequence[str]]:
        """Name of a value → its version here, and the version that a lost state directory gave the same value."""
        path = self._root / _RECALLED
        with file_errors(path):
            if not path.exists():
                return {}
            found: Mapping[str, Sequence[str]] = json.loads(path.read_bytes())
            return found

    def _own_version(self, ref: SecretRef, key: str) -> str:
        value = self._value(ref, key)
        identity = b"".join(len(part.encode()).to_bytes(4) + part.encode() for part in (ref.namespace, ref.name, key))
        return hmac.new(self._version_key(), identity + value.reveal().encode(), hashlib.sha256).hexdigest()[:12]

    def _version_key(self) -> bytes:
        path = self._root / _VERSION_KEY
        private_dir(self._root)
        with file_errors(path):
            if not path.exists():
                create_file(path, secrets.token_bytes(32))
            return path.read_bytes()

    def _set(self, ref: SecretRef, key: str, value: SecretValue) -> None:
        folder = self._folder(ref)
        data = self._encode(ref, key, value)
        with self._locked(ref):
            private_dir(folder)
            remove_temporaries(folder)
            write_file(folder / key, data)

    def _delete(self, ref: SecretRef, key: str | None) -> None:
        folder = self._folder(ref)
        if key is not None:
            check_key(key)
        with self._locked(ref):
            there = _keys(folder)
            doomed = there if key is None else [name for name in there if name == key]
            if not doomed:
                raise _missing(ref, key)
            remove_temporaries(folder)
            with file_errors(folder):
                for name in doomed:
                    (folder / name).unlink()
                if len(doomed) == len(there):
                    folder.rmdir()
                    fsync_dir(folder.parent)
                else:
                    fsync_dir(folder)

    def _list(self) -> Mapping[SecretRef, tuple[str, ...]]:
        found = {}
        for namespace in _folders(self._root):
            for name in _folders(self._root / namespace):
                keys = _keys(self._root / namespace / name)
                if keys:
                    found[SecretRef(namespace, name)] = tuple(keys)
        return found

    def _folder(self, ref: SecretRef) -> Path:
        if ref.name.startswith(FILE_PREFIX):
            raise BadSecretName(
                f"{ref.name} is a file of yours: Mooring reads it and does not write it.",
                resolution="Change the file itself, or name a secret that Mooring keeps.",
            )
        check_name(ref.namespace, what="namespace")
        check_name(ref.name, what="name")
        return self._root / ref.namespace / ref.name

    def _encode(self, ref: SecretRef, key: str, value: SecretValue) -> bytes:
        check_key(key)
        # Lone surrogates become bytes that decode() refuses; an encoding error would carry the value.
        data = value.reveal().encode(errors="surrogatepass")
        return decode(data, name=_called(ref, key), multiline=key in self._multiline).encode()

    @contextmanager
    def _locked(self, ref: SecretRef) -> Iterator[None]:
        private_dir(self._root)
        private_dir(self._root / ref.namespace)
        with exclusive(self._root / ref.namespace / f".{ref.name}.lock"):
            yield


def _given_folder(ref: SecretRef) -> Path | None:
    """The folder that `file:/FOLDER` names, one file a key; None for a file of its own."""
    path = Path(ref.name.removeprefix(FILE_PREFIX))
    return path if path.is_absolute() and path.is_dir() else None


def _read_given_file(ref: SecretRef) -> SecretValue:
    path = Path(ref.name.removeprefix(FILE_PREFIX))
    if "\0" in ref.name or not path.is_absolute():
        raise BadSecretName(
            f"{ref.name!r} does not name a file by its absolute path.", resolution="Write file:/the/path."
        )
    try:
        data = _read_limited(path, refuse_open=True)
    except (FileNotFoundError, NotADirectoryError):
        raise MissingSecret(
            f"{path} does not exist.", resolution="Make the file, with the secret as its text."
        ) from None
    except OSError as error:
        raise SecretFileRefused(f"{path} cannot be read: {error.strerror or error}.") from error
    # One key for whatever it is: what comes in PEM's armour has several lines by its nature.
    try:
        return SecretValue(decode(data, name=str(path), multiline=data.startswith(_PEM.encode())))
    except EmptySecret:
        raise EmptySecret(f"{path} is empty.", resolution="Write the secret into the file.") from None


def _read_limited(path: Path, *, refuse_open: bool = False) -> bytes:
    """At most one byte more than is allowed; the checks are made on what was opened, not on what stood there before."""
    # O_NONBLOCK: opening a named pipe would wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise SecretFileRefused(f"{path} is not a regular file.")
        if refuse_open and found.st_mode & (stat.S_IROTH | stat.S_IWOTH):
            raise SecretFileRefused(
                f"{path} is open to every user of this machine.",
                resolution=f"Run `chmod o-rwx {path}`, and change the secret.",
            )
        if found.st_size > MAX_BYTES and refuse_open:
            raise SecretFileRefused(f"{path} is longer than {MAX_BYTES // 1024} KiB.")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)


def _keys(folder: Path) -> list[str]:
    with file_errors(folder):
        try:
            names = (entry.name for entry in folder.iterdir())
            return sorted(name for name in names if not name.startswith(".") or name == PULL_KEY)
        except (FileNotFoundError, NotADirectoryError):
            return []


def _folders(folder: Path) -> list[str]:
    return [name for name in _keys(folder) if (folder / name).is_dir()]


def _called(ref: SecretRef, key: str | None = None) -> str:
    name = ref.name if ref.namespace == "default" else f"{ref.namespace}/{ref.name}"
    return f"The secret {name}" if key is None else f"The key {key} of the secret {name}"


def _set_it(ref: SecretRef, key: str) -> str:
    namespace = "" if ref.namespace == "default" else f" -n {ref.namespace}"
    return f"Set it with `mooring secret set{namespace} {ref.name} {key}`."


def _missing(ref: SecretRef, key: str | None = None) -> MissingSecret:
    return MissingSecret(f"{_called(ref, key)} does not exist.", resolution=_set_it(ref, key or "KEY"))
