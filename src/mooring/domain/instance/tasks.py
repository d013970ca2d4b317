# SPDX-License-Identifier: Apache-2.0
"""The tasks of one instance, as values: which runtime, on whose side, with which files.

An instance's own tasks hold its owner role and nothing else. Tasks that need a server's administrator run on the server's
side. The names are stems: operation and step are in them, the attempt is appended when a task starts.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from datetime import timedelta

from mooring.domain.instance.conf import odoo_conf_file
from mooring.domain.instance.environment import read_egress
from mooring.domain.instance.subject import ADDONS_DIR, DATA_DIR, PinnedRelease, Subject
from mooring.domain.model.desired import Destination, File, Link, Mount, Resources
from mooring.domain.model.identity import Identity, Ref, child
from mooring.domain.model.release import ResolvedRelease
from mooring.domain.model.secret import SecretKey, SecretRef
from mooring.domain.operations.plan import RunTask
from mooring.domain.task import DOCUMENT_PATH, TaskSpec
from mooring.domain.work.codec import Document
from mooring.domain.work.common import Connection
from mooring.domain.work.release_probe import SCRIPT as RELEASE_PROBE

SECRETS_DIR = "/run/mooring/secrets"
ADMIN_PASSWORD_FILE = f"{SECRETS_DIR}/admin-password"
OWNER_PASSWORD_FILE = f"{SECRETS_DIR}/owner-password"
USER_PASSWORD_FILE = f"{SECRETS_DIR}/user-password"
ROOT_CERTIFICATE_FILE = f"{SECRETS_DIR}/sslrootcert"
ODOO_ROOT_CERTIFICATE = "/etc/mooring/root.crt"
ENGINE_USER = (65532, 65532)


def task_stem(operation: Ref, step: str) -> str:
    """The stem of a task's name: it says operation and step, and leaves room for the attempt."""
    return child(operation, step, limit=48)


def engine_argv(document: Document) -> tuple[str, ...]:
    """The engine's command for `document`."""
    return ("mooring", "task", document.TASK, "--document", DOCUMENT_PATH)


def secret_file(path: str, key: SecretKey, user: tuple[int, int] = ENGINE_USER) -> File:
    """A 0600 file with one secret."""
    return File(path, (key,), uid=user[0], gid=user[1])


def links(subject: Subject) -> tuple[Link, ...]:
    """What the instance's processes reach outside their own network."""
    if subject.server.ref is None or not subject.server.managed:
        return ()
    return (Link(subject.server.ref, "database", subject.server.port),)


def destinations(subject: Subject) -> tuple[Destination, ...]:
    """What the instance's tasks reach of the world: the database server where others run it, else nothing."""
    server = subject.server
    if server.managed:
        return ()
    return (Destination(server.host, server.port, "PGHOSTADDR" if _is_address(server.host) else ""),)


def reachable(subject: Subject) -> tuple[Destination, ...]:
    """What Odoo's own processes reach of the world where nothing else may be: the above, and what a Staging spec opens."""
    return tuple(dict.fromkeys((*destinations(subject), *read_egress(subject))))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def admin_connection(subject: Subject, user: str) -> Connection:
    """The administrator's connection, for tasks on the server's side; its password is in `ADMIN_PASSWORD_FILE`."""
    return _connection(subject, user, ADMIN_PASSWORD_FILE)


def owner_connection(subject: Subject) -> Connection:
    """The owner role's connection; its password is in `OWNER_PASSWORD_FILE`."""
    return _connection(subject, subject.owner, OWNER_PASSWORD_FILE)


def _connection(subject: Subject, user: str, password_file: str) -> Connection:
    certificate = ROOT_CERTIFICATE_FILE if subject.server.root_certificate else None
    return Connection(
        host=subject.server.host,
        port=subject.server.port,
        user=user,
        password_file=password_file,
        sslmode=subject.server.sslmode,
        sslrootcert_file=certificate,
    )


def _certificate(subject: Subject) -> tuple[File, ...]:
    ref = subject.server.root_certificate
    return () if ref is None else (secret_file(ROOT_CERTIFICATE_FILE, subject.key(ref, "sslrootcert")),)


def admin_task(subject: Subject, stem: str, document: Document, *, owner_password: bool = False) -> RunTask:
    """A task with the administrator's rights: beside a managed server, else on the instance's side.

    Args:
        owner_password: the owner role's password is there too, to set it.
    """
    server = subject.server
    if server.admin is None:
        raise ValueError(f"{subject.ref} has no administrator for {document.TASK}")
    files = [secret_file(ADMIN_PASSWORD_FILE, subject.key(server.admin, "password")), *_certificate(subject)]
    if owner_password:
        files.append(secret_file(OWNER_PASSWORD_FILE, subject.key(subject.owner_secret, "password")))
    beside = server.ref is not None and server.identity is not None
    task = TaskSpec(
        name=stem,
        place=server.ref if beside and server.ref else subject.ref,
        identity=server.identity if beside and server.identity else subject.identity,
        argv=engine_argv(document),
        files=tuple(files),
        user=ENGINE_USER,
        allow=() if beside else destinations(subject),
        deadline=timedelta(hours=6),
    )
    return RunTask(task, document)


