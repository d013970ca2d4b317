# SPDX-License-Identifier: Apache-2.0
"""The mail sink of a Staging instance: takes every mail, keeps it, sends none."""
