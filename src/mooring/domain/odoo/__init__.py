# SPDX-License-Identifier: Apache-2.0
"""What Mooring knows about Odoo: facts by series, process sizes, odoo.conf and command lines; nothing here does I/O."""
