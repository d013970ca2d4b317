# SPDX-License-Identifier: Apache-2.0


def migrate(cr, version):
    """Harm the data, then fail, as a bad migration does."""
    cr.execute("DELETE FROM mooring_demo_note")
    cr.commit()
    raise ValueError("mooring_demo: this migration cannot succeed")
