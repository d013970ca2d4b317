# SPDX-License-Identifier: Apache-2.0
"""Small contents read together: what lies side by side in a pack comes with one request, and is opened where it is used.

For many files at once, whose order is the caller's own matter: nothing is guessed, nothing is read twice, and several
groups can be worked on side by side. Called by restores of a filestore, through `opened.OpenRestore`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mooring.domain.repository.manifest import StreamRef
from mooring.engine.repository.errors import ObjectDamaged
from mooring.engine.repository.reader import Found, PackReader

SPAN_BYTES = 4 * 1024 * 1024
# Less than this between two contents is read over: a request costs more.
_GAP_BYTES = 64 * 1024


@dataclass(frozen=True)
class Together:
    """Contents of one pack that one request brings.

    Attributes:
        members: position among what was asked for, and where it is; in the order of the pack.
    """

    start: int
    end: int
    members: tuple[tuple[int, Found], ...]


def plan_together(reader: PackReader, refs: Sequence[StreamRef]) -> tuple[list[Together], list[int]]:
    """Groups of contents that are one blob each, and the positions of the others, which are read alone.

    Raises:
        BlobMissing: the repository does not have one of them.
    """
    single: list[tuple[int, Found]] = []
    alone: list[int] = []
    for position, ref in enumerate(refs):
        if ref.depth:
            alone.append(position)
        else:
            single.append((position, reader.find(bytes.fromhex(ref.id))))
    single.sort(key=lambda one: (one[1].pack.id, one[1].blob.offset))
    groups: list[Together] = []
    members: list[tuple[int, Found]] = []
    for one in single:
        if members and not _fits(members, one[1]):
            groups.append(_group(members))
            members = []
        members.append(one)
    if members:
        groups.append(_group(members))
    return groups, alone


def read_together(
    reader: PackReader, group: Together, refs: Sequence[StreamRef], *, hashed: bool
) -> Iterator[tuple[int, bytes]]:
    """Position and content of each member, compared with its id and size.

    Args:
        hashed: see `PackReader.open_piece`.

    Raises:
        ObjectDamaged: one is not what was written, or has another size.
        BlobMissing: a prune took it meanwhile, and no other pack has it.
    """
    content = reader.read_span(group.members[0][1].pack, group.start, group.end)
    for position, found in group.members:
        if content is None:
            # The pack went after the indexes were read; where its blobs are now is looked up one by one.
            opened = b"".join(reader.read(refs[position]))
        else:
            begin = found.blob.offset - group.start
            opened = reader.open_piece(memoryview(content)[begin : begin + found.blob.stored], found, hashed=hashed)
        if len(opened) != refs[position].size:
            raise ObjectDamaged(
                f"Stream {refs[position].id} has {len(opened)} bytes, and {refs[position].size} are named."
            )
        yield position, opened


def _fits(members: list[tuple[int, Found]], found: Found) -> bool:
    first, last = members[0][1], members[-1][1]
    return (
        found.pack.id == last.pack.id
        and found.blob.offset - last.end <= _GAP_BYTES
        and found.end - first.blob.offset <= SPAN_BYTES
    )


def _group(members: list[tuple[int, Found]]) -> Together:
    return Together(members[0][1].blob.offset, max(found.end for _, found in members), tuple(members))
