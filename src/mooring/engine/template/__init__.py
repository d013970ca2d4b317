# SPDX-License-Identifier: Apache-2.0
"""Templates: databases in which only Odoo's own `-i` ran, from which new instances' databases are copied."""
