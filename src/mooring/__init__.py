# SPDX-License-Identifier: Apache-2.0
"""Mooring keeps Odoo instances running, upgraded, backed up and restorable."""

__version__ = "0.1.0"
