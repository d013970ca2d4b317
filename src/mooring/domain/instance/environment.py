# SPDX-License-Identifier: Apache-2.0
"""Production or Staging: what a spec asks for before it is settled, and what a Staging instance has besides. Pure.

Settled is `Subject.environment`: from the ledger once the instance had a database, else from here. Only a promotion changes it
then. Called by control when it makes a subject, and by everything that decides about one.
"""

from __future__ import annotations

from mooring.api.enums import Environment
from mooring.api.instance import OdooInstanceSpec
from mooring.domain.instance.subject import MAIL_PORT, Subject
from mooring.domain.odoo.conf import MailSink


def environment_of(spec: OdooInstanceSpec) -> str:
    """What the spec says, before it is settled: `Production` or `Staging`."""
    if spec.environment is not None:
        return spec.environment.value
    return (Environment.STAGING if spec.staging_of is not None else Environment.PRODUCTION).value


def mail_sink(subject: Subject) -> MailSink | None:
    """Where a Staging instance's mail ends: a process of its own that keeps it; None for a Production instance.

    It is known under this name to the instance's processes and tasks alone.
    """
    return MailSink(host=subject.mail_host, port=MAIL_PORT) if subject.staging else None