def owner_task(subject: Subject, stem: str, document: Document, *, admin_password: bool = False) -> RunTask:
    """A task with the owner role's rights, on the instance's side.

    Args:
        admin_password: the password of Odoo's user `admin` is there too, to set it.
    """
    files = [secret_file(OWNER_PASSWORD_FILE, subject.key(subject.owner_secret, "password")), *_certificate(subject)]
    if admin_password:
        files.append(secret_file(USER_PASSWORD_FILE, subject.admin_password))
    task = TaskSpec(
        name=stem,
        place=subject.ref,
        identity=subject.identity,
        argv=engine_argv(document),
        files=tuple(files),
        user=ENGINE_USER,
        links=links(subject),
        allow=destinations(subject),
        deadline=timedelta(hours=6),
    )
    return RunTask(task, document)


def filestore_task(subject: Subject, stem: str, document: Document) -> RunTask:
    """A task on the filestore, as Odoo's user, with no network to speak of."""
    facts = subject.release.facts
    task = TaskSpec(
        name=stem,
        place=subject.ref,
        identity=subject.identity,
        argv=engine_argv(document),
        mounts=(filestore_mount(subject.release),),
        user=(facts.uid, facts.gid),
        deadline=timedelta(hours=6),
    )
    return RunTask(task, document)


def odoo_task(
    subject: Subject,
    stem: str,
    argv: tuple[str, ...],
    *,
    release: PinnedRelease | None = None,
    files: tuple[File, ...] = (),
    probe: bool = False,
    deadline: timedelta = timedelta(hours=6),
) -> RunTask:
    """A run of Odoo's own program, with its data, until it ends.

    Args:
        release: another release than the instance's present one, for an upgrade.
        files: what it needs beyond odoo.conf.
        probe: it serves data that may be production's: one threaded process, no cron, and its database server is all that
            it reaches. Others also reach what `neutralize.allowEgress` opens, as web and cron do.
    """
    pinned = release or subject.release
    facts = pinned.facts
    conf = odoo_conf_file(replace(subject, release=pinned), "probe" if probe else "task")
    task = TaskSpec(
        name=stem,
        place=subject.ref,
        identity=subject.identity,
        image=pinned.release,
        argv=argv,
        files=(conf, *certificate_for_odoo(subject, pinned), *files),
        mounts=(filestore_mount(pinned), *addon_mounts(subject)),
        folders=tuple(replace(folder, uid=facts.uid, gid=facts.gid) for folder in subject.folders),
        env=odoo_env(subject),
        user=(facts.uid, facts.gid),
        resources=task_resources(subject),
        links=links(subject),
        allow=destinations(subject) if probe else reachable(subject),
        deadline=deadline,
    )
    return RunTask(task)


def task_resources(subject: Subject) -> Resources:
    """An upgrade loads every module in one process: it gets what a web replica gets, and at least 2 GiB."""
    limits = subject.spec.resources
    return Resources(cpu_millicores=None, memory_bytes=max(limits.memory.bytes, 2 << 30))


def filestore_mount(release: PinnedRelease) -> Mount:
    """The data folder, owned by the release's user."""
    return Mount("filestore", DATA_DIR, uid=release.facts.uid, gid=release.facts.gid)


def addon_mounts(subject: Subject) -> tuple[Mount, ...]:
    """Volumes with custom add-ons."""
    return tuple(
        Mount(name, f"{ADDONS_DIR}/volume-{name}", read_only=True, foreign=True) for name in subject.addon_volumes
    )


def certificate_for_odoo(subject: Subject, release: PinnedRelease) -> tuple[File, ...]:
    """The server's private authority, for Odoo's libpq."""
    ref = subject.server.root_certificate
    user = (release.facts.uid, release.facts.gid)
    return () if ref is None else (secret_file(ODOO_ROOT_CERTIFICATE, subject.key(ref, "sslrootcert"), user),)


def odoo_env(subject: Subject) -> tuple[tuple[str, str], ...]:
    """Odoo's environment: no secret, and nothing that Odoo 19 would prefer to its configuration file."""
    certificate = (("PGSSLROOTCERT", ODOO_ROOT_CERTIFICATE),) if subject.server.root_certificate else ()
    return (("HOME", DATA_DIR), *certificate)


def release_probe_task(place: Ref, identity: Identity, release: ResolvedRelease) -> TaskSpec:
    """Asks a release what it is; needs no network, no data and no rights."""
    digest = release.digest.removeprefix("sha256:")[:12]
    return TaskSpec(
        name=child(place, f"release-{digest}"),
        place=place,
        identity=identity,
        image=release,
        argv=("sh", "-c", RELEASE_PROBE),
        user=ENGINE_USER,
        env=(("HOME", "/tmp"),),  # noqa: S108 - a container's own /tmp
        deadline=timedelta(minutes=2),
    )


def generated_secret(ref: Ref, purpose: str) -> SecretRef:
    """The secret that Mooring makes for `ref`: `NAME-PURPOSE`."""
    return SecretRef(ref.namespace, f"{ref.name}-{purpose}")
