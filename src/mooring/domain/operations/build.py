# SPDX-License-Identifier: Apache-2.0
"""From an accepted operation to its plan: one table, one row a type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mooring.api.instance import OdooInstanceSpec
from mooring.domain.instance.repository import RepositoryAccess
from mooring.domain.instance.retention import keep_rule
from mooring.domain.instance.subject import PinnedRelease, Subject
from mooring.domain.operations.accepted import Accepted
from mooring.domain.operations.backup import BEFORE_UPGRADE, SCHEDULED, plan_backup
from mooring.domain.operations.drill import plan_drill
from mooring.domain.operations.errors import RepositoryNotNamed
from mooring.domain.operations.expire import plan_expire
from mooring.domain.operations.export import plan_export
from mooring.domain.operations.imports import plan_import
from mooring.domain.operations.init import FINISH, plan_init
from mooring.domain.operations.neutral import neutral_steps
from mooring.domain.operations.neutralize import plan_neutralize
from mooring.domain.operations.plan import OperationType, Plan
from mooring.domain.operations.promote import plan_promote
from mooring.domain.operations.provision import plan_provision
from mooring.domain.operations.refresh import plan_refresh
from mooring.domain.operations.release_hold import plan_release_hold
from mooring.domain.operations.restore import decide_mode, plan_restore, plan_return
from mooring.domain.operations.running import (
    plan_delete,
    plan_release_back,
    plan_restart,
    plan_rollback,
    plan_start,
    plan_stop,
)
from mooring.domain.operations.upgrade import plan_upgrade
from mooring.domain.operations.verify import plan_verify
from mooring.domain.templates.recipe import read_init_words
from mooring.domain.work.live_copy_errors import NotRefreshable, SourceNotNamed, SourceOutOfReach


def _subject(accepted: Accepted) -> Subject:
    if accepted.subject is None:
        raise ValueError(f"{accepted.ref} was accepted without a subject")
    return accepted.subject


def _target(accepted: Accepted) -> PinnedRelease:
    if accepted.to is None:
        raise ValueError(f"{accepted.ref} was accepted without a release")
    return accepted.to


def _provision(accepted: Accepted) -> Plan:
    return plan_provision(
        accepted.ref,
        accepted.id,
        _subject(accepted),
        accepted.admin_user,
        adopt=accepted.spec.get("adopt") is True,
        returning=accepted.spec.get("returning") is True,
    )


def _init(accepted: Accepted) -> Plan:
    """A job's own words win over `spec.init`; one that the lifecycle made says nothing."""
    subject = _subject(accepted)
    words = read_init_words(accepted.spec, subject.spec.init)
    return plan_init(
        accepted.ref,
        accepted.id,
        subject,
        modules=words.modules,
        demo=words.demo,
        language=words.language,
        base_url=accepted.base_url,
        template=accepted.template,
        admin_user=accepted.admin_user,
    )


def _upgrade(accepted: Accepted) -> Plan:
    """A job's own words win over `spec.autoUpgrade`; one that the lifecycle made says nothing."""
    subject = _subject(accepted)
    modules = tuple(accepted.spec.get("modules", ()))
    install = tuple(accepted.spec.get("install", ()))
    backup: Plan | None = None
    if accepted.repository is not None and wants_backup(subject.spec, accepted.spec):
        backup = plan_backup(accepted.ref, accepted.id, subject, accepted.repository, tags=(BEFORE_UPGRADE,))
    return plan_upgrade(
        accepted.ref,
        accepted.id,
        subject,
        _target(accepted),
        admin_user=accepted.admin_user,
        modules=modules or (() if install else (subject.spec.auto_upgrade.modules.value,)),
        install=install,
        replicas=accepted.replicas,
        free_bytes=accepted.free_bytes,
        backup=backup,
        base_url=accepted.address,
    )


def wants_backup(spec: OdooInstanceSpec, asked: Mapping[str, Any]) -> bool:
    """Whether an upgrade takes a backup first, where the instance has a repository; `asked` is the job's own spec."""
    own = asked.get("backupBefore")
    return spec.auto_upgrade.backup_before if own is None else own is True


