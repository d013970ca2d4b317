# SPDX-License-Identifier: Apache-2.0
"""What an installation decides about its container engine, and what no container engine can honour."""

from __future__ import annotations

from dataclasses import dataclass

from mooring.drivers.settings import DockerSettings
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


_STANDARD = DockerSettings()


@dataclass(frozen=True)
class DockerOptions:
    """Settings of the Docker target; what the configuration file may say has its defaults there.

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

    network_pool: str = str(_STANDARD.network_pool)
    network_prefix: int = _STANDARD.network_prefix
    ingress_image: str = _STANDARD.ingress.image
    ingress_name: str = "mooring-ingress"
    engine_image: str = _STANDARD.engine_image
    http_port: int = _STANDARD.ingress.http_port
    https_port: int = _STANDARD.ingress.https_port
    publish_ports: tuple[int, int] = (_STANDARD.publish_ports.first, _STANDARD.publish_ports.last)
    log_bytes: int = 10 * 1024 * 1024
    log_files: int = 3
    pids_limit: int = 4096
    pull_idle_s: float = 60.0
