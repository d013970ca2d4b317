# SPDX-License-Identifier: Apache-2.0
"""The shared ingress: one Caddy for all instances of the engine, one file a site.

Adding, changing or removing a site writes that site's files and asks Caddy to read its files again, which interrupts
nobody. A site is tried alone before the running ingress sees it.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from mooring.domain.model.desired import Endpoint, File, Resources
from mooring.domain.model.identity import Identity, Ref, child
from mooring.domain.model.observed import EndpointSeen, ObjectSeen
from mooring.domain.model.secret import SecretKey
from mooring.drivers.docker.archive import Entry, render_archive
from mooring.drivers.docker.engine import Engine
from mooring.targets.docker import caddyfile, ports
from mooring.targets.docker import labels as tag
from mooring.targets.docker.boxes import Attachment, Box, BoxMount, Publish, ensure_box
from mooring.targets.docker.networks import MAIN, PUBLISH, ensure_network, networks_of, remove_network
from mooring.targets.docker.options import DockerOptions
from mooring.targets.errors import Foreign, NameTaken, PortTaken, SiteRefused

KIND = "Ingress"
USER = (65532, 65532)
RELOAD_S = 10.0
REMEMBERED_S = 2.0
OTHER_PORTS = (
    "Stop what listens there (`ss -ltnp` names it), or set other ports with `docker.ingress.http_port` and "
    "`docker.ingress.https_port` in the settings."
)
Secret = Callable[[SecretKey], bytes]


# What the files of an engine's ingress said, and when: every owner's pass asks, and they are read by an archive.
_read: WeakKeyDictionary[Engine, tuple[float, str, dict[str, Mapping[str, Any]]]] = WeakKeyDictionary()


def ingress_owner(options: DockerOptions) -> Ref:
    """The shared ingress belongs to no instance; this stands on what is its own."""
    return Ref(KIND, "mooring", options.ingress_name)


def ingress_box(options: DockerOptions, installation: str) -> Box:
    """The shared ingress; pure."""
    main = File(caddyfile.MAIN_FILE, (caddyfile.render_main(),), mode=0o644)
    box = Box(
        name=options.ingress_name,
        ref=ingress_owner(options),
        identity=Identity(installation, "ingress"),
        role="ingress",
        purpose="ingress",
        image=options.ingress_image,
        argv=("caddy", "run", "--config", caddyfile.MAIN_FILE, "--adapter", "caddyfile"),
        user=USER,
        restart=True,
        env=(("XDG_CONFIG_HOME", "/data/config"), ("XDG_DATA_HOME", "/data"), ("HOME", "/data")),
        files=(main,),
        mounts=(
            BoxMount(f"{options.ingress_name}-data", "/data", *USER, 0o700),
            BoxMount(f"{options.ingress_name}-sites", caddyfile.SITES, *USER, 0o700),
        ),
        resources=Resources(memory_bytes=512 << 20),
        publish=(
            Publish(caddyfile.HTTP, options.http_port, ""),
            Publish(caddyfile.HTTPS, options.https_port, ""),
        ),
        # The official image's program carries this file capability, and does not start where it is out of reach.
        capabilities=("NET_BIND_SERVICE",),
    )
    facts = (options.ingress_image, str(options.http_port), str(options.https_port), caddyfile.render_main())
    return _marked(box, facts)


def _marked(box: Box, facts: tuple[str, ...]) -> Box:
    return dataclasses.replace(box, fingerprint=tag.digest(list(facts)))


def observe_sites(
    engine: Engine,
    options: DockerOptions,
    ref: Ref,
    nets: list[str],
    objects: dict[str, ObjectSeen],
    *,
    live: bool = True,
) -> dict[str, EndpointSeen]:
    """Put the ingress and the sites of `ref` into `objects`; the endpoints that are served.

    Args:
        live: read the files now; else what another process wrote into them is seen up to two seconds late.
    """
    item = engine.container(options.ingress_name)
    if item is None:
        return {}
    labels = (item.get("Config") or {}).get("Labels") or {}
    running = bool(item["State"].get("Running"))
    heads = _known_sites(engine, str(item["Id"]), options.ingress_name, live=live)
    attached = networks_of(item)
    hosts = {host: [head["kind"], head["namespace"], head["name"]] for head in heads.values() for host in head["hosts"]}
    objects[f"ingress {options.ingress_name}"] = ObjectSeen(
        "ingress",
        options.ingress_name,
        labels.get(tag.FINGERPRINT, ""),
        tag.identity_of(labels),
        {
            "state": "running" if running else "exited",
            "networks": ",".join(sorted(set(attached) & set(nets))),
            "hosts": json.dumps(hosts, sort_keys=True),
        },
    )
    served: dict[str, EndpointSeen] = {}
    for name, head in heads.items():
        if Ref(head["kind"], head["namespace"], head["name"]) != ref:
            continue
        identity = Identity(head["installation"], head["instance"])
        objects[f"site {name}"] = ObjectSeen("site", name, head["fingerprint"], identity, {"role": head["endpoint"]})
        if running:
            served[head["endpoint"]] = EndpointSeen(head["endpoint"], head["url"])
    return served


def _known_sites(engine: Engine, container: str, name: str, *, live: bool) -> dict[str, Mapping[str, Any]]:
    known = _read.get(engine)
    if not live and known is not None and known[1] == container and time.monotonic() - known[0] < REMEMBERED_S:
        return known[2]
    begun = time.monotonic()
    heads = read_sites(engine, name)
    if _read.get(engine) is known:  # else a site was written meanwhile
        _read[engine] = (begun, container, heads)
    return heads


def _forget(engine: Engine) -> None:
    _read[engine] = (0.0, "", {})


def read_sites(engine: Engine, name: str) -> dict[str, Mapping[str, Any]]:
    """The first lines of all sites of the ingress, by the site's name."""
    found: dict[str, Mapping[str, Any]] = {}
    for path, content in (engine.download(name, caddyfile.SITES) or {}).items():
        site = path.rpartition("/")[2]
        head = caddyfile.read_head(content.decode(errors="replace")) if site.endswith(".caddy") else None
        if head is not None:
            found[site.removesuffix(".caddy")] = head
    return found


