# SPDX-License-Identifier: Apache-2.0
"""Restore: a snapshot into a new database and a new filestore beside the old ones, checked."""
