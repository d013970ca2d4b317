# SPDX-License-Identifier: Apache-2.0
"""The tasks that copy another instance while it runs, as values: what they may read of the source, and with which files. Pure.

The database is copied on the server's side, by its administrator, who reads the source as its own owner; the files on the
instance's side, as Odoo's user, from the source's volume, which is mounted to be read only.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mooring.domain.instance.subject import DATA_DIR, Subject
from mooring.domain.instance.tasks import (
    ENGINE_USER,
    OWNER_PASSWORD_FILE,
    SECRETS_DIR,
    admin_task,
    destinations,
    filestore_mount,
    links,
    owner_task,
    secret_file,
)
from mooring.domain.model.desired import Mount
from mooring.domain.model.identity import child
from mooring.domain.operations.plan import RunTask
from mooring.domain.work.common import Connection, Fence
from mooring.domain.work.live_copy import DatabaseCopy, FilestoreCopy, LiveSource
from mooring.domain.work.live_copy_errors import SourceOutOfReach

SOURCE_DIR = "/mnt/mooring-source"
SOURCE_PASSWORD_FILE = f"{SECRETS_DIR}/source-password"
SOURCE_CERTIFICATE_FILE = f"{SECRETS_DIR}/source-sslrootcert"


def copy_database_task(
    subject: Subject,
    stem: str,
    source: Subject,
    *,
    admin: Connection,
    fence: Fence,
    scratch: str,
    deadline: timedelta,
    free_bytes: int | None = None,
) -> RunTask:
    """Copies the database of `source` beside that of `subject`.

    Raises:
        SourceOutOfReach: the two servers cannot both be reached by one task.
    """
    document = DatabaseCopy(
        connection=admin,
        fence=fence,
        instance=subject.identity.instance,
        database=subject.database,
        owner=subject.owner,
        owner_password_file=OWNER_PASSWORD_FILE,
        source=LiveSource(source.identity.instance, source.database, _source_connection(source)),
        scratch=scratch,
        free_bytes=free_bytes,
        series=subject.release.facts.series,
    )
    made = admin_task(subject, stem, document, owner_password=True)
    files = [secret_file(SOURCE_PASSWORD_FILE, source.key(source.owner_secret, "password"))]
    if source.server.root_certificate is not None:
        files.append(
            secret_file(SOURCE_CERTIFICATE_FILE, source.key(source.server.root_certificate, "sslrootcert"), ENGINE_USER)
        )
    task = replace(made.task, files=(*made.task.files, *files), deadline=deadline)
    if (subject.server.ref, subject.server.host, subject.server.port) != (
        source.server.ref,
        source.server.host,
        source.server.port,
    ):
        ways = (*destinations(subject), *destinations(source))
        if any(way.address_variable for way in ways):
            raise SourceOutOfReach(
                f"{source.ref} and {subject.ref} are on different servers, and one of them is named by its address.",
                resolution="Name the server by a DNS name, or copy from a snapshot of the source.",
            )
        task = replace(
            task,
            links=tuple(dict.fromkeys((*task.links, *links(source)))),
            allow=tuple(dict.fromkeys((*task.allow, *destinations(source)))),
        )
    return replace(made, task=task)


def copy_files_task(
    subject: Subject, stem: str, source: Subject, *, fence: Fence, owner: Connection, skip: bool, deadline: timedelta
) -> RunTask:
    """Has the files that the copied database names beside those of `subject`.

    Args:
        owner: the owner's connection.
        skip: nothing is copied.
    """
    facts = subject.release.facts
    document = FilestoreCopy(
        fence=fence,
        instance=subject.identity.instance,
        data_dir=DATA_DIR,
        database=subject.database,
        connection=owner,
        source_filestore=None if skip else f"{SOURCE_DIR}/filestore/{source.database}",
        method="skip" if skip else "copy",
    )
    made = owner_task(subject, stem, document)
    user = (facts.uid, facts.gid)
    mounts = [filestore_mount(subject.release)]
    if not skip:
        mounts.append(Mount(child(source.ref, "filestore"), SOURCE_DIR, read_only=True, foreign=True))
    theirs = source.release.facts.gid
    task = replace(
        made.task,
        user=user,
        # The source's folder is open to its own user and group.
        groups=() if skip or theirs == facts.gid else (theirs,),
        files=tuple(replace(file, uid=user[0], gid=user[1]) for file in made.task.files),
        mounts=tuple(mounts),
        deadline=deadline,
    )
    return replace(made, task=task)


def _source_connection(source: Subject) -> Connection:
    certificate = SOURCE_CERTIFICATE_FILE if source.server.root_certificate else None
    return Connection(
        host=source.server.host,
        port=source.server.port,
        user=source.owner,
        password_file=SOURCE_PASSWORD_FILE,
        sslmode=source.server.sslmode,
        sslrootcert_file=certificate,
    )
