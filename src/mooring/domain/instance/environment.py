# SPDX-License-Identifier: Apache-2.0
"""Production or Staging: what a spec asks for before it is settled, and what a Staging instance has besides. Pure.

Settled is `Subject.environment`: from the ledger once the instance had a database, else from here. Only a promotion changes it
then. Called by control when it makes a subject, and by everything that decides about one.
"""

from __future__ import annotations

import ipaddress

from mooring.api.enums import Environment
from mooring.api.instance import OdooInstanceSpec
from mooring.domain.instance.subject import MAIL_PORT, Subject
from mooring.domain.model.desired import Destination
from mooring.domain.odoo.conf import MailSink


def environment_of(spec: OdooInstanceSpec) -> str:
    """What the spec says, before it is settled: `Production` or `Staging`."""
    if spec.environment is not None:
        return spec.environment.value
    return (Environment.STAGING if spec.staging_of is not None else Environment.PRODUCTION).value


def find_environment_change(old: OdooInstanceSpec | None, new: OdooInstanceSpec, *, settled: str) -> list[str]:
    """One sentence for each word of a new spec that would change what was settled; what it said before may stay there.

    Args:
        old: the spec before; None for an instance whose data was retained.
        settled: `Production` or `Staging`; empty where nothing is settled yet.
    """
    if not settled:
        return []
    if (
        new.environment is not None
        and new.environment != settled
        and (old is None or old.environment != new.environment)
    ):
        return [f"spec.environment is {settled} and cannot change here; only `mooring promote` does it."]
    began = new.staging_of is not None and (old is None or old.staging_of is None)
    if began and new.environment is None and settled == Environment.PRODUCTION:
        return [f"spec.stagingOf: it is a {settled} instance, and a copy needs an instance of its own."]
    return []


def mail_sink(subject: Subject) -> MailSink | None:
    """Where a Staging instance's mail ends: a process of its own that keeps it; None for a Production instance.

    It is known under this name to the instance's processes and tasks alone.
    """
    return MailSink(host=subject.mail_host, port=MAIL_PORT) if subject.staging else None


def own_address(subject: Subject, seen: str | None) -> str:
    """Where the instance answers, for its `web.base.url`: as it was seen, else as its spec says, else its own loopback.

    Args:
        seen: URL of its endpoint; None where it has none yet.
    """
    if seen:
        return seen
    ingress = subject.spec.ingress
    if ingress is not None and ingress.hosts:
        scheme = "http" if ingress.tls is None or ingress.tls.none else "https"
        return f"{scheme}://{ingress.hosts[0].lower()}"
    return f"http://127.0.0.1:{subject.spec.service.port or 8069}"


def read_egress(subject: Subject) -> tuple[Destination, ...]:
    """What a Staging instance's spec opens beside its database and the sink: `HOST:PORT` each; nothing for Production."""
    given = subject.spec.neutralize if subject.staging else None
    places = (text.partition(":") for text in given.allow_egress) if given is not None else ()
    return tuple(Destination(host.lower(), int(port)) for host, _, port in places)


def find_egress_faults(spec: OdooInstanceSpec, *, target: str) -> list[str]:
    """One sentence for each place that a target cannot open which tells places apart by their name and port alone."""
    given = spec.neutralize.allow_egress if spec.neutralize is not None else ()
    return [
        f"spec.neutralize.allowEgress: the target {target} opens a way by HOST:PORT only, and {text} {_lacks(text)}."
        for text in given
        if _lacks(text)
    ]


def _lacks(text: str) -> str:
    if "/" in text:
        return "is a network"
    host, colon, _ = text.partition(":")
    try:
        ipaddress.ip_address(text if text.count(":") > 1 else host)
    except ValueError:
        return "" if colon else "names no port"
    return "is an address: give it a name"
