# SPDX-License-Identifier: Apache-2.0
"""A managed PostgreSQL server: what is wanted of the target for it."""