def ensure_ingress(engine: Engine, options: DockerOptions, installation: str, fill: Callable[[File], bytes]) -> None:
    """Make or start the ingress. One that is replaced goes back to the networks of all its sites before it starts.

    One that serves stays when its new ports are taken: sites on the old ones are more than none.

    Raises:
        Foreign: a stranger's container has its name.
        PortTaken: something else listens on its ports.
    """
    box = ingress_box(options, installation)
    item = engine.container(options.ingress_name)
    if item is not None:
        labels = (item.get("Config") or {}).get("Labels") or {}
        found = tag.identity_of(labels)
        if found is None or found.installation != installation:
            raise Foreign(
                f"container {options.ingress_name} is in the way of the ingress: it is not this installation's"
            )
        if labels.get(tag.FINGERPRINT) == box.fingerprint and item["State"].get("Status") != "created":
            _start(engine, options.ingress_name)
            return
        if item["State"].get("Running"):
            _check_ports(engine, options, item)
        engine.stop(options.ingress_name, grace_s=5)
        engine.remove(options.ingress_name)
    network = ensure_network(
        engine,
        options,
        ref=ingress_owner(options),
        identity=box.identity,
        role=PUBLISH,
        internal=False,
        fingerprint=box.fingerprint,
    )
    for mount in box.mounts:
        engine.create_volume(mount.volume, tag.owner_labels(ingress_owner(options), box.identity, mount.volume))
    try:
        ensure_box(engine, dataclasses.replace(box, networks=(Attachment(network),)), options, fill)
    except NameTaken:
        # Another instance's pass made it at the same moment.
        _start(engine, options.ingress_name)
        return
    for head in read_sites(engine, options.ingress_name).values():
        owner = child(Ref(head["kind"], head["namespace"], head["name"]), MAIN)
        if engine.network(owner) is not None:
            engine.connect(owner, options.ingress_name)
    _start(engine, options.ingress_name)