def _repository(accepted: Accepted) -> RepositoryAccess:
    if accepted.repository is None:
        raise RepositoryNotNamed(
            f"{accepted.type} of {accepted.ref.name} needs a backup repository, and neither it nor the instance names one."
        )
    return accepted.repository


def _backup(accepted: Accepted) -> Plan:
    """Only what the schedule asks for deletes older snapshots; a person's own backup deletes nothing."""
    if accepted.archive is not None:
        return plan_export(
            accepted.ref,
            accepted.id,
            _subject(accepted),
            accepted.archive,
            form="dump" if accepted.spec.get("format") == "dump" else "zip",
            with_filestore=bool(accepted.spec.get("withFilestore", True)),
        )
    subject, repository = _subject(accepted), _repository(accepted)
    tags = tuple(accepted.spec.get("tags", ()))
    backup = subject.spec.backup
    own = repository.retention if backup.retention is None else keep_rule(backup.retention, backup.time_zone)
    return plan_backup(
        accepted.ref,
        accepted.id,
        subject,
        repository,
        with_database=bool(accepted.spec.get("withDatabase", True)),
        with_filestore=bool(accepted.spec.get("withFilestore", True)),
        tags=tags,
        retention=own if SCHEDULED in tags else None,
    )


def _verify(accepted: Accepted) -> Plan:
    subject, repository = _subject(accepted), _repository(accepted)
    snapshot = str((accepted.spec.get("to") or {}).get("snapshot") or "latest")
    share = int(accepted.spec.get("readData") or 0)
    if not accepted.spec.get("restore"):
        return plan_verify(accepted.ref, subject, repository, snapshot=snapshot, read_percent=share)
    if accepted.scratch is None:
        raise ValueError(f"{accepted.ref} was accepted without a scratch server")
    return plan_drill(
        accepted.ref,
        accepted.id,
        subject,
        repository,
        accepted.scratch,
        snapshot=snapshot,
        read_percent=share,
        free_bytes=accepted.free_bytes,
    )


def _expire(accepted: Accepted) -> Plan:
    return plan_expire(
        accepted.ref,
        accepted.id,
        _subject(accepted),
        replaced_by=str(accepted.spec["replacedBy"]),
        admin_user=accepted.admin_user,
    )


def _restore(accepted: Accepted) -> Plan:
    if "instance" in accepted.spec["source"]:
        return _copy(accepted)
    if accepted.archive is not None:
        return plan_import(
            accepted.ref,
            accepted.id,
            _subject(accepted),
            accepted.archive,
            moves=not accepted.neutral,
            admin_user=accepted.admin_user,
            replicas=accepted.replicas,
            base_url=accepted.address,
            free_bytes=accepted.free_bytes,
        )
    source = accepted.spec["source"]
    return plan_restore(
        accepted.ref,
        accepted.id,
        _subject(accepted),
        _repository(accepted),
        snapshot=str(source["snapshot"]),
        snapshot_of=source.get("snapshotOf"),
        mode=decide_mode(accepted.spec),
        mode_said=accepted.spec.get("mode") is not None,
        admin_user=accepted.admin_user,
        replicas=accepted.replicas,
        base_url=accepted.address,
        free_bytes=accepted.free_bytes,
    )


def _refresh(accepted: Accepted) -> Plan:
    """A refresh is of a Staging instance: on another it would take the real data's place."""
    subject = _subject(accepted)
    if not subject.staging:
        raise NotRefreshable(f"{subject.ref} is a {subject.environment} instance.")
    return _copy(accepted)


def _copy(accepted: Accepted) -> Plan:
    """A job's own words win over `spec.refresh`."""
    subject = _subject(accepted)
    if accepted.source is None:
        raise SourceNotNamed(f"{accepted.ref} says of no instance that it is copied to {subject.ref}.")
    if accepted.spec.get("mode") == "move":
        raise SourceOutOfReach(
            f"The data of {accepted.source.ref} is only ever copied: it runs, and goes on with it.",
            resolution="Leave mode out, or say copy.",
        )
    own = subject.spec.refresh.filestore_method.value if subject.spec.refresh is not None else None
    return plan_refresh(
        accepted.ref,
        accepted.id,
        subject,
        accepted.source,
        kind=accepted.type,
        admin_user=accepted.admin_user,
        replicas=accepted.replicas,
        base_url=accepted.address,
        skip_files=(accepted.spec.get("filestoreMethod") or own) == "skip",
        free_bytes=accepted.free_bytes,
    )


