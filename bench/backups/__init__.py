# SPDX-License-Identifier: Apache-2.0
"""Backups and restores beside restic with pg_dump, and beside a tar.gz that is uploaded whole."""