def _check_ports(engine: Engine, options: DockerOptions, item: Mapping[str, Any]) -> None:
    """Nothing when all ports that the ingress does not have yet can be had."""
    bindings = (item.get("HostConfig") or {}).get("PortBindings") or {}
    own = {str(entry.get("HostPort")) for entries in bindings.values() for entry in entries or ()}
    new = [port for port in (options.http_port, options.https_port) if port and str(port) not in own]
    taken = ports.first_taken(engine, new) if new else None
    if taken is not None:
        raise PortTaken(f"could not move the ingress to port {taken}: the port is in use", resolution=OTHER_PORTS)


def _start(engine: Engine, name: str) -> None:
    try:
        engine.start(name)
    except PortTaken as fault:
        raise PortTaken(fault.brief, details=fault.details, resolution=OTHER_PORTS) from fault


def ensure_site(
    engine: Engine, options: DockerOptions, ref: Ref, identity: Identity, endpoint: Endpoint, *, secret: Secret
) -> None:
    """Write a site and let the ingress serve it.

    Raises:
        SiteRefused: Caddy does not accept it; it was taken away again, the others were not touched.
    """
    name = caddyfile.site_name(ref, endpoint)
    text = caddyfile.render_site(ref, identity, endpoint, http_port=options.http_port, https_port=options.https_port)
    entries = [_entry(f"{name}.new", text.encode()), _entry(f"{name}.check", caddyfile.render_check(name).encode())]
    if endpoint.tls.mode == "secret" and endpoint.tls.secret is not None:
        for ending, key in (("crt", "tls.crt"), ("key", "tls.key")):
            content = secret(SecretKey(endpoint.tls.secret, key, endpoint.tls.version))
            entries.append(_entry(f"{name}.{ending}", content))
    engine.upload(options.ingress_name, caddyfile.SITES, render_archive(entries))
    check = f"{caddyfile.SITES}/{name}.check"
    code, words = engine.run(
        options.ingress_name,
        ["caddy", "validate", "--config", check, "--adapter", "caddyfile"],
        timeout_s=30,
        user=_user(),
    )
    if code != 0:
        _delete(engine, options.ingress_name, [f"{name}.new", f"{name}.check"])
        raise SiteRefused(f"the ingress does not accept the endpoint {endpoint.name} of {ref}", details=words[-2000:])
    engine.upload(options.ingress_name, caddyfile.SITES, render_archive([_entry(f"{name}.caddy", text.encode())]))
    _forget(engine)
    _delete(engine, options.ingress_name, [f"{name}.new", f"{name}.check"])
    reload_sites(engine, options.ingress_name)


def remove_site(engine: Engine, options: DockerOptions, name: str) -> None:
    """Take a site away and let the ingress forget it; safe to repeat.

    With the last site the ingress goes too, and its ports are free again; certificates stay on its volume.
    """
    ingress = options.ingress_name
    item = engine.container(ingress)
    if item is None:
        return
    if not item["State"].get("Running"):
        engine.start(ingress)
    _delete(engine, ingress, [f"{name}.{ending}" for ending in ("caddy", "new", "check", "crt", "key")])
    _forget(engine)
    if read_sites(engine, ingress):
        reload_sites(engine, ingress)
        return
    engine.stop(ingress, grace_s=5)
    engine.remove(ingress)
    remove_network(engine, child(ingress_owner(options), PUBLISH))


def reload_sites(engine: Engine, ingress: str) -> None:
    """Let the ingress read its files again. Just after its start it needs a moment before it listens to us.

    Also when its configuration reads as before: a certificate may be another one under the same name.

    Raises:
        SiteRefused: it does not take them.
    """
    deadline = time.monotonic() + RELOAD_S
    while True:
        code, words = engine.run(
            ingress,
            ["caddy", "reload", "--force", "--config", caddyfile.MAIN_FILE, "--adapter", "caddyfile"],
            timeout_s=RELOAD_S,
            user=_user(),
        )
        if code == 0:
            return
        if time.monotonic() > deadline:
            raise SiteRefused("the ingress does not read its sites again", details=words[-2000:])
        time.sleep(0.2)


def _delete(engine: Engine, ingress: str, names: list[str]) -> None:
    engine.run(ingress, ["rm", "-f", *(f"{caddyfile.SITES}/{name}" for name in names)], timeout_s=30, user=_user())


def _entry(name: str, content: bytes) -> Entry:
    return Entry(name, content, *USER, 0o600)


def _user() -> str:
    return f"{USER[0]}:{USER[1]}"
