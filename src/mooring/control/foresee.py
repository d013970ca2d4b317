# SPDX-License-Identifier: Apache-2.0
"""Refuses, before anything is written, a spec that its first pass would stop at: what more than the file decides.

Secrets that are not there, a server that does not exist, options that break a safety rule, limits that cannot be shared out.
A spec that is stored all the same, because something changed later, is met again by the pass, which says so in status.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mooring.api.enums import Environment
from mooring.api.instance import OdooInstanceSpec
from mooring.api.meta import Resource, SecretKeyRef
from mooring.control.connections import UNLIMITED
from mooring.control.errors import UnknownServer
from mooring.control.servers import secret_ref
from mooring.control.services import Services, server_ref
from mooring.domain.instance.conf import decide_spec_sizing
from mooring.domain.instance.environment import environment_of
from mooring.domain.instance.ledger import load_ledger
from mooring.domain.model.identity import Ref
from mooring.domain.model.secret import SecretKey, SecretRef
from mooring.domain.odoo.errors import ConfigRefused
from mooring.domain.odoo.facts import NEWEST, facts_for
from mooring.domain.odoo.options import judge_options
from mooring.errors import ConflictError, MooringError, NotFoundError, UsageError

REFUSALS = (UsageError, NotFoundError, ConflictError)
"""What a person has to correct; anything else means that it could not be looked."""


async def find_uncarriable(
    services: Services, ref: Ref, spec: OdooInstanceSpec, manifests: Sequence[Resource]
) -> list[MooringError]:
    """Everything that the first pass would raise, one after the other.

    UnknownServer: `database.server` names none. MissingSecret, EmptySecret, BadSecretValue: of a secret that the spec names.
    ConfigRefused, ResourcesRefused: options and limits. What its server gives is looked at by `connections`.

    Args:
        manifests: written together with it; a server among them counts as there.

    Raises:
        MooringError: a store is in trouble.
    """
    found: list[MooringError] = []
    name = spec.database.server
    if name is not None:
        where = server_ref(ref.namespace, name)
        together = {("DatabaseServer", one.namespace, one.name) for one in manifests if one.kind == "DatabaseServer"}
        if (where.kind, where.namespace, where.name) not in together and await services.documents.get(where) is None:
            found.append(UnknownServer(f"{where} does not exist, and {ref} wants to use it."))
    for key in dict.fromkeys(_secrets(ref, spec)):
        try:
            await services.secrets.value(key)
        except REFUSALS as error:
            found.append(error)
    doc = await services.documents.get(ref)
    ledger = load_ledger(doc.status.get("ledger") if doc else None)
    known = ledger.release(ledger.runs) or ledger.release(ledger.wanted)
    series = known.facts.series if known else spec.version or NEWEST
    try:
        _refuse_settings(spec, series, settled=ledger.environment)
    except REFUSALS as error:
        found.append(error)
    return found


def _refuse_settings(spec: OdooInstanceSpec, series: str, *, settled: str) -> None:
    """Raise what cannot be written into odoo.conf; `settled` is its environment, empty before it has one."""
    sizing = decide_spec_sizing(spec, series=series, max_connections=UNLIMITED)
    judged = judge_options(
        spec.config_options,
        facts=facts_for(series),
        environment="Staging" if (settled or environment_of(spec)) == Environment.STAGING else "Production",
        logs_volume=False,
        workers=sizing.web.workers,
    )
    if judged.refusals:
        raise ConfigRefused(f"{len(judged.refusals)} setting(s) of odoo.conf are refused.", judged.refusals)


def _secrets(ref: Ref, spec: OdooInstanceSpec) -> Iterator[SecretKey]:
    for given in (
        spec.admin_password_secret_ref,
        spec.init.admin_password_secret_ref,
        spec.webhook.secret_token_secret_ref if spec.webhook else None,
    ):
        if given is not None:
            yield _key(ref, given)
    external = spec.database.external
    if external is not None:
        own = secret_ref(ref.namespace, external.secret_ref)
        yield from (SecretKey(own, key) for key in ("user", "password"))
        if spec.database.name is None:
            yield SecretKey(own, "dbname")
        if external.admin_secret_ref is not None:
            admin = secret_ref(ref.namespace, external.admin_secret_ref)
            yield from (SecretKey(admin, key) for key in ("user", "password"))
    tls = spec.ingress.tls if spec.ingress else None
    if tls is not None and tls.secret_name:
        yield from (SecretKey(SecretRef(ref.namespace, tls.secret_name), key) for key in ("tls.crt", "tls.key"))


def _key(ref: Ref, given: SecretKeyRef) -> SecretKey:
    if given.file is not None:
        return SecretKey(SecretRef(ref.namespace, f"file:{given.file}"), "value")
    return SecretKey(SecretRef(ref.namespace, given.name or ""), given.key or "")