def _release_hold(accepted: Accepted) -> Plan:
    return plan_release_hold(
        accepted.ref,
        accepted.id,
        _subject(accepted),
        since=accepted.held_since,
        cancel=accepted.spec.get("cancelOlder") is True,
        replicas=accepted.replicas,
    )


def _rollback(accepted: Accepted) -> Plan:
    if accepted.previous_kind is OperationType.RESTORE:
        return plan_return(
            accepted.ref,
            accepted.id,
            _subject(accepted),
            replaced_by=accepted.previous,
            release=_target(accepted).release.digest,
            admin_user=accepted.admin_user,
            replicas=accepted.replicas,
        )
    if not accepted.previous_data:
        return plan_release_back(_subject(accepted), _target(accepted), accepted.replicas)
    return plan_rollback(
        accepted.ref,
        accepted.id,
        _subject(accepted),
        _target(accepted),
        upgrade_id=accepted.previous,
        admin_user=accepted.admin_user,
        replicas=accepted.replicas,
    )


def _neutralize(accepted: Accepted) -> Plan:
    return plan_neutralize(
        accepted.ref, accepted.id, _subject(accepted), base_url=accepted.address, replicas=accepted.replicas
    )


def _promote(accepted: Accepted) -> Plan:
    return plan_promote(accepted.ref, accepted.id, _subject(accepted), replicas=accepted.replicas)


def _kept_quiet(accepted: Accepted, plan: Plan) -> Plan:
    """The init of a Staging instance makes it neutral, before any of its processes starts."""
    subject = _subject(accepted)
    if not subject.staging:
        return plan
    at = next(number for number, step in enumerate(plan.steps) if step.name == FINISH) + 1
    steps = neutral_steps(
        accepted.ref,
        accepted.id,
        subject,
        role="current",
        base_url=accepted.address,
        first=True,
        hold=plan.steps[at - 1].hold,
    )
    return replace(plan, steps=(*plan.steps[:at], *steps, *plan.steps[at:]))


def _delete(accepted: Accepted) -> Plan:
    return plan_delete(
        accepted.ref,
        accepted.id,
        accepted.subject,
        purge=accepted.spec.get("purge") is True,
        admin_user=accepted.admin_user,
    )


USES_REPOSITORY = frozenset({OperationType.BACKUP, OperationType.RESTORE, OperationType.UPGRADE, OperationType.VERIFY})
"""The types that are accepted with a repository: the one that they name, or the instance's own."""

BUILDERS: Mapping[OperationType, Callable[[Accepted], Plan]] = {
    OperationType.PROVISION: _provision,
    OperationType.INIT: lambda accepted: _kept_quiet(accepted, _init(accepted)),
    OperationType.UPGRADE: _upgrade,
    OperationType.STOP: lambda _: plan_stop(),
    OperationType.START: lambda accepted: plan_start(accepted.replicas),
    OperationType.RESTART: lambda accepted: plan_restart(accepted.replicas),
    OperationType.RELEASE_HOLD: _release_hold,
    OperationType.BACKUP: _backup,
    OperationType.VERIFY: _verify,
    OperationType.EXPIRE: _expire,
    OperationType.RESTORE: _restore,
    OperationType.REFRESH: _refresh,
    OperationType.ROLLBACK: _rollback,
    OperationType.PROMOTE: _promote,
    OperationType.NEUTRALIZE: _neutralize,
    OperationType.DELETE: _delete,
}
"""The types that this version carries out; the others are refused when they are asked for."""


def build_plan(accepted: Accepted) -> Plan:
    """The plan; the same each time for the same argument."""
    return BUILDERS[accepted.type](accepted)
