# SPDX-License-Identifier: Apache-2.0
"""Docker and Podman as a place that runs instances. Knows containers, networks and volumes; neither Odoo nor PostgreSQL."""

from mooring.targets.docker.options import DockerOptions
from mooring.targets.docker.target import DockerTarget

__all__ = ["DockerOptions", "DockerTarget"]
