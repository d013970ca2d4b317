# SPDX-License-Identifier: Apache-2.0
"""The reconcile loop, the operation runner, the journal. It knows no particular target."""
