# SPDX-License-Identifier: Apache-2.0
"""What is wanted of the target for one instance: web, cron, their volume, how they are reached, what they may reach."""

from __future__ import annotations

from dataclasses import replace

from mooring.api.instance_network import TlsSpec
from mooring.domain.instance.conf import EVENTED_PORT, WEB_PORT, decide_instance_sizing, odoo_conf_file
from mooring.domain.instance.status import without_secrets
from mooring.domain.instance.subject import DATA_DIR, MAIL, MAIL_PORT, Subject
from mooring.domain.instance.tasks import (
    addon_mounts,
    certificate_for_odoo,
    filestore_mount,
    links,
    odoo_env,
    reachable,
)
from mooring.domain.lifecycle import Output
from mooring.domain.mailsink import (
    MAIL_FOLDER,
    SINK_ARGV,
    SINK_MEMORY_BYTES,
    SINK_PATH,
    SINK_USER,
    VOLUME_BYTES,
    SinkDocument,
    dump_sink,
)
from mooring.domain.model.desired import (
    Desired,
    Endpoint,
    File,
    Mount,
    Policy,
    Probe,
    Resources,
    Route,
    SecretSpec,
    Tls,
    Volume,
    Workload,
)
from mooring.domain.model.release import ENGINE_RELEASE
from mooring.domain.model.secret import SecretRef
from mooring.domain.odoo.argv import argv_serve
from mooring.domain.operations.plan import Hold

WEB = "web"
CRON = "cron"
STOP_GRACE_S = 30

# Runs in Odoo's own Python (3.6 and later): 200 of the login page is the whole way through registry and database, which
# /web/health is not (it answers 200 while PostgreSQL is down).
_LOGIN_PROBE = (
    "import sys,http.client as h;"
    "c=h.HTTPConnection('127.0.0.1',int(sys.argv[1]),timeout=8);"
    "c.request('GET',sys.argv[2],headers={'User-Agent':'mooring-probe'});"
    "sys.exit(0 if c.getresponse().status==200 else 1)"
)
# A cron process has no port: it is ready while it holds a connection to the database server (state 01). Where its threads
# sleep between looks, one that the server closed stays (state 08) until the next look makes a new one: what counts then is
# that the server, whose name such a process is asked with, can be reached.
_CRON_PROBE = (
    "import glob,socket,sys;"
    "port=int(sys.argv[1]);"
    "rows=[l.split() for f in glob.glob('/proc/net/tcp*') for l in open(f).readlines()[1:]];"
    "held={r[3] for r in rows if r[2].endswith(':%04X'%port)};"
    "asleep='08' in held and sys.argv[2:];"
    "sys.exit(0 if '01' in held or asleep and socket.create_connection((sys.argv[2],port),timeout=5) else 1)"
)


def decide_desired(subject: Subject, output: Output, hold: Hold) -> Desired:
    """The whole of what is wanted: what the lifecycle asks for, less what the hold forbids.

    Raises:
        ResourcesRefused, ConnectionsRefused, ConfigRefused: the spec cannot be carried out.
    """
    mail = 1 if subject.staging and output.web else 0
    web = subject.spec.replicas if output.web and not hold.web else 0
    cron = subject.spec.cron.replicas if output.cron and not hold.cron else 0
    return Desired(
        ref=subject.ref,
        identity=subject.identity,
        workloads=tuple(one for one in (_mail(mail), _web(subject, web), _cron(subject, cron)) if one.replicas > 0),
        volumes=(
            Volume("filestore", subject.spec.filestore.storage_size.bytes),
            *((Volume(MAIL, VOLUME_BYTES),) if subject.staging else ()),
        ),
        secrets=(
            SecretSpec(subject.owner_secret, ("password",)),
            SecretSpec(subject.master_password.ref, (subject.master_password.key,)),
        ),
        endpoints=(decide_endpoint(subject),),
        policy=Policy("none", reachable(subject)) if subject.staging else Policy(),
        links=links(subject),
        notes=(("spec", _note(subject)),),
    )


def _note(subject: Subject) -> str:
    """The spec for whoever lost the record, without what may carry a secret in clear."""
    return without_secrets(subject.spec).model_dump_json(by_alias=True, exclude_unset=True, exclude={"webhook"})


def nothing(subject_ref: Desired) -> Desired:
    """The same owner with nothing wanted: what is left after a deletion that retains data."""
    return Desired(subject_ref.ref, subject_ref.identity, policy=subject_ref.policy, network=False)


