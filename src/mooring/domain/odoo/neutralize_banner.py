# SPDX-License-Identifier: Apache-2.0
"""What people see of a copy in Odoo 14.0 and 15.0, which have no banner of their own: a view that Mooring adds. Data only.

From 16.0 on the module `web` brings `web.neutralize_banner`, which Odoo's own neutralization turns on.
"""

from __future__ import annotations

from typing import Final

NATIVE_KEY: Final = "web.neutralize_banner"
"""Key of Odoo's own."""

WEBSITE_KEY: Final = "website.neutralize_ribbon"
"""Key of the one that Odoo's websites have besides."""

KEY: Final = "mooring.neutralize_banner"
"""Key of ours."""

PARENT: Final = ("web", "layout")
"""Module and name of the page that every other is put into; it has one `body` in both series."""

TEXT: Final = "Copy of a database. Nothing is sent, nothing is charged."

ARCH: Final = (
    '<data name="Copy of a database"><xpath expr="//body" position="inside">'
    '<div class="o_mooring_copy" style="position: fixed; bottom: 0; left: 0; right: 0; z-index: 2000; padding: 2px; text-align:'
    ' center; font-size: 12px; color: #fff; background: #b3261e; opacity: .85; pointer-events: none;">'
    f"{TEXT}</div></xpath></data>"
)
"""The view: it stands over the page's lower edge, and takes no click."""
