# SPDX-License-Identifier: Apache-2.0
"""The configuration file `config.toml`: what a person sets once for all instances of this machine.

Read once by `main` and passed down; nobody below reads it again. A file that is missing means all defaults; a file with
mistakes is refused with all of them, and nothing of it is used. It never writes the file.

    default_target = "docker"
    [docker]
    network_pool = "10.213.0.0/16"
    network_prefix = 28
    publish_ports = "18069-19068"
    engine_image = "mooring-engine:0.1.0"
    [docker.ingress]
    http_port = 80
    https_port = 443
    image = "caddy:2"
    [defaults]
    image = "odoo:19.0"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path

from mooring import __version__
from mooring.drivers.files import file_errors
from mooring.drivers.paths import NoHome, user_dir
from mooring.drivers.settings_table import Table
from mooring.errors import UsageError

ROOT_SETTINGS = Path("/etc/mooring/config.toml")
TARGETS = ("docker",)
NETWORK_POOL = IPv4Network("10.213.0.0/16")
_MAX_BYTES = 1024 * 1024


class BadSettings(UsageError):
    """The configuration file has mistakes."""

    code = "MOOR-530"
    reason = "BadSettings"


@dataclass(frozen=True)
class PortRange:
    """TCP ports from `first` to `last`, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        """As it is written in the file: `first-last`."""
        return f"{self.first}-{self.last}"


@dataclass(frozen=True)
class IngressSettings:
    """The shared ingress of an engine.

    Attributes:
        http_port: port of the machine for HTTP.
        https_port: port of the machine for HTTPS.
        image: Caddy's image.
    """

    http_port: int = 80
    https_port: int = 443
    image: str = "caddy:2"


@dataclass(frozen=True)
class DockerSettings:
    """The `docker` target.

    Attributes:
        network_pool: private IPv4 range that the networks of instances are cut from; must collide with nothing near.
        network_prefix: prefix length of each such network; 28 leaves 13 addresses beside the gateway.
        publish_ports: loopback ports for instances without a host of their own.
        engine_image: image that tasks run in.
        ingress: the shared ingress.
    """

    network_pool: IPv4Network = NETWORK_POOL
    network_prefix: int = 28
    publish_ports: PortRange = PortRange(18069, 19068)
    engine_image: str = f"mooring-engine:{__version__}"
    ingress: IngressSettings = IngressSettings()


@dataclass(frozen=True)
class DefaultSettings:
    """What a manifest gets for what it leaves out.

    Attributes:
        image: Odoo's image; None is the newest that this Mooring knows.
    """

    image: str | None = None


@dataclass(frozen=True)
class Settings:
    """All of the file.

    Attributes:
        default_target: the target of commands without `-t`.
        docker: see there.
        defaults: see there.
    """

    default_target: str = "docker"
    docker: DockerSettings = field(default_factory=DockerSettings)
    defaults: DefaultSettings = field(default_factory=DefaultSettings)


def default_settings_path(environ: Mapping[str, str], uid: int) -> Path:
    """/etc/mooring/config.toml for root, else `mooring/config.toml` in XDG_CONFIG_HOME or ~/.config. Pure.

    Args:
        environ: the process's environment.
        uid: the effective user id.

    Raises:
        NoHome: HOME is needed and not set.
    """
    if uid == 0:
        return ROOT_SETTINGS
    try:
        folder = user_dir(environ, "XDG_CONFIG_HOME", ".config")
    except NoHome as error:
        # MOORING_HOME, which the error names otherwise, says only where the state is.
        raise NoHome(
            f"{error.brief} The configuration file is below it.",
            resolution="Set HOME or XDG_CONFIG_HOME, as an absolute path.",
        ) from error
    return Path(folder / "mooring" / "config.toml")


def load_settings(path: Path) -> Settings:
    """Read the file; all defaults where there is none.

    Raises:
        BadSettings: it is no TOML, or has unknown keys or bad values; all of them are in the details, one a line.
        NotWritable: this user may not read it.
    """
    with file_errors(path):
        try:
            with path.open("rb") as file:
                data = file.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return Settings()
    if len(data) > _MAX_BYTES:
        raise BadSettings(f"{path} is longer than 1 MiB.")
    try:
        return parse_settings(data.decode(), source=str(path))
    except UnicodeDecodeError as error:
        raise BadSettings(f"{path} is not UTF-8 text.") from error


def parse_settings(text: str, *, source: str) -> Settings:
    """Settings from the text of a file; pure.

    Args:
        text: TOML.
        source: how errors call it.

    Raises:
        BadSettings: as `load_settings`.
    """
    try:
        root = Table(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadSettings(f"{source} is not TOML: {error}.") from error
    docker = root.table("docker")
    ingress = docker.table("ingress")
    defaults = root.table("defaults")
    standard = DockerSettings()
    pool = docker.private_network("network_pool", standard.network_pool)
    first, last = docker.port_range("publish_ports", (standard.publish_ports.first, standard.publish_ports.last))
    settings = Settings(
        default_target=root.choice("default_target", "docker", TARGETS),
        docker=DockerSettings(
            network_pool=pool,
            network_prefix=docker.integer("network_prefix", standard.network_prefix, low=pool.prefixlen, high=29),
            publish_ports=PortRange(first, last),
            engine_image=docker.text("engine_image", standard.engine_image),
            ingress=IngressSettings(
                http_port=ingress.integer("http_port", standard.ingress.http_port, low=1, high=65535),
                https_port=ingress.integer("https_port", standard.ingress.https_port, low=1, high=65535),
                image=ingress.text("image", standard.ingress.image),
            ),
        ),
        defaults=DefaultSettings(image=defaults.text("image", "") or None),
    )
    both = settings.docker.ingress
    if both.http_port == both.https_port:
        ingress.complain("https_port", "is the same as http_port")
    problems = root.finish()
    if problems:
        count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        raise BadSettings(f"{source} has {count}: {problems[0]}.", details="\n".join(problems))
    return settings
