# SPDX-License-Identifier: Apache-2.0
"""Posts one JSON object to a receiver, signed, or asks for an address as a sign of life, and says how it went.

Headers that a receiver gets:

    Content-Type          application/json
    User-Agent            mooring/<version>
    X-Mooring-Event       what happened, such as `PhaseChanged`
    X-Mooring-Delivery    id of the message; the same when it is sent again, so that a receiver can drop doubles
    X-Mooring-Signature   sha256=<HMAC-SHA256 of the body's bytes with the shared token, as hexadecimal>; only with a token

It follows no redirect (the signed body would go to a host that nobody wrote down), sends once, and reads nothing of the
answer but its status. When to send again is the caller's rule (control). No result or error carries the URL's path or query:
they often are secrets.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, assert_never

import urllib3

from mooring import __version__
from mooring.domain.model.secret import SecretValue
from mooring.errors import UsageError

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 10.0


class WebhookRefused(UsageError):
    """The URL, the event or the delivery id cannot be sent."""

    code = "MOOR-525"
    reason = "WebhookRefused"
    default_resolution = "Write an http:// or https:// URL with a host, without user name, spaces or line breaks."


class Outcome(Enum):
    """How one attempt ended."""

    DELIVERED = "delivered"
    REJECTED = "rejected"
    REDIRECTED = "redirected"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed out"
    UNTRUSTED = "untrusted"


@dataclass(frozen=True)
class Delivery:
    """The result of one attempt.

    Attributes:
        outcome: how it ended.
        host: host and port that were meant, without path and query.
        status: HTTP status, None when none came.
    """

    outcome: Outcome
    host: str
    status: int | None = None

    @property
    def retry(self) -> bool:
        """Whether the same message may be taken later: all but a refusal by the receiver's own words (4xx) and redirects.

        408, 425 and 429 are 4xx that ask to come again (RFC 9110, RFC 8470, RFC 6585).
        """
        if self.outcome is Outcome.REJECTED:
            return self.status in {408, 425, 429} or (self.status or 0) >= 500
        return self.outcome in {Outcome.UNREACHABLE, Outcome.TIMED_OUT}

    def __str__(self) -> str:
        """One sentence for status and logs."""
        match self.outcome:
            case Outcome.DELIVERED:
                return f"{self.host} took it."
            case Outcome.REJECTED:
                return f"{self.host} answered {self.status}."
            case Outcome.REDIRECTED:
                return f"{self.host} answered {self.status}: redirects are not followed; write the final URL."
            case Outcome.UNREACHABLE:
                return f"{self.host} cannot be reached."
            case Outcome.TIMED_OUT:
                return f"{self.host} did not answer in time."
            case Outcome.UNTRUSTED:
                return f"{self.host} shows a certificate that is not trusted."
            case _ as unknown:
                assert_never(unknown)


def sign(body: bytes, token: SecretValue) -> str:
    """The value of X-Mooring-Signature for a body."""
    return "sha256=" + hmac.new(token.reveal().encode(), body, hashlib.sha256).hexdigest()


async def post_webhook(
    url: str,
    message: Mapping[str, Any],
    *,
    event: str,
    delivery: str,
    token: SecretValue | None = None,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    read_timeout_s: float = READ_TIMEOUT_S,
) -> Delivery:
    """Send `message` once.

    Args:
        url: the receiver's.
        message: JSON object, sent as compact UTF-8.
        event: printable ASCII, such as `PhaseChanged`.
        delivery: printable ASCII; one for each message, the same for each attempt.
        token: shared with the receiver; None sends without a signature.
        connect_timeout_s: seconds until the connection stands.
        read_timeout_s: longest silence of the receiver, in seconds.

    Raises:
        WebhookRefused: the URL or a header value cannot be sent; nothing was sent.
    """
    host = _checked_host(url)
    body = json.dumps(message, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"mooring/{__version__}",
        "X-Mooring-Event": _checked_header(event),
        "X-Mooring-Delivery": _checked_header(delivery),
    }
    if token is not None:
        headers["X-Mooring-Signature"] = sign(body, token)
    timeout = urllib3.Timeout(connect=connect_timeout_s, read=read_timeout_s)
    return await asyncio.to_thread(_send, "POST", url, host, body, headers, timeout)


async def ping_url(
    url: str, *, connect_timeout_s: float = CONNECT_TIMEOUT_S, read_timeout_s: float = READ_TIMEOUT_S
) -> Delivery:
    """Ask for `url` once, with GET and nothing in it: a sign of life for whoever watches.

    Args:
        url: see `post_webhook`.
        connect_timeout_s: see there.
        read_timeout_s: see there.

    Raises:
        WebhookRefused: the URL cannot be asked for; nothing was sent.
    """
    host = _checked_host(url)
    timeout = urllib3.Timeout(connect=connect_timeout_s, read=read_timeout_s)
    headers = {"User-Agent": f"mooring/{__version__}"}
    return await asyncio.to_thread(_send, "GET", url, host, None, headers, timeout)


def _send(
    method: str, url: str, host: str, body: bytes | None, headers: Mapping[str, str], timeout: urllib3.Timeout
) -> Delivery:
    with urllib3.PoolManager(num_pools=1, timeout=timeout, retries=False) as pool:
        try:
            answer = pool.request(method, url, body=body, headers=headers, redirect=False, preload_content=False)
        except urllib3.exceptions.NewConnectionError:  # a kind of TimeoutError to urllib3, whatever the cause
            return Delivery(Outcome.UNREACHABLE, host)
        except urllib3.exceptions.TimeoutError:
            return Delivery(Outcome.TIMED_OUT, host)
        except urllib3.exceptions.SSLError:
            return Delivery(Outcome.UNTRUSTED, host)
        except urllib3.exceptions.HTTPError:
            return Delivery(Outcome.UNREACHABLE, host)
        status = answer.status
        answer.close()
    if 200 <= status < 300:
        return Delivery(Outcome.DELIVERED, host, status)
    if 300 <= status < 400:
        return Delivery(Outcome.REDIRECTED, host, status)
    return Delivery(Outcome.REJECTED, host, status)


def _checked_host(url: str) -> str:
    if not url.isprintable() or " " in url:
        raise WebhookRefused(
            "The webhook's URL contains a space, a line break or another character that cannot be sent."
        )
    try:
        parsed = urllib3.util.parse_url(url)
    except urllib3.exceptions.LocationParseError:
        parsed = None
    if parsed is None or parsed.scheme not in {"http", "https"} or not parsed.host:
        raise WebhookRefused("The webhook's URL is not an http:// or https:// URL with a host.")
    if parsed.auth is not None:
        raise WebhookRefused("The webhook's URL contains a user name or password.")
    return parsed.netloc or parsed.host


def _checked_header(value: str) -> str:
    if not value or not value.isascii() or not value.isprintable():
        raise WebhookRefused("The event and the delivery id of a webhook must be printable ASCII.")
    return value
