# SPDX-License-Identifier: Apache-2.0
"""Caddy's configuration as text; pure. Facts are those of Caddy 2.6 and later.

The shared ingress reads one main file, which imports one file a site, so that an instance only ever writes its own. A
gateway has a file of its own. Both listen on high ports inside, so that they need no right for low ones.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from mooring.domain.model.desired import Endpoint, Route
from mooring.domain.model.identity import Identity, Ref, child
from mooring.targets.errors import SiteRefused

HTTP, HTTPS = 8080, 8443
SITES = "/var/lib/mooring/sites"
MAIN_FILE = "/etc/mooring/Caddyfile"
MARK = "# mooring: "
_HOST = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_EMAIL = re.compile(r"[^\s@{}\"`#]+@[^\s@{}\"`#]+")
_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")

_GLOBAL = f"""\
{{
\tadmin localhost:2019
\thttp_port {HTTP}
\thttps_port {HTTPS}
\tauto_https disable_redirects
\tstorage file_system /data/caddy
}}
"""


def render_main() -> str:
    """The shared ingress's file. Redirects to HTTPS are written in each site: only it knows the published port."""
    return f"{_GLOBAL}import {SITES}/*.caddy\n"


def render_check(name: str) -> str:
    """A file that takes in one new site alone, to try it before the running one sees it."""
    return f"{_GLOBAL}import {SITES}/{name}.new\n"


def render_gateway(ref: Ref, endpoint: Endpoint) -> str:
    """The file of a gateway without host names; its published port is the engine's affair."""
    options = "{\n\tadmin off\n\tauto_https off\n}\n"
    return f"{options}:{HTTP} {{\n{_body(ref, endpoint)}}}\n"


def site_name(ref: Ref, endpoint: Endpoint) -> str:
    """The name of a site's file, without its ending."""
    return child(ref, f"site-{endpoint.name}")


def site_url(endpoint: Endpoint, *, http_port: int, https_port: int) -> str:
    """What people type."""
    if endpoint.tls.mode == "none":
        return f"http://{endpoint.hosts[0]}" + ("" if http_port == 80 else f":{http_port}")
    return f"https://{endpoint.hosts[0]}" + ("" if https_port == 443 else f":{https_port}")


def render_site(ref: Ref, identity: Identity, endpoint: Endpoint, *, http_port: int, https_port: int) -> str:
    """A site's file: a first line that says whose it is, then its blocks.

    Raises:
        SiteRefused: a host name, path or address holds what Caddy would read as syntax.
    """
    _check(endpoint)
    name = site_name(ref, endpoint)
    secure = endpoint.tls.mode != "none"
    blocks: list[str] = []
    if secure:
        port = "" if https_port == 443 else f":{https_port}"
        redirect = f"\tredir https://{{host}}{port}{{uri}} 308\n"
        blocks += [f"http://{host} {{\n{redirect}}}\n" for host in endpoint.hosts]
    addresses = ", ".join(f"{'https' if secure else 'http'}://{host}" for host in endpoint.hosts)
    blocks.append(f"{addresses} {{\n{_tls(endpoint, name)}{_body(ref, endpoint)}}}\n")
    text = "\n".join(blocks)
    head: dict[str, Any] = {
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
        "installation": identity.installation,
        "instance": identity.instance,
        "endpoint": endpoint.name,
        "hosts": sorted(host.lower() for host in endpoint.hosts),
        "url": site_url(endpoint, http_port=http_port, https_port=https_port),
        "fingerprint": site_fingerprint(text, endpoint),
    }
    return f"{MARK}{json.dumps(head, sort_keys=True)}\n{text}"


def site_fingerprint(text: str, endpoint: Endpoint) -> str:
    """What a site was made from, its certificate's version included."""
    return hashlib.sha256(f"{endpoint.tls.version}\n{text}".encode()).hexdigest()[:16]


def read_head(text: str) -> Mapping[str, Any] | None:
    """The first line of a site's file; None when it is none of ours."""
    line = text.partition("\n")[0]
    if not line.startswith(MARK):
        return None
    try:
        head = json.loads(line.removeprefix(MARK))
    except ValueError:
        return None
    return head if isinstance(head, dict) else None


def _check(endpoint: Endpoint) -> None:
    faults = [f"host name {host!r}" for host in endpoint.hosts if not _HOST.fullmatch(host)]
    faults += [f"path {route.path!r}" for route in endpoint.routes if not _PATH.fullmatch(route.path)]
    if endpoint.tls.email is not None and not _EMAIL.fullmatch(endpoint.tls.email):
        faults.append(f"address {endpoint.tls.email!r}")
    if faults:
        raise SiteRefused(f"the endpoint {endpoint.name} cannot be served: {', '.join(faults)}")


def _tls(endpoint: Endpoint, name: str) -> str:
    match endpoint.tls.mode:
        case "none":
            return ""
        case "internal":
            return "\ttls internal\n"
        case "acme":
            return f"\ttls {endpoint.tls.email}\n" if endpoint.tls.email else ""
        case "secret":
            return f"\ttls {SITES}/{name}.crt {SITES}/{name}.key\n"


def _body(ref: Ref, endpoint: Endpoint) -> str:
    _check(endpoint)
    lines = ["\trequest_body {", f"\t\tmax_size {endpoint.max_body_bytes}", "\t}"]
    for route in sorted(endpoint.routes, key=lambda item: (-len(item.path), item.path)):
        lines += _route(ref, route)
    return "\n".join(lines) + "\n"


def _route(ref: Ref, route: Route) -> list[str]:
    """Replicas are looked up again and again: one that was replaced has another address. No time-out cuts a long report."""
    # No `flush_interval -1`: with it every reload cuts what is under way (Caddy 2.6.2). Streams are passed on at once anyway.
    # One that went is asked in vain until the next look: a second at most each time, and longer tried than that lasts.
    matcher = "" if route.path == "/" else f"{route.path}* "
    return [
        f"\thandle {matcher}{{",
        "\t\treverse_proxy {",
        "\t\t\tdynamic a {",
        f"\t\t\t\tname {child(ref, route.role)}",
        f"\t\t\t\tport {route.port}",
        "\t\t\t\trefresh 2s",
        "\t\t\t}",
        "\t\t\tlb_try_duration 10s",
        "\t\t\ttransport http {",
        "\t\t\t\tdial_timeout 1s",
        "\t\t\t}",
        "\t\t}",
        "\t}",
    ]
