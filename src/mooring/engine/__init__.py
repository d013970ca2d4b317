# SPDX-License-Identifier: Apache-2.0
"""Work on data beside the data, as `mooring task`. It knows no target."""
