# SPDX-License-Identifier: Apache-2.0
{
    "name": "Mooring demo",
    "summary": "A small add-on whose releases differ visibly, for tests of upgrades.",
    "version": "14.0.1.0.0",
    "license": "Other OSI approved licence",
    "depends": ["base", "web"],
    "data": ["security/ir.model.access.csv"],
    "installable": True,
}
