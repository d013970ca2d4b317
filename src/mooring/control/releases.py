# SPDX-License-Identifier: Apache-2.0
"""Pins releases and learns what they are: the tag says nothing, the image itself is asked once a digest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from mooring.api.instance import OdooInstanceSpec
from mooring.control.errors import SeriesMismatch
from mooring.control.probes import ask
from mooring.control.services import Services
from mooring.domain.instance.ledger import Ledger
from mooring.domain.instance.subject import PinnedRelease
from mooring.domain.instance.tasks import release_probe_task
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.release import Release, ResolvedRelease
from mooring.domain.model.secret import SecretKey, SecretRef
from mooring.domain.odoo.facts import facts_for
from mooring.domain.work.release_probe import parse_release_probe
from mooring.drivers.secret_text import PULL_KEY


@dataclass(frozen=True)
class Found:
    """An image that the target was asked for.

    Attributes:
        source: as the spec names it.
        release: what that stands for now.
    """

    source: str
    release: ResolvedRelease


Choice: TypeAlias = PinnedRelease | Found
"""What the spec names: pinned under this name before, or looked up."""


@dataclass(frozen=True)
class Pinning:
    """How far pinning is: `pinned` is None while the image is being asked."""

    ledger: Ledger
    pinned: PinnedRelease | None


async def choose_release(
    services: Services, ref: Ref, spec: OdooInstanceSpec, ledger: Ledger, *, fresh: bool = False
) -> Choice:
    """Pin what the spec names. A name that is pinned stays so until it changes; its pull secret is always the spec's.

    Args:
        fresh: look up anew what the name stands for.

    Raises:
        ImageNotFound, RegistryUnreachable: from the target.
    """
    wanted = spec.image or services.defaults.image
    secret = spec.image_pull_secret
    pull_secret = SecretKey(SecretRef(ref.namespace, secret), PULL_KEY) if secret else None
    if not fresh and wanted == ledger.wanted_source and (known := ledger.release(ledger.wanted)) is not None:
        return replace(known, release=replace(known.release, pull_secret=pull_secret))
    found = await services.target.resolve(Release(image=wanted), pull_secret=pull_secret)
    return Found(wanted, replace(found, pull_secret=pull_secret))


async def learn_release(
    services: Services, ref: Ref, identity: Identity, spec: OdooInstanceSpec, ledger: Ledger, choice: Choice
) -> Pinning:
    """Know the facts of what was chosen: the image is asked, once a digest.

    Raises:
        NotOdoo: the image is no Odoo.
        SeriesMismatch: the manifest's `version` is not the release's.
        UnknownSeries: a series that Mooring does not know.
    """
    if isinstance(choice, PinnedRelease):
        check_version(spec, choice)
        # Only what it would be got with can differ from what is written down.
        same = ledger.release(choice.release.digest) == choice
        return Pinning(ledger if same else ledger.with_release(choice), choice)
    known = ledger.release(choice.release.digest)
    if known is None:
        answer = await ask(services, release_probe_task(ref, identity, choice.release))
        if answer is None:
            return Pinning(ledger, None)
        facts = parse_release_probe(answer)
        facts_for(facts.series)
        pinned = PinnedRelease(choice.release, facts)
    else:
        pinned = replace(known, release=choice.release)
    check_version(spec, pinned)
    learned = replace(ledger.with_release(pinned), wanted_source=choice.source, wanted=choice.release.digest)
    return Pinning(learned, pinned)


def check_version(spec: OdooInstanceSpec, pinned: PinnedRelease) -> None:
    """Refuse a manifest whose `version` is not the release's.

    Raises:
        SeriesMismatch: says both.
    """
    if spec.version is not None and spec.version != pinned.facts.series:
        raise SeriesMismatch(
            f"spec.version is {spec.version}, and {pinned.release.source} is Odoo {pinned.facts.series}.",
            resolution="Correct spec.version, or leave it out: it is learned from the release.",
        )
