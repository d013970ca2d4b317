# SPDX-License-Identifier: Apache-2.0
"""Backup: one snapshot of a database, its filestore and its add-ons into a repository or an archive."""
