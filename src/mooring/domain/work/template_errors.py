# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with templates: MOOR-518, 519 and 522 to 524."""

from __future__ import annotations

from mooring.errors import ConflictError, FailedError, NotFoundError, Retry, UsageError


class TemplateMissing(NotFoundError):
    """A template that was known is no longer on the server."""

    code = "MOOR-518"
    reason = "TemplateMissing"
    retry = Retry.NEVER
    default_resolution = (
        "Nothing has to be done: Odoo installs the modules itself; `mooring template build` makes it anew."
    )


class TemplateUnfit(FailedError):
    """What is in a template cannot be handed to another role, or is not whole."""

    code = "MOOR-519"
    reason = "TemplateUnfit"
    retry = Retry.NEVER
    default_resolution = "Use `init.template: never` for this release, or leave out the module that makes such objects."


class TemplateTaskFailed(FailedError):
    """A step of making, listing or dropping templates failed."""

    code = "MOOR-522"
    reason = "TemplateTaskFailed"
    default_resolution = (
        "Follow what the task says, then run the command again: it begins anew and keeps nothing half made."
    )


class TemplateBusy(ConflictError):
    """Somebody else makes this template."""

    code = "MOOR-523"
    reason = "TemplateBusy"
    retry = Retry.AFTER
    default_resolution = "Wait until it is made; `mooring template list` shows it then."


class TemplateRefused(UsageError):
    """An instance, or its server, cannot have a template."""

    code = "MOOR-524"
    reason = "TemplateRefused"
    default_resolution = "Follow the message; Odoo installs the modules of such an instance itself."
