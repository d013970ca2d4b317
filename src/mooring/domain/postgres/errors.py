# SPDX-License-Identifier: Apache-2.0
"""Errors of the decisions about PostgreSQL (MOOR-220 to MOOR-229). Raised by the modules beside this one."""

from __future__ import annotations

from mooring.errors import UsageError


class ServerConfigRefused(UsageError):
    """Parameters of a managed PostgreSQL would break a safety rule; `details` has one line for each."""

    code = "MOOR-220"
    reason = "ServerConfigRefused"
    default_resolution = "Remove the parameters that are named, or use the fields that are named in their place."


class UnsupportedPostgres(UsageError):
    """This major of PostgreSQL cannot be used here."""

    code = "MOOR-221"
    reason = "UnsupportedPostgres"
    default_resolution = "Choose a PostgreSQL major that Mooring and this Odoo series support."


class DatabaseNameInvalid(UsageError):
    """A database or role name is not allowed."""

    code = "MOOR-222"
    reason = "DatabaseNameInvalid"
    default_resolution = (
        "Use letters, digits, '_', '-' and '.', beginning with a letter or digit, at most 63 characters, "
        "and none of the server's own names."
    )


class ServerUserMissing(UsageError):
    """The image names no user that PostgreSQL could run as."""

    code = "MOOR-223"
    reason = "ServerUserMissing"
    default_resolution = "Use an image of PostgreSQL that has the user `postgres`, such as the official one."
