# SPDX-License-Identifier: Apache-2.0
"""Where on the network an object store is: the base address that the driver asks, and the one destination of a task.

Both come from here, so that what a task may reach is what it asks. Pure; looks nothing up.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from mooring.domain.model.desired import Destination

AUTO = "auto"
# Where the region is still to be asked for; this one knows all buckets.
FIRST_REGION = "us-east-1"
_PORTS = {"http": 80, "https": 443}


def default_path_style(*, endpoint: str | None, path_style: bool | None) -> bool:
    """Whether the bucket stands in the path: as it is said, else with an endpoint, whose server has seldom names for all."""
    return endpoint is not None if path_style is None else path_style


def s3_base(bucket: str, *, endpoint: str | None, region: str, path_style: bool) -> str:
    """The base URL that requests for `bucket` go to.

    Args:
        endpoint: base URL of the server; None is Amazon's for the region.
        region: `auto` where it is not known yet.
        path_style: whether the bucket stands in the path; else in the host's name.
    """
    base = endpoint or f"https://s3.{FIRST_REGION if region == AUTO else region}.amazonaws.com"
    if path_style:
        return base
    scheme, _, host = base.partition("://")
    return f"{scheme}://{bucket}.{host}"


def decide_destination(
    url: str, *, endpoint: str | None, region: str = AUTO, path_style: bool | None = None
) -> Destination | None:
    """The one place that the store of `url` is reached at; None where it is not known, or not by name.

    It is not known where the provider is asked for the region, where the host's name holds an account that only a secret
    says (Azure), and for Google, whose clients may have to ask a second host for a token. An address in digits cannot be
    pointed at a relay: the programs that speak S3 have no variable for that.

    Args:
        url: of the repository, such as `s3://BUCKET/FOLDER`.
    """
    parts = urlsplit(url)
    base = endpoint
    if parts.scheme == "s3" and (endpoint is not None or region != AUTO):
        style = default_path_style(endpoint=endpoint, path_style=path_style)
        base = s3_base(parts.netloc, endpoint=endpoint, region=region, path_style=style)
    if base is None or parts.scheme not in ("s3", "az", "azure"):
        return None
    return _destination(base)


def decide_web_destination(url: str) -> Destination | None:
    """The one place that an `http://` or `https://` address is at; None where it is given in digits."""
    return _destination(url)


def _destination(base: str) -> Destination | None:
    parts = urlsplit(base)
    try:
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None  # no port; the store's driver says so
    return Destination(host, port) if port is not None and _is_name(host) else None


def _is_name(host: str) -> bool:
    """Whether it is a name that a hosts file can hold, and not an address in any spelling.

    A last part in digits makes it an address: https://url.spec.whatwg.org/#ends-in-a-number-checker
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        last = host.rpartition(".")[2]
        return bool(last) and host.isascii() and not last[0].isdigit()
    return False
