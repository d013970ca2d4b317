# SPDX-License-Identifier: Apache-2.0
"""Thin wrappers of what is outside: container engine, SQLite, files, processes. They decide nothing."""
