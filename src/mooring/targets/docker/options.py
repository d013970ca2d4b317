# SPDX-License-Identifier: Apache-2.0
"""What an installation decides about its container engine, and what no container engine can honour."""

from __future__ import annotations

from dataclasses import dataclass

from mooring import __version__
from mooring.targets.base import Capabilities

UNSUPPORTED = frozenset(
    {
        "affinity",
        "database.managed.storageClass",
        "extraEnv",
        "extraEnvFrom",
        "filestore.accessMode",
        "filestore.storageClass",
        "git",
        "ingress.annotations",
        "ingress.className",
        "ingress.gatewayRef",
        "ingress.tls.issuer",
        "logs.storageSize",
        "neutralize.allowEgress",
        "nodeSelector",
        "podAnnotations",
        "priorityClassName",
        "probes",
        "service.annotations",
        "service.type",
        "tolerations",
        "topologySpreadConstraints",
    }
)
CAPABILITIES = Capabilities(name="docker", unsupported_fields=UNSUPPORTED)


@dataclass(frozen=True)
class DockerOptions:
    """Settings of the Docker target.

    Attributes:
        network_pool: subnets of our networks are taken from here.
        network_prefix: size of one of them.
        ingress_image: image of Caddy 2.
        ingress_name: name of the shared ingress; another one lets two installations serve hosts on one engine.
        engine_image: image of Mooring's own tasks.
        http_port: where the shared ingress listens for HTTP.
        https_port: where it listens for HTTPS.
        publish_ports: first and last port that endpoints without host names may get.
        log_bytes: size at which a container's log is rotated.
        log_files: how many rotated logs are kept.
        pids_limit: most processes and threads of one container.
        pull_idle_s: seconds of silence after which a pull is given up.
    """

    network_pool: str = "10.213.0.0/16"
    network_prefix: int = 27
    ingress_image: str = "caddy:2"
    ingress_name: str = "mooring-ingress"
    engine_image: str = f"mooring-engine:{__version__}"
    http_port: int = 80
    https_port: int = 443
    publish_ports: tuple[int, int] = (18069, 18568)
    log_bytes: int = 10 * 1024 * 1024
    log_files: int = 3
    pids_limit: int = 4096
    pull_idle_s: float = 60.0
