# SPDX-License-Identifier: Apache-2.0
"""The repository in an object store, by the format that docs/reference/repository-format.md fixes."""
