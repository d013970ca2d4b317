# SPDX-License-Identifier: Apache-2.0
"""An instance with its server and what publishes it, as a stack of containers that other programs can run; pure.

Says what the target would make of a `Desired`, without the labels that make it Mooring's: names, users, limits, volumes and
files are the same, so that a stack can take over the data while Mooring's own containers are gone. Reads no secret; `compose`
and `quadlet` turn a stack into text. Called by control's `render`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mooring.domain.model.desired import Desired, File, Folder
from mooring.domain.model.identity import Ref, child
from mooring.domain.model.secret import SecretKey
from mooring.errors import FailedError, UsageError
from mooring.targets.docker import caddyfile, networks, sites
from mooring.targets.docker import labels as tag
from mooring.targets.docker.boxes import Attachment, Box, BoxMount, Publish, box_mounts
from mooring.targets.docker.images import portable_image
from mooring.targets.docker.options import DockerOptions
from mooring.targets.docker.plan import Unit, plan_units

INSTANCE_NET, SERVER_NET, PUBLISH_NET = "instance", "server", "publish"
FILES, FOLDERS = "files", "addons"
_ORDER = ("web", "cron", "mail", "database", "gateway", "ingress")


class PortUnknown(FailedError):
    """The instance has no address yet, so that the port to publish is not chosen."""

    code = "MOOR-345"
    reason = "PortUnknown"
    default_resolution = "Apply the instance first, or give service.port in its manifest."


class NotRenderable(UsageError):
    """Something in the instance cannot be written in this format."""

    code = "MOOR-346"
    reason = "NotRenderable"
    default_resolution = "Use the other format, or change what is named in the manifest."


@dataclass(frozen=True)
class StackNetwork:
    """A network of a stack.

    Attributes:
        key: `instance`, `server` or `publish`.
        name: what the target calls it.
        internal: nothing outside can be reached from it.
    """

    key: str
    name: str
    internal: bool


@dataclass(frozen=True)
class Service:
    """A role of a stack.

    Attributes:
        name: `web`, `cron`, `mail`, `database`, `gateway` or `ingress`, or a gateway's role where there are several.
        boxes: one a replica; they differ in their names only.
        needs: services that must be up before it.
    """

    name: str
    boxes: tuple[Box, ...]
    needs: tuple[str, ...] = ()

    @property
    def box(self) -> Box:
        """The first replica."""
        return self.boxes[0]


@dataclass(frozen=True)
class Stack:
    """Everything that runs for one instance.

    Attributes:
        ref: the instance.
        server: its managed server; None where Mooring runs none for it.
        networks: by their key.
    """

    ref: Ref
    server: Ref | None
    services: tuple[Service, ...]
    networks: Mapping[str, StackNetwork]

    def mounts(self) -> tuple[BoxMount, ...]:
        """Every volume once, by name."""
        found = {mount.volume: mount for one in self.services for mount in one.box.mounts}
        return tuple(found[name] for name in sorted(found))

    def network_key(self, name: str) -> str:
        """The key of the network that the target calls `name`."""
        return next(one.key for one in self.networks.values() if one.name == name)


@dataclass(frozen=True)
class StackFile:
    """A file beside the text, at `path` relative to it."""

    path: str
    file: File


@dataclass(frozen=True)
class StackFolder:
    """A folder beside the text, at `path` relative to it."""

    path: str
    folder: Folder


def decide_stack(
    instance: Desired, server: Desired | None, options: DockerOptions, *, ports: Mapping[str, int]
) -> Stack:
    """The stack of an instance.

    Args:
        instance: what is wanted of it.
        server: what is wanted of its managed server; None without one.
        options: settings of the target.
        ports: endpoint → port that it publishes now, for endpoints that leave the choice to the target.

    Raises:
        PortUnknown: an endpoint has no port yet.
        NotRenderable: a few places outside are all that it may reach.
        SiteRefused: a host name, path or address cannot be served.
    """
    closed = instance.policy.egress == "none"
    if closed and instance.policy.allow:
        allowed = ", ".join(f"{item.host}:{item.port}" for item in instance.policy.allow)
        raise NotRenderable(
            f"{instance.ref} may reach nothing but {allowed}, which these formats cannot hold it to",
            resolution="Run the instance with Mooring itself, or give it a managed database server.",
        )
    nets = {INSTANCE_NET: StackNetwork(INSTANCE_NET, child(instance.ref, networks.MAIN), closed)}
    services: list[Service] = []
    if server is not None:
        name = child(server.ref, networks.MAIN)
        nets[SERVER_NET] = StackNetwork(SERVER_NET, name, server.policy.egress == "none")
        linked = {(link.to, link.role) for link in instance.links}
        for unit in plan_units(server, options):
            joined = [INSTANCE_NET] if (server.ref, unit.workload.role) in linked else []
            services.append(_service(server, unit, [nets[key] for key in (SERVER_NET, *joined)]))
    databases = tuple(one.name for one in services)
    units = plan_units(instance, options)
    gateways = [unit for unit in units if unit.purpose == "gateway"]
    if closed and (gateways or any(one.hosts for one in instance.endpoints)):
        nets[PUBLISH_NET] = StackNetwork(PUBLISH_NET, child(instance.ref, networks.PUBLISH), internal=False)
    own = [unit for unit in units if unit.purpose != "gateway"]
    services += [_service(instance, unit, [nets[INSTANCE_NET]], needs=databases) for unit in own]
    web = tuple(one.name for one in services if one.name == "web")
    outside = (Attachment(nets[PUBLISH_NET].name),) if PUBLISH_NET in nets else ()
    for unit in gateways:
        made = _service(instance, unit, [nets[INSTANCE_NET]], needs=web)
        box = _published(made.box, instance, unit, ports)
        box = dataclasses.replace(box, networks=(*outside, *box.networks))
        name = "gateway" if len(gateways) == 1 else made.name
        services.append(Service(name, (box,), web))
    ingress = _ingress(instance, options, (*outside, Attachment(nets[INSTANCE_NET].name)))
    if ingress is not None:
        services.append(Service("ingress", (ingress,), web))
    order = {name: number for number, name in enumerate(_ORDER)}
    services.sort(key=lambda one: (order.get(one.name.partition("-")[0], len(order)), one.name))
    return Stack(instance.ref, server.ref if server is not None else None, tuple(services), nets)


def decide_box(want: Desired, unit: Unit, index: int, *, attachments: tuple[Attachment, ...]) -> Box:
    """A replica as the target makes it, without its labels; a gateway's publishing is not in it."""
    workload = unit.workload
    return Box(
        name=tag.replica_name(want.ref, workload.role, index),
        ref=want.ref,
        identity=want.identity,
        role=workload.role,
        purpose=unit.purpose,
        image=workload.image.reference,
        argv=workload.argv,
        user=workload.user,
        restart=True,
        fingerprint=unit.fingerprint,
        env=workload.env,
        files=workload.files,
        mounts=box_mounts(want.ref, workload.mounts),
        folders=workload.folders,
        resources=workload.resources,
        networks=attachments,
        stop_grace_s=workload.stop_grace_s,
        stop_signal=workload.stop_signal,
        shm_bytes=workload.shm_bytes,
        probe=workload.probe,
    )


