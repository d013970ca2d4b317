# SPDX-License-Identifier: Apache-2.0
"""Rules for texts that a pattern alone cannot hold: hosts, URLs, schedules, time zones, database and git names.

Each function returns the text in its canonical form or raises ValueError with a sentence for the user; the sentence
never repeats the text. Used by `mooring.api.texts` only.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_OWN_DATABASES = frozenset({"postgres", "template0", "template1"})
_UNSAFE_IN_URL = re.compile(r"[^!-~]|[\"'<>\\^`{|}]", re.ASCII)


def host_name(text: str) -> str:
    """A host name by RFC 1123 in lower case; no wildcard, no address."""
    if "*" in text:
        raise ValueError("a wildcard is no host name; list each host")
    if not text.isascii():
        raise ValueError("expected a host name in ASCII; write an international name in its xn-- form")
    lowered = text.lower()
    if not all(_LABEL.fullmatch(label) for label in lowered.split(".")):
        raise ValueError(
            "expected a host name such as shop.example.com: labels of letters, digits and hyphens, at most 63 characters"
        )
    if lowered.rpartition(".")[2].isdigit():
        raise ValueError("expected a host name, not an address")
    return lowered


def server_address(text: str) -> str:
    """A host name, an IPv4 or an IPv6 address."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        pass
    try:
        return host_name(text)
    except ValueError:
        raise ValueError("expected a host name such as db.example.com, or an IP address") from None


def destination(text: str) -> str:
    """`HOST`, `HOST:PORT`, `ADDRESS` or `NETWORK/BITS`."""
    expected = "expected HOST, HOST:PORT, an address or a network such as 10.1.0.0/16"
    try:
        if "/" in text:
            return str(ipaddress.ip_network(text))
        return str(ipaddress.ip_address(text))
    except ValueError:
        pass
    host, colon, port = text.partition(":")
    if colon and not (re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) and 1 <= int(port) <= 65535):
        raise ValueError(expected)
    try:
        return host_name(host) + colon + port
    except ValueError:
        raise ValueError(expected) from None


def _authority(text: str) -> None:
    """Refuse the part after `//` unless it is HOST or HOST:PORT without user and password."""
    if "@" in text:
        raise ValueError("a URL here holds no user or password; name a Secret instead")
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?", text, re.ASCII)
    if match is None or (match[2] and not 1 <= int(match[2]) <= 65535):
        raise ValueError("expected HOST or HOST:PORT (1 to 65535) after //")
    server_address(match[1].strip("[]"))


def _plain(text: str) -> None:
    if _UNSAFE_IN_URL.search(text):
        raise ValueError("a URL holds no blanks, quotes or characters outside ASCII; write them as %XX")


def http_url(text: str) -> str:
    """An http or https URL without user, password and fragment."""
    _plain(text)
    if "#" in text:
        raise ValueError("expected a URL without a fragment (#…)")
    _authority(re.split(r"[/?]", text.split("//", 1)[1], maxsplit=1)[0])
    return text


def repository_url(text: str) -> str:
    """`s3://BUCKET/FOLDER` and its like; no user, query or fragment."""
    _plain(text)
    scheme, _, rest = text.partition("://")
    if "?" in rest or "#" in rest:
        raise ValueError("expected a URL without a query (?…) and without a fragment (#…)")
    if scheme == "file":
        return "file://" + absolute_path(rest)
    bucket, _, folder = rest.partition("/")
    if "@" in bucket:
        raise ValueError("a URL here holds no user or password; name a Secret instead")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]", bucket, re.ASCII):
        raise ValueError(f"expected a bucket's name after {scheme}://")
    if any(part in {".", ".."} for part in folder.split("/")):
        raise ValueError("a folder holds no . or .. parts")
    return text


def archive_url(text: str) -> str:
    """The address of one archive, in a store or on the web."""
    return http_url(text) if text.startswith("http") else repository_url(text)


def absolute_path(text: str) -> str:
    """A path from the root, without `..`."""
    if not text.startswith("/"):
        raise ValueError("expected a whole path that starts with /")
    if ".." in text.split("/"):
        raise ValueError("a path holds no .. parts")
    return text


def schedule(text: str) -> str:
    """A cron expression of five fields that comes true some day."""
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - most manifests name no schedule

    expected = "expected a schedule of five fields (minute, hour, day, month, weekday) such as 0 2 * * *"
    if text.startswith("@"):
        raise ValueError(f"names such as @daily are not read; {expected}")
    if len(text.split()) != 5:
        raise ValueError(expected)
    try:
        CronSim(text, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f"{str(error).lower()}; {expected}") from None
    except (ValueError, AssertionError):
        # A value outside what the parser foresees, such as a number of thousands of digits.
        raise ValueError(expected) from None
    return " ".join(text.split())


def time_zone(text: str) -> str:
    """A name of the IANA time zone database."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - most manifests name no time zone

    try:
        ZoneInfo(text)
    except (ValueError, OSError, KeyError):
        # ZoneInfoNotFoundError is a KeyError; a folder such as `Europe` is an OSError.
        raise ValueError("no such time zone; expected a name such as Europe/Paris or UTC") from None
    return text


def database_name(text: str) -> str:
    """A database name that is safe everywhere and not one of PostgreSQL's own."""
    if text.lower() in _OWN_DATABASES:
        raise ValueError("this database belongs to PostgreSQL itself; choose another name")
    return text


def git_ref(text: str) -> str:
    """A branch, tag or commit by git's rules (git-check-ref-format(1)); never an option."""
    bad = (
        re.search(r"[\s~^:?*\[\\]|\.\.|@\{|//", text)
        or text.startswith(("-", "/", "."))
        or text.endswith(("/", ".", ".lock"))
        or text == "@"
    )
    if bad:
        raise ValueError("expected a branch, tag or commit as git names them")
    return text
