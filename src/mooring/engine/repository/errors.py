# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a repository. Raised by `engine.repository` only."""

from __future__ import annotations

from mooring.errors import ConflictError, FailedError, NotFoundError, Retry, UsageError


class RepositoryMissing(NotFoundError):
    """There is no repository at that place."""

    code = "MOOR-450"
    reason = "RepositoryMissing"
    default_resolution = "Check the URL, or make it with `mooring repository init`."


class RepositoryExists(ConflictError):
    """A repository is there already."""

    code = "MOOR-451"
    reason = "RepositoryExists"
    default_resolution = "Use it as it is, or choose another prefix."


class FormatUnknown(UsageError):
    """The repository, or an object of it, is of a format that this version does not know."""

    code = "MOOR-452"
    reason = "FormatUnknown"
    default_resolution = "Use the version of Mooring that wrote it, or a newer one."


class PassphraseWrong(UsageError):
    """No key of the repository opens with this passphrase."""

    code = "MOOR-453"
    reason = "PassphraseWrong"
    default_resolution = "Put the right passphrase into the secret that `encryption.passphraseSecretRef` names."


class PassphraseMissing(UsageError):
    """The repository is encrypted and no passphrase was given, or it is not and one was."""

    code = "MOOR-454"
    reason = "PassphraseMissing"
    default_resolution = "Set `encryption.passphraseSecretRef` exactly where the repository is encrypted."


class ObjectDamaged(FailedError):
    """An object of the repository is not what was written."""

    code = "MOOR-455"
    reason = "ObjectDamaged"
    default_resolution = (
        "Run `mooring repository check --read-data`: it names every damaged object and which snapshots it hurts."
    )


class BlobMissing(FailedError):
    """A snapshot names content that no index of the repository knows."""

    code = "MOOR-456"
    reason = "BlobMissing"
    default_resolution = "Run `mooring repository check`: it names which snapshots are hurt; restore from another one."


class ReuseLost(ConflictError):
    """A prune deleted content that this backup had counted on; nothing is lost but the work since."""

    code = "MOOR-457"
    reason = "ReuseLost"
    retry = Retry.NOW
    default_resolution = "Run the backup again: what it stored so far is reused."


class SnapshotMissing(NotFoundError):
    """No snapshot matches."""

    code = "MOOR-458"
    reason = "SnapshotMissing"
    default_resolution = "`mooring snapshots` shows what there is."


class SnapshotAmbiguous(UsageError):
    """Several snapshots match where one is needed."""

    code = "MOOR-459"
    reason = "SnapshotAmbiguous"
    default_resolution = "Give more digits of the id, or the instance."


class PruneRefused(ConflictError):
    """A prune would not be safe here."""

    code = "MOOR-460"
    reason = "PruneRefused"
    default_resolution = "Do what is named, then run the prune again; nothing was deleted."


class LastPassphrase(ConflictError):
    """It is the only passphrase that opens the repository."""

    code = "MOOR-461"
    reason = "LastPassphrase"
    default_resolution = "Add another passphrase first."


class PlaceNotEmpty(ConflictError):
    """There is no repository at the address, and something else is."""

    code = "MOOR-462"
    reason = "PlaceNotEmpty"
    default_resolution = "Correct the address; or give the repository a folder or prefix of its own."


class ClockWrong(FailedError):
    """This machine's clock and the store's disagree; what is old cannot be told from what is new."""

    code = "MOOR-463"
    reason = "ClockWrong"
    default_resolution = "Set this machine's clock, for instance by NTP, and ask again. Nothing was deleted."
