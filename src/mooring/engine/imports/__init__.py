# SPDX-License-Identifier: Apache-2.0
"""Archives that people bring: Odoo's zip, click-odoo's folder, a stack's tar.gz, dumps. All of it is hostile input."""
