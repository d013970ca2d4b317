# SPDX-License-Identifier: Apache-2.0
"""Makes damaged indexes again, from the tables of packs that no whole index names: `mooring repository check --repair`.

What is damaged in packs cannot be made again: the next backup stores it anew once `check` named it and its pack is gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from mooring.domain.repository import names
from mooring.drivers.objects.errors import ObjectMissing
from mooring.drivers.objects.store import Refusal
from mooring.engine.repository.catalog import DamagedObject
from mooring.engine.repository.envelope import HEADER
from mooring.engine.repository.errors import FormatUnknown, ObjectDamaged
from mooring.engine.repository.index import IndexedPack
from mooring.engine.repository.pack import ENTRY, has_id, read_table
from mooring.engine.repository.repository import Repository


@dataclass(frozen=True)
class RepairReport:
    """What a repair of one scope did.

    Attributes:
        packs: that an index names again.
        removed: damaged indexes that are gone.
        unreadable: packs that no index names and that are damaged themselves.
        refused: damaged indexes that could not be deleted.
    """

    packs: int
    removed: int
    unreadable: tuple[DamagedObject, ...]
    refused: tuple[Refusal, ...]


def repair_indexes(repository: Repository, scope: str) -> RepairReport:
    """Name every whole pack of a scope in an index, and remove damaged indexes. Safe to repeat, and beside backups."""
    catalog = repository.catalog(scope, fresh=True)
    if not catalog.damaged:
        return RepairReport(0, 0, (), ())
    found: list[IndexedPack] = []
    unreadable: list[DamagedObject] = []
    for info in repository.store.list_below(names.packs(scope)):
        pack_id = names.last_id(info.key)
        if pack_id is None or catalog.table.number(pack_id) is not None or pack_id in catalog.generation.deleting:
            continue
        try:
            content = repository.store.get(info.key)
            if not has_id(content, pack_id, encrypted=repository.keys.encrypted):
                raise ObjectDamaged(f"{info.key} is not what was written.")  # noqa: TRY301
            blobs = read_table(content, repository.keys, info.key)
        except ObjectMissing:
            continue
        except (ObjectDamaged, FormatUnknown) as error:
            unreadable.append(DamagedObject(info.key, error.brief))
            continue
        table = b"".join(
            sorted(
                ENTRY.pack(blob.id, blob.offset, blob.stored, blob.length, blob.compressed, blob.kind) for blob in blobs
            )
        )
        found.append(IndexedPack(pack_id, content[HEADER - 32 : HEADER], len(content), table))
    if found:
        catalog.add_index(found)
    refused = repository.store.delete(item.key for item in catalog.damaged)
    return RepairReport(len(found), len(catalog.damaged) - len(refused), tuple(unreadable), tuple(refused))
