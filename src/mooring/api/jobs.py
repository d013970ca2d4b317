# SPDX-License-Identifier: Apache-2.0
"""The five job kinds: one operation each, kept as its record. Their specs never change once they are accepted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from mooring.api.base import Broken, Model, RuledModel, described, find_not_one_of
from mooring.api.common import GitSource, Webhook
from mooring.api.enums import BackupFormat, FilestoreMethod, RestoreMode, Template
from mooring.api.meta import NamespacedRef, Resource, SecretKeyRef, SecretRef
from mooring.api.quantity import Duration
from mooring.api.texts import (
    AbsolutePath,
    ArchiveUrl,
    DatabaseName,
    Flag,
    HttpUrl,
    ImageReference,
    InstanceWord,
    Language,
    ModuleName,
    ObjectName,
    RepositoryUrl,
    ResourceName,
    SnapshotId,
    Tag,
)
from mooring.api.times import Timestamp


class InstanceRef(Model):
    """The instance that an operation is for, in the namespace of the document."""

    kind: Literal["OdooInstance", "Odoo"] = Field(
        default="OdooInstance", description="The instance's kind; `Odoo` on Kubernetes only."
    )
    name: ObjectName = described("The instance's name.")


class OperationSpec(Model):
    """What all operations have in common."""

    instance_ref: InstanceRef = described("The instance that the operation is for.")
    deadline: Duration | None = Field(
        default=None, description="How long it may take at most, such as `2h`. Left out: as its kind needs."
    )
    webhook: Webhook | None = Field(
        default=None, description="An address that is told its phases, besides the instance's own."
    )
    ttl_after_finished: Duration | None = Field(
        default=None, description="How long its record stays after the end, such as `7d`. Left out: it stays."
    )


class OdooInitJobSpec(OperationSpec):
    """How the database is made."""

    modules: tuple[ModuleName, ...] = Field(default=("base",), description="Modules that are installed.")
    demo: Flag = Field(default=False, description="Whether Odoo's demonstration data is loaded.")
    language: Language = Field(default="en_US", description="The language of the first user and company.")
    template: Template = Field(
        default=Template.AUTO,
        description="`auto` copies a prepared database where one fits; `never` always installs from nothing.",
    )


class OdooInitJob(Resource):
    """Makes an instance's database."""

    kind: Literal["OdooInitJob"] = Field(default="OdooInitJob", description="What the document describes.")
    spec: OdooInitJobSpec = described("How the database is made.")


class OdooUpgradeJobSpec(OperationSpec, RuledModel):
    """What is upgraded."""

    modules: tuple[ModuleName, ...] = Field(
        default=(),
        description="Modules that are updated; `changed` for those whose files changed, `all` for all. Left out, and nothing "
        "to install: as the instance's `autoUpgrade.modules` says.",
    )
    install: tuple[ModuleName, ...] = Field(default=(), description="Modules that are installed besides.")
    image: ImageReference | None = Field(
        default=None, description="The image to upgrade to. Left out, and without `git`: the instance's own release."
    )
    git: GitSource | None = Field(default=None, description="Instead: the git repository to upgrade to. Hosts only.")
    scheduled_time: Timestamp | None = Field(
        default=None, description="Not before this time, such as `2026-01-31T22:00:00Z`. Left out: at once."
    )
    backup_before: Flag | None = Field(
        default=None,
        description="Whether a backup is taken first. Left out: as the instance's `autoUpgrade.backupBefore` says.",
    )
    in_place: Flag = Field(
        default=False,
        description="Allows the upgrade where no safety copy can be made; a backup must exist then.",
    )

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """One release."""
        yield from find_not_one_of(given, ("image", "git"), needed=False, where="an upgrade")


class OdooUpgradeJob(Resource):
    """Upgrades an instance."""

    kind: Literal["OdooUpgradeJob"] = Field(default="OdooUpgradeJob", description="What the document describes.")
    spec: OdooUpgradeJobSpec = described("What is upgraded.")


class BackupDestination(Model):
    """A place for one archive, apart from any repository."""

    url: RepositoryUrl = described("The archive's address: `s3://BUCKET/PATH`, `file:///PATH` and the like.")
    endpoint: HttpUrl | None = Field(
        default=None, description="Address of the store's S3 interface. Left out: that of the url's provider."
    )
    credentials_secret_ref: SecretRef | None = Field(
        default=None,
        description="Secret with the keys `accessKeyId` and `secretAccessKey`. Left out: requests are not signed.",
    )


class OdooBackupJobSpec(OperationSpec, RuledModel):
    """What is backed up, and where to."""

    repository: ResourceName | None = Field(default=None, description="Name of the BackupRepository.")
    destination: BackupDestination | None = Field(default=None, description="Instead: a place for one archive.")
    format: BackupFormat | None = Field(
        default=None,
        description="`snapshot` in a repository; `zip` (as Odoo's own) or `dump` (of the database alone) at a destination. "
        "Left out: snapshot in a repository, zip at a destination.",
    )
    with_database: Flag = Field(default=True, description="Whether the database is in it.")
    with_filestore: Flag = Field(default=True, description="Whether the attachments are in it.")
    tags: tuple[Tag, ...] = Field(default=(), description="Words to find the backup by.")

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """One place, a format that fits it, and something to back up."""
        yield from find_not_one_of(given, ("repository", "destination"), needed=True, where="a backup")
        form = given.get("format")
        if form == BackupFormat.SNAPSHOT and "destination" in given and "repository" not in given:
            yield Broken("a snapshot needs a repository", field="format", allowed=("zip", "dump"))
        if form in (BackupFormat.ZIP, BackupFormat.DUMP) and "repository" in given and "destination" not in given:
            yield Broken("a repository holds snapshots; write an archive to a destination", field="format")
        if given.get("with_database") is False and given.get("with_filestore") is False:
            yield Broken("backs up nothing: one of withDatabase and withFilestore must be true", field="with_database")
        archive = "destination" in given and "repository" not in given
        if (form == BackupFormat.DUMP or archive) and given.get("with_database") is False:
            yield Broken("an archive always holds the database", field="with_database")
        if archive and "tags" in given:
            yield Broken("belongs to repository: an archive has no tags", field="tags")


