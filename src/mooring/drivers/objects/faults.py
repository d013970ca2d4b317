# SPDX-License-Identifier: Apache-2.0
"""Turns what obstore raises into our errors, and says which of them pass by themselves.

obstore (0.12) has a class for few answers; the rest is one class with a text. What is looked for in the text stands here and
nowhere else, with a test on the real thing for each (tests/contract/test_objects.py, tests/system/test_repository_s3.py).
"""

from __future__ import annotations

import re
from typing import Literal

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotModifiedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from mooring.drivers.objects.errors import (
    BucketMissing,
    ObjectChanged,
    ObjectExists,
    ObjectMissing,
    StoreCredentialsRefused,
    StoreFailed,
    StoreForbidden,
    StoreTlsFailed,
    StoreUnreachable,
    StoreUrlInvalid,
)
from mooring.errors import MooringError

Action = Literal["read", "write", "delete", "list"]

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_TLS = re.compile(r"certificate|UnknownIssuer|InvalidContentType|CorruptMessage|HandshakeFailure|rustls", re.IGNORECASE)
# Such as UnknownIssuer, NotValidForNameContext, ExpiredContext, CaUsedAsEndEntity: rustls' words for what is wrong with it.
_CERTIFICATE = re.compile(r"InvalidCertificate\(\s*(?:Other\(\s*OtherError\(\s*)?(\w+)")
_NO_BUCKET = frozenset({"NoSuchBucket", "ContainerNotFound", "InvalidBucketName"})
_WRONG_KEY = frozenset(
    {
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "AuthenticationFailed",
        "InvalidToken",
        "ExpiredToken",
        "InvalidSecurity",
    }
)
_SKEWED = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
_REGION = re.compile(r"<Region>([a-z0-9-]+)</Region>")
_ELSEWHERE = frozenset({"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"})
_PASSING_CODES = frozenset(
    {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "OperationAborted", "BadDigest"}
)
_PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


class Passing(Exception):
    """Wraps an error that may be gone at the next try. Never leaves `drivers.objects`."""

    def __init__(self, error: MooringError) -> None:
        super().__init__(str(error))
        self.error = error


class NotModified(Exception):
    """The object still is what the caller has. Never leaves `drivers.objects`."""


class WrongRegion(Exception):
    """The bucket is in another region than the request was signed for. Never leaves `drivers.objects`."""

    def __init__(self, region: str) -> None:
        super().__init__(region)
        self.region = region


def translate(error: Exception, *, place: str, key: str, action: Action) -> Exception:
    """Our error for obstore's: a `MooringError`, or `Passing` around one, `NotModified` or `WrongRegion`.

    Args:
        error: what obstore raised.
        place: the store, for the message.
        key: the object.
        action: what was tried, for the message about a missing right.
    """
    text = str(error)
    details = text.split("\n\nDebug source", 1)[0].strip()
    status_match, code_match = _STATUS.search(text), _CODE.search(text)
    status = int(status_match[1]) if status_match else None
    code = code_match[1] if code_match else ""
    if isinstance(error, NotModifiedError):
        return NotModified()
    region = _REGION.search(text)
    if code in _ELSEWHERE and region is not None:
        return WrongRegion(region[1])
    if code in _NO_BUCKET:
        return BucketMissing(f"There is no such bucket at {place}.", details=details)
    if isinstance(error, AlreadyExistsError):
        return ObjectExists(f"{key} at {place} is there already.", details=details)
    if isinstance(error, PreconditionError) or (status == 409 and action == "write"):
        return ObjectChanged(f"{key} at {place} was written by somebody else.", details=details)
    if isinstance(error, FileNotFoundError):
        return ObjectMissing(f"There is no {key} at {place}.", details=details)
    if code in _WRONG_KEY or isinstance(error, UnauthenticatedError):
        return StoreCredentialsRefused(f"{place} refuses the access key.", details=details)
    if code in _SKEWED:
        return StoreForbidden(
            f"{place} refuses a request because of its time.",
            details=details,
            resolution="Set this machine's clock (NTP).",
        )
    if isinstance(error, PermissionDeniedError) or status == 403:
        return StoreForbidden(f"The access key may not {action} {key} at {place}.", details=details)
    if status in _PASSING_STATUS or code in _PASSING_CODES:
        return Passing(StoreFailed(f"{place} keeps answering with {status or code}.", details=details))
    if status is not None:
        return StoreFailed(f"{place} refuses to {action} {key}: status {status} {code}.".rstrip(), details=details)
    if "BadScheme" in text:
        return StoreUrlInvalid(f"The endpoint of {place} is not a URL that can be used.", details=details)
    if _TLS.search(text):
        return StoreTlsFailed(f"No trusted connection to {place} can be made.", details=_cause(text, details))
    if "kind: Connect" in text or "dns error" in text:
        return Passing(StoreUnreachable(f"{place} cannot be reached.", details=_cause(text, details)))
    if isinstance(error, BaseError):
        return Passing(StoreFailed(f"{place} does not {action} {key}.", details=_cause(text, details)))
    return StoreFailed(f"{place} does not {action} {key}.", details=details)


def _cause(text: str, details: str) -> str:
    """The first line and the innermost words that say why; the rest of the debug text helps nobody."""
    inner = [word for word in re.findall(r'"([^"]{4,120})"', text) if "://" not in word] + _CERTIFICATE.findall(text)
    return f"{details} ({'; '.join(dict.fromkeys(inner[-3:]))})" if inner else details
