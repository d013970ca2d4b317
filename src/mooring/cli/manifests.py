# SPDX-License-Identifier: Apache-2.0
"""Reads the manifests that a command is given: several files, standard input, a namespace for those that name none."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mooring.api.errors import Fault, ManifestError
from mooring.api.kinds import Manifest
from mooring.api.loader import Located, load_located
from mooring.cli.errors import FileUnreadable, raise_all
from mooring.cli.reading import read_file
from mooring.errors import MooringError

STDIN = "-"
MAX_BYTES = 1024 * 1024 + 1


def read_manifests(files: Sequence[str], *, namespace: str | None) -> list[Manifest]:
    """All documents of all files, in order.

    Args:
        files: paths; `-` is standard input.
        namespace: goes to documents that name none; one that names another is refused.

    Raises:
        FileUnreadable: a file cannot be read.
        ManifestError: something in them is wrong; all faults of all files.
        SeveralErrors: files that cannot be read, and faults in others.
    """
    located: list[Located] = []
    faults: list[Fault] = []
    errors: list[MooringError] = []
    for file in files:
        try:
            located += load_located(_read(file), source="standard input" if file == STDIN else file)
        except ManifestError as error:
            faults += error.faults
        except FileUnreadable as error:
            errors.append(error)
    if namespace is not None:
        faults += [
            one.fault(("metadata", "namespace"), f"-n says {namespace}")
            for one in located
            if "namespace" in one.resource.metadata.model_fields_set and one.resource.namespace != namespace
        ]
    manifests = [_placed(one.resource, namespace) for one in located]
    seen: dict[tuple[str, str, str], str] = {}
    for one, manifest in zip(located, manifests, strict=True):
        first = seen.setdefault(manifest.identity, one.source)
        if first != one.source:
            faults.append(one.fault(("metadata", "name"), f"{manifest.kind} {manifest.name} is in {first} too"))
    if faults:
        errors.append(ManifestError(faults))
    raise_all(errors)
    return manifests


def _read(file: str) -> bytes:
    if file == STDIN:
        return sys.stdin.buffer.read(MAX_BYTES)
    return read_file(file, limit=MAX_BYTES)


def _placed(manifest: Manifest, namespace: str | None) -> Manifest:
    if namespace is None or "namespace" in manifest.metadata.model_fields_set:
        return manifest
    metadata = manifest.metadata.model_copy(update={"namespace": namespace})
    return manifest.model_copy(update={"metadata": metadata})