class OdooBackupJob(Resource):
    """Backs an instance up."""

    kind: Literal["OdooBackupJob"] = Field(default="OdooBackupJob", description="What the document describes.")
    spec: OdooBackupJobSpec = described("What is backed up, and where to.")


class OdooServerSource(Model):
    """An Odoo that runs elsewhere and hands out a backup of itself."""

    url: HttpUrl = described("Address of that Odoo.")
    database: DatabaseName = described("Name of its database.")
    master_password_secret_ref: SecretKeyRef = described("Its master password.")


class RestoreSource(RuledModel):
    """Where the data comes from: exactly one of snapshot, instance, url and odoo."""

    snapshot: SnapshotId | None = Field(default=None, description="A snapshot's identity, or `latest`.")
    repository: ResourceName | None = Field(
        default=None,
        description="Name of the BackupRepository with the snapshot. Left out: the instance's own.",
    )
    snapshot_of: InstanceWord | None = Field(
        default=None,
        description="Name or id of the instance whose snapshot it is, as the repository has it. Left out: this one.",
    )
    instance: NamespacedRef | None = Field(default=None, description="Another instance, whose present data is copied.")
    url: ArchiveUrl | None = Field(default=None, description="An archive: https://…, s3://…, file:///… and the like.")
    endpoint: HttpUrl | None = Field(
        default=None, description="With url: address of the store's S3 interface. Left out: that of the url's provider."
    )
    credentials_secret_ref: SecretRef | None = Field(
        default=None,
        description="With url: Secret with the keys `accessKeyId` and `secretAccessKey`. Left out: requests are not "
        "signed.",
    )
    filestore: AbsolutePath | None = Field(
        default=None,
        description="With url: folder of the machine that Mooring runs on, with the attachments of a dump that has none.",
    )
    odoo: OdooServerSource | None = Field(default=None, description="An Odoo that runs elsewhere.")

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """One source, and nothing that belongs to another."""
        yield from find_not_one_of(given, ("snapshot", "instance", "url", "odoo"), needed=True, where="a source")
        if "repository" in given and "snapshot" not in given:
            yield Broken("belongs to snapshot", field="repository")
        if "snapshot_of" in given and "snapshot" not in given:
            yield Broken("belongs to snapshot", field="snapshot_of")
        for name in ("endpoint", "credentials_secret_ref", "filestore"):
            if name in given and "url" not in given:
                yield Broken("belongs to url", field=name)


class OdooRestoreJobSpec(OperationSpec, RuledModel):
    """What is restored."""

    source: RestoreSource = described("Where the data comes from.")
    mode: RestoreMode | None = Field(
        default=None,
        description="`move`: the data goes on as the real one; `copy`: it is neutralized. Left out: move where snapshot and "
        "instance are one and the same, else copy.",
    )
    source_stopped: Flag = Field(
        default=False,
        description="Needed to move another instance's data: a person has seen that it is stopped, and stays so. Else both "
        "would send the same mail and charge the same cards.",
    )
    in_place: Flag = Field(
        default=False,
        description="Allows replacing the data where the new cannot be built beside the old. A verified dump comes first.",
    )

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """Another's data is moved by a person's word only."""
        source = given.get("source")
        value = source.model_dump(exclude_none=True) if isinstance(source, RestoreSource) else source
        other = isinstance(value, Mapping) and any(key in value for key in ("snapshot_of", "snapshotOf"))
        moved = given.get("mode") == RestoreMode.MOVE and other
        if moved and given.get("source_stopped") is not True:
            yield Broken("moves another instance's data: stop that instance first, then say so", field="source_stopped")
        if given.get("source_stopped") is True and not moved:
            yield Broken("belongs to mode move with source.snapshotOf", field="source_stopped")


class OdooRestoreJob(Resource):
    """Gives an instance other data."""

    kind: Literal["OdooRestoreJob"] = Field(default="OdooRestoreJob", description="What the document describes.")
    spec: OdooRestoreJobSpec = described("What is restored.")


class OdooStagingRefreshJobSpec(OperationSpec):
    """How a staging copy is renewed."""

    source: NamespacedRef | None = Field(
        default=None, description="The instance to copy from. Left out: the one that `stagingOf` names."
    )
    filestore_method: FilestoreMethod = Field(
        default=FilestoreMethod.AUTO,
        description="How attachments come over: by a storage `snapshot`, by `copy`, not at all (`skip`), or the best that "
        "is possible (`auto`).",
    )
    neutralize: Literal[True] = Field(
        default=True, description="Always true: a copy of production never runs before it is neutralized."
    )


class OdooStagingRefreshJob(Resource):
    """Renews a staging copy from its production."""

    kind: Literal["OdooStagingRefreshJob"] = Field(
        default="OdooStagingRefreshJob", description="What the document describes."
    )
    spec: OdooStagingRefreshJobSpec = described("How the copy is renewed.")
