# SPDX-License-Identifier: Apache-2.0
"""Run one task: find it by name, read its document, say its result. Called by `mooring task` only.

Each task is a function `(document, report) -> result` in a module that is imported when the task is asked for, so that
starting costs nothing for what is not used. Exit code 0 comes only after a result; every failure is one error line.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

from mooring.domain.work.codec import Document, Shape
from mooring.domain.work.errors import InvalidDocument, TaskCrashed, UnknownTask
from mooring.engine.report import Reporter, stop_on_signal, write_stdout
from mooring.errors import MooringError

# task → (module of the document, its class, module of the work, its function)
TASKS: dict[str, tuple[str, str, str, str]] = {
    "server-check": ("database", "ServerCheck", "server", "check_server"),
    "role-password": ("database", "RolePassword", "rotate", "ensure_password"),
    "database-provision": ("database", "DatabaseProvision", "provision", "ensure_database"),
    "database-inspect": ("database", "DatabaseInspect", "inspect", "observe_database"),
    "database-verify": ("database", "DatabaseVerify", "inspect", "verify_database"),
    "written-count": ("written", "WrittenCount", "written", "count_written"),
    "modules-read": ("modules", "ModulesRead", "modules", "read_modules"),
    "modules-store": ("modules", "ModulesStore", "modules", "ensure_stored"),
    "database-finish-init": ("database", "DatabaseFinishInit", "finish", "ensure_finished"),
    "database-safety-copy": ("copies", "DatabaseSafetyCopy", "safety", "ensure_safety_copy"),
    "database-return": ("copies", "DatabaseReturn", "back", "ensure_returned"),
    "database-drop": ("copies", "DatabaseDrop", "drop", "ensure_dropped"),
    "filestore-safety-copy": ("filestore", "FilestoreSafetyCopy", "filestore", "ensure_safety_copy"),
    "filestore-return": ("filestore", "FilestoreReturn", "filestore", "ensure_returned"),
    "filestore-drop": ("filestore", "FilestoreDrop", "filestore", "ensure_dropped"),
    "backup": ("backup", "Backup", "backup.task", "ensure_backup"),
    "backup-archive": ("backup", "BackupArchive", "backup.archive", "ensure_archive"),
    "database-restore": ("restore", "DatabaseRestore", "restore.database", "ensure_restored"),
    "filestore-restore": ("restore", "FilestoreRestore", "restore.files", "ensure_restored"),
    "database-copy": ("live_copy", "DatabaseCopy", "live.database", "ensure_copied"),
    "filestore-copy": ("live_copy", "FilestoreCopy", "live.files", "ensure_copied"),
    "snapshot-part": ("parts", "SnapshotPart", "restore.part", "write_part"),
    "archive-receive": ("imports", "ArchiveReceive", "imports.receive", "ensure_received"),
    "database-create": ("imports", "DatabaseCreate", "imports.create", "ensure_created"),
    "database-load": ("imports", "DatabaseLoad", "imports.load", "ensure_loaded"),
    "filestore-load": ("imports", "FilestoreLoad", "imports.files", "ensure_loaded"),
    "database-swap": ("restore", "DatabaseSwap", "restore.swap", "ensure_database_swapped"),
    "filestore-swap": ("restore", "FilestoreSwap", "restore.swap", "ensure_filestore_swapped"),
    "repository-init": ("repository_work", "RepositoryInit", "repository_work", "ensure_repository"),
    "snapshot-list": ("repository_work", "SnapshotList", "repository_work", "list_snapshots"),
    "snapshot-read": ("repository_work", "SnapshotRead", "repository_work", "read_snapshot_text"),
    "repository-check": ("repository_work", "RepositoryCheck", "repository_care", "check"),
    "snapshot-verify": ("verify", "SnapshotVerify", "repository_verify", "verify_snapshot"),
    "repository-prune": ("repository_work", "RepositoryPrune", "repository_care", "prune"),
    "repository-stats": ("repository_work", "RepositoryStats", "repository_care", "add_up"),
    "repository-passphrase": ("repository_work", "RepositoryPassphrase", "repository_work", "ensure_passphrase"),
    "database-neutralize": ("neutralize", "DatabaseNeutralize", "neutralize.apply", "ensure_neutralized"),
    "database-promote": ("promote", "DatabasePromote", "neutralize.promote", "ensure_promoted"),
    "database-verify-neutral": ("neutralize", "DatabaseVerifyNeutral", "neutralize.verify", "verify_neutral"),
    "outgoing-count": ("neutralize", "OutgoingCount", "neutralize.outgoing", "observe_outgoing"),
    "template-begin": ("templates", "TemplateBegin", "template.make", "ensure_begun"),
    "template-pack": ("templates", "TemplatePack", "template.files", "ensure_packed"),
    "template-publish": ("templates", "TemplatePublish", "template.make", "ensure_published"),
    "template-prune": ("templates", "TemplatePrune", "template.stock", "ensure_pruned"),
    "database-from-template": ("templates", "DatabaseFromTemplate", "template.use", "ensure_copied"),
    "database-empty": ("templates", "DatabaseEmpty", "template.use", "ensure_emptied"),
    "outgoing-cancel": ("neutralize", "OutgoingCancel", "neutralize.outgoing", "ensure_cancelled"),
}
Work = Callable[[Any, Reporter], Shape]


def run(name: str, source: Callable[[], str], *, write: Callable[[str], None] = write_stdout) -> int:
    """Run the task `name`; the exit code.

    Args:
        name: a key of `TASKS`.
        source: reads the document's text; an OSError or UnicodeError of it is an invalid document.
        write: where lines go.
    """
    report = Reporter(write)
    with report.alive():
        try:
            with stop_on_signal(report):
                report.progress("start")
                shape, work = _find(name)
                result = work(shape.from_json(_read(source)), report)
        except MooringError as fault:
            report.error(fault)
            return 1
        except Exception as fault:  # noqa: BLE001 - the protocol owes the runner an error line for everything
            report.error(TaskCrashed(f"{name} met {type(fault).__name__} at {_place(fault)}."))
            return 1
        report.result(result.to_json())
        return 0


def _find(name: str) -> tuple[type[Document], Work]:
    if name not in TASKS:
        raise UnknownTask(f"There is no task {name!r}; there are {', '.join(TASKS)}.")
    shapes, shape, module, function = TASKS[name]
    document: type[Document] = getattr(import_module(f"mooring.domain.work.{shapes}"), shape)
    work: Work = getattr(import_module(f"mooring.engine.{module}"), function)
    return document, work


def _read(source: Callable[[], str]) -> Any:
    try:
        return json.loads(source())
    except (OSError, ValueError, RecursionError) as fault:
        raise InvalidDocument(f"The document cannot be read: {type(fault).__name__}.") from None


def _place(fault: BaseException) -> str:
    """File and line where it was raised. Its text is left out: it may hold data."""
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else "an unknown place"