def stack_files(stack: Stack) -> tuple[StackFile, ...]:
    """Files of all services, each where its service looks for it."""
    return tuple(StackFile(file_path(one, file), file) for one in stack.services for file in one.box.files)


def stack_folders(stack: Stack) -> tuple[StackFolder, ...]:
    """Folders of all services; those that services share are there once."""
    found = {folder_path(folder): folder for one in stack.services for folder in one.box.folders}
    return tuple(StackFolder(path, found[path]) for path in sorted(found))


def file_path(service: Service, file: File) -> str:
    """Where a file lies, relative to the text."""
    return f"{FILES}/{service.name}{file.path}"


def folder_path(folder: Folder) -> str:
    """Where a folder lies, relative to the text."""
    return f"{FOLDERS}/{folder.path.rstrip('/').rpartition('/')[2]}"


def has_secrets(stack: Stack) -> bool:
    """Whether any file has a slot for a secret."""
    return any(True for one in stack_files(stack) for _ in one.file.secrets())


def render_holes(file: File) -> str:
    """A file's text with the names of its secrets in the place of their values."""
    return "".join(part if isinstance(part, str) else f"<secret {part.ref.name}/{part.key}>" for part in file.parts)


def check_text(stack: Stack) -> None:
    """Refuse what no text can hold.

    Raises:
        NotRenderable: a control character in a command, a name or a path.
    """
    faults = [
        f"{one.name}: {word[:60]!r}"
        for one in stack.services
        for word in _words(one.box)
        if any(ord(letter) < 32 and letter not in "\n\t" for letter in word)
    ]
    if faults:
        raise NotRenderable(f"Control characters cannot be written: {'; '.join(faults)}.")


def _words(box: Box) -> Iterator[str]:
    yield from box.argv
    yield from box.probe.argv if box.probe is not None else ()
    for pair in box.env:
        yield from pair
    yield from (file.path for file in box.files)


def _service(
    want: Desired,
    unit: Unit,
    nets: list[StackNetwork],
    *,
    needs: tuple[str, ...] = (),
) -> Service:
    aliases = (child(want.ref, unit.workload.role),)
    attachments = tuple(Attachment(one.name, aliases) for one in nets)
    boxes = tuple(
        dataclasses.replace(
            decide_box(want, unit, index, attachments=attachments), image=portable_image(unit.workload.image)
        )
        for index in range(unit.workload.replicas)
    )
    return Service(unit.workload.role, boxes, needs)


def _published(box: Box, want: Desired, unit: Unit, ports: Mapping[str, int]) -> Box:
    endpoint = unit.workload.role.removeprefix("gateway-")
    port = unit.port or ports.get(endpoint)
    if port is None:
        raise PortUnknown(f"{want.ref} publishes no port for its endpoint {endpoint} yet.")
    return dataclasses.replace(box, capabilities=("NET_BIND_SERVICE",), publish=(Publish(caddyfile.HTTP, port),))


def _ingress(want: Desired, options: DockerOptions, attachments: tuple[Attachment, ...]) -> Box | None:
    """The shared ingress with the sites of this instance alone."""
    served = [endpoint for endpoint in want.endpoints if endpoint.hosts]
    if not served:
        return None
    box = sites.ingress_box(options, want.identity.installation)
    files = list(box.files)
    for endpoint in served:
        name = caddyfile.site_name(want.ref, endpoint)
        text = caddyfile.render_site(
            want.ref, want.identity, endpoint, http_port=options.http_port, https_port=options.https_port
        )
        files.append(File(f"{caddyfile.SITES}/{name}.caddy", (text,), *sites.USER))
        if endpoint.tls.mode == "secret" and endpoint.tls.secret is not None:
            for ending, key in (("crt", "tls.crt"), ("key", "tls.key")):
                slot = SecretKey(endpoint.tls.secret, key, endpoint.tls.version)
                files.append(File(f"{caddyfile.SITES}/{name}.{ending}", (slot,), *sites.USER))
    # Sites are files here: the volume that holds everybody's stays Mooring's.
    mounts = tuple(one for one in box.mounts if one.path != caddyfile.SITES)
    return dataclasses.replace(box, files=tuple(files), mounts=mounts, networks=attachments)
