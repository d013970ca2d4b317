# SPDX-License-Identifier: Apache-2.0
"""Copies a running instance's data beside another's."""
