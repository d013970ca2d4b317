# SPDX-License-Identifier: Apache-2.0
"""The workload of a managed PostgreSQL server. Nothing here knows Odoo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from mooring.api.common import ManagedPostgres
from mooring.domain.model.desired import (
    Desired,
    File,
    Mount,
    Policy,
    Probe,
    Resources,
    SecretSpec,
    Volume,
    Workload,
)
from mooring.domain.model.identity import Identity, Ref, child
from mooring.domain.model.release import ResolvedRelease
from mooring.domain.model.secret import SecretKey, SecretRef
from mooring.domain.postgres.bootstrap import PASS_FILE as PASS_NAME
from mooring.domain.postgres.bootstrap import STOP_SIGNAL, SUPERUSER, argv_postgres
from mooring.domain.postgres.conf import decide_max_connections, render_hba, render_postgresql_conf
from mooring.domain.task import TaskSpec

ROLE = "database"
# The official images declare this folder as a volume up to 17 and its parent from 18 on; Debian's have the parent.
ROOT = "/var/lib/postgresql/data"
PASSWORD_FILE = "/etc/mooring/superuser-password"  # noqa: S105 - a path
PASS_FILE = f"{ROOT}/{PASS_NAME}"
CONFIG_FILE = "/etc/mooring/postgresql.conf"
HBA_FILE = "/etc/mooring/pg_hba.conf"
USERS_FILE = "/etc/passwd"
DEFAULT_MEMORY = 1 << 30
SHM_BYTES = 256 << 20
STOP_GRACE_S = 60
PORT = 5432


@dataclass(frozen=True)
class ServerSubject:
    """A managed server, resolved.

    Attributes:
        user: (uid, gid) of the image's `postgres`.
        password: slot of the superuser's password.
        written: JSON of the whole spec as a person wrote it, for whoever lost the record.
    """

    ref: Ref
    identity: Identity
    spec: ManagedPostgres
    image: ResolvedRelease
    user: tuple[int, int]
    password: SecretKey
    written: str = "{}"

    @property
    def max_connections(self) -> int:
        """What the server is set to."""
        return decide_max_connections(self.spec.parameters)


def server_secret(ref: Ref) -> SecretRef:
    """The secret with the keys `user` and `password` of a managed server's superuser."""
    return SecretRef(ref.namespace, f"{ref.name}-superuser")


def server_host(ref: Ref) -> str:
    """The DNS name under which instances reach a managed server."""
    return child(ref, ROLE)


def decide_server(subject: ServerSubject) -> Desired:
    """Everything that is wanted of a managed server.

    Raises:
        ServerConfigRefused: parameters or memory cannot work.
    """
    uid, gid = subject.user
    limits = subject.spec.resources
    memory = limits.memory.bytes if limits is not None and limits.memory is not None else DEFAULT_MEMORY
    cpu = limits.cpu.millicores if limits is not None and limits.cpu is not None else None
    conf = render_postgresql_conf(
        memory_bytes=memory,
        major=subject.spec.version,
        max_connections=subject.max_connections,
        parameters=subject.spec.parameters,
    )

    def file(path: str, *parts: str | SecretKey) -> File:
        return File(path, parts, uid=uid, gid=gid)

    workload = Workload(
        role=ROLE,
        replicas=1,
        image=subject.image,
        argv=argv_postgres(
            root=ROOT,
            major=subject.spec.version,
            password_file=PASSWORD_FILE,
            config_file=CONFIG_FILE,
            hba_file=HBA_FILE,
        ),
        user=subject.user,
        env=(("PGDATA", f"{ROOT}/data"),),
        files=(
            file(PASSWORD_FILE, subject.password, "\n"),
            file(CONFIG_FILE, conf),
            file(HBA_FILE, render_hba()),
        ),
        mounts=(Mount(ROLE, ROOT, uid=uid, gid=gid, mode=0o700),),
        resources=Resources(cpu, memory),
        ports=(PORT,),
        probe=Probe(
            # Over TCP like everybody, with no password in its argv: the start wrote libpq's own file.
            (
                "env",
                f"PGPASSFILE={PASS_FILE}",
                "PGCONNECT_TIMEOUT=5",
                "psql",
                "--no-psqlrc",
                "--no-password",
                "--quiet",
                "--tuples-only",
                "--host=127.0.0.1",
                f"--port={PORT}",
                f"--username={SUPERUSER}",
                "--dbname=postgres",
                "--command=SELECT 1",
            ),
            timeout_s=10,
        ),
        stop_grace_s=STOP_GRACE_S,
        stop_signal=STOP_SIGNAL,
        shm_bytes=SHM_BYTES,
    )
    return Desired(
        ref=subject.ref,
        identity=subject.identity,
        workloads=(workload,),
        volumes=(Volume(ROLE, subject.spec.storage_size.bytes, subject.spec.storage_class),),
        secrets=(SecretSpec(subject.password.ref, ("user", "password")),),
        policy=Policy("none"),
        notes=(("spec", subject.written),),
    )


def server_probe_task(place: Ref, identity: Identity, image: ResolvedRelease) -> TaskSpec:
    """Asks an image for its users: the number of `postgres` differs between images."""
    digest = image.digest.removeprefix("sha256:")[:12]
    return TaskSpec(
        name=child(place, f"users-{digest}"),
        place=place,
        identity=identity,
        image=image,
        argv=("cat", USERS_FILE),
        deadline=timedelta(minutes=2),
    )