def decide_endpoint(subject: Subject) -> Endpoint:
    """How people reach it; the evented route exists only where an evented process does."""
    spec = subject.spec
    routes = [Route("/", WEB, WEB_PORT)]
    if decide_instance_sizing(subject).web.has_evented:
        routes.insert(0, Route(subject.release.odoo.evented_route, WEB, EVENTED_PORT))
    ingress = spec.ingress
    hosts = tuple(host.lower() for host in ingress.hosts) if ingress else ()
    return Endpoint(
        name="http",
        routes=tuple(routes),
        hosts=hosts,
        tls=_tls(subject, ingress.tls if ingress else None),
        port=spec.service.port,
    )


def _tls(subject: Subject, tls: TlsSpec | None) -> Tls:
    if tls is None or tls.none:
        return Tls("none")
    if tls.acme_email:
        return Tls("acme", email=tls.acme_email)
    if tls.secret_name:
        ref = SecretRef(subject.ref.namespace, tls.secret_name)
        versions = "".join(subject.key(ref, key).version for key in ("tls.crt", "tls.key"))
        return Tls("secret", secret=ref, version=versions)
    return Tls("internal")


def _mail(replicas: int) -> Workload:
    """The sink of a Staging instance: it takes mail also while an operation keeps the others away."""
    uid, gid = SINK_USER
    return Workload(
        role=MAIL,
        replicas=replicas,
        image=ENGINE_RELEASE,
        argv=SINK_ARGV,
        user=SINK_USER,
        files=(File(SINK_PATH, (dump_sink(SinkDocument(MAIL_PORT)),), uid=uid, gid=gid),),
        mounts=(Mount(MAIL, MAIL_FOLDER, uid=uid, gid=gid),),
        resources=Resources(memory_bytes=SINK_MEMORY_BYTES),
        ports=(MAIL_PORT,),
        stop_grace_s=5,
    )


def _web(subject: Subject, replicas: int) -> Workload:
    release, limits = subject.release, subject.spec.resources
    facts = release.facts
    evented = decide_instance_sizing(subject).web.has_evented
    return Workload(
        role=WEB,
        replicas=replicas,
        image=release.release,
        argv=argv_serve(release.odoo, role="web", program=facts.program),
        user=(facts.uid, facts.gid),
        env=odoo_env(subject),
        files=(odoo_conf_file(subject, "web"), *certificate_for_odoo(subject, release)),
        mounts=(filestore_mount(release), *addon_mounts(subject)),
        folders=tuple(replace(folder, uid=facts.uid, gid=facts.gid) for folder in subject.folders),
        resources=Resources(limits.cpu.millicores, limits.memory.bytes),
        ports=(WEB_PORT, EVENTED_PORT) if evented else (WEB_PORT,),
        probe=Probe(
            ("python3", "-c", _LOGIN_PROBE, str(WEB_PORT), release.odoo.login_path),
            http=(WEB_PORT, release.odoo.login_path),
        ),
        stop_grace_s=STOP_GRACE_S,
    )


def _cron(subject: Subject, replicas: int) -> Workload:
    release, cron = subject.release, subject.spec.cron.resources
    facts, limits = release.facts, subject.spec.resources
    cpu = cron.cpu if cron is not None and cron.cpu is not None else limits.cpu
    memory = cron.memory if cron is not None and cron.memory is not None else limits.memory
    server = () if release.odoo.cron_listens else (subject.server.host,)
    return Workload(
        role=CRON,
        replicas=replicas,
        image=release.release,
        argv=argv_serve(release.odoo, role="cron", program=facts.program),
        user=(facts.uid, facts.gid),
        env=odoo_env(subject),
        files=(odoo_conf_file(subject, "cron"), *certificate_for_odoo(subject, release)),
        mounts=(filestore_mount(release), *addon_mounts(subject)),
        folders=tuple(replace(folder, uid=facts.uid, gid=facts.gid) for folder in subject.folders),
        resources=Resources(cpu.millicores, memory.bytes),
        probe=Probe(("python3", "-c", _CRON_PROBE, str(subject.server.port), *server)),
        stop_grace_s=STOP_GRACE_S,
    )


__all__ = ["CRON", "DATA_DIR", "MAIL", "WEB", "decide_desired", "decide_endpoint", "nothing"]
