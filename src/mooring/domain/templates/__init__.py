# SPDX-License-Identifier: Apache-2.0
"""Templates of new databases: what makes two of them the same, and which of them stay. Pure."""
