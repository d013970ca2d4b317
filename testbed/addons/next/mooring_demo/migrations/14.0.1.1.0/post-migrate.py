# SPDX-License-Identifier: Apache-2.0


def migrate(cr, version):
    """Leave a trace that a test can read, and that a return to the previous release must take away."""
    cr.execute(
        "INSERT INTO ir_config_parameter (key, value) VALUES ('mooring_demo.migrated', %s)"
        " ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value",
        ["%s to 14.0.1.1.0" % version],
    )
