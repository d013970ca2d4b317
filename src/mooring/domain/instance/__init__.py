# SPDX-License-Identifier: Apache-2.0
"""One instance: what its spec means here, what is wanted of the target, and the tasks beside its data."""
