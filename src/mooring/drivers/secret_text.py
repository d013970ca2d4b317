# SPDX-License-Identifier: Apache-2.0
"""What may be the name, the key and the text of a secret; pure, no file is touched here.

A value ends up as one line of odoo.conf, of a password file or of a header: a line break in it would be a second line there.
Only what is several lines by its nature may have them. Used by `secret_files`.
"""

from __future__ import annotations

import re

from mooring.drivers.secret_store import BadSecretName, BadSecretValue, EmptySecret

MAX_BYTES = 64 * 1024
# The login for a registry, named as Kubernetes names it: the one key that begins with a dot. Other such files are no keys.
# https://kubernetes.io/docs/concepts/configuration/secret/#docker-config-secrets
PULL_KEY = ".dockerconfigjson"
MULTILINE_KEYS = frozenset(
    {
        "tls.crt",
        "tls.key",
        "ca.crt",
        "sslrootcert",
        "ssh-privatekey",
        "ssh-publickey",
        "identity",
        "known_hosts",
        "serviceAccountKey",
        PULL_KEY,
    }
)

# The rules of Kubernetes' Secrets, shorter so that name and temporary suffix fit into a file name of 255 bytes:
# https://kubernetes.io/docs/concepts/configuration/secret/#restriction-names-data
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_LONGEST = 200


def check_name(name: str, *, what: str) -> None:
    """Refuse what could not be a folder of its own.

    Args:
        name: a namespace or the name of a secret.
        what: the word for it in the error.

    Raises:
        BadSecretName: it is none.
    """
    if len(name) > _LONGEST or not _NAME.fullmatch(name):
        raise BadSecretName(f"{name[:_LONGEST]!r} cannot be the {what} of a secret.")


def check_key(key: str) -> None:
    """Refuse what could not be a file of its own.

    Raises:
        BadSecretName: it is none.
    """
    if key != PULL_KEY and (len(key) > _LONGEST or not _KEY.fullmatch(key)):
        raise BadSecretName(f"{key[:_LONGEST]!r} cannot be the key of a secret.")


def decode(data: bytes, *, name: str, multiline: bool) -> str:
    """The text of a value from a file or from standard input.

    One trailing line break is taken off a single line, as editors and `echo` add one; text of several lines keeps it, as
    OpenSSH refuses a private key without.

    Args:
        data: the bytes.
        name: how errors call it.
        multiline: whether line breaks may be inside.

    Raises:
        EmptySecret: nothing is left.
        BadSecretValue: too long, not UTF-8, a NUL, or a line break where none may be.
    """
    if len(data) > MAX_BYTES:
        raise BadSecretValue(f"{name} is longer than {MAX_BYTES // 1024} KiB.")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = None
    if text is None:  # outside the handler: the exception carries the bytes and must not become a context
        raise BadSecretValue(f"{name} is not UTF-8 text.")
    if "\0" in text:
        raise BadSecretValue(f"{name} contains a NUL character.")
    line = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
    if not line.strip("\r\n"):
        raise EmptySecret(f"{name} is empty.")
    if "\n" not in line and "\r" not in line:
        return line
    if not multiline:
        raise BadSecretValue(f"{name} contains a line break.")
    return text
