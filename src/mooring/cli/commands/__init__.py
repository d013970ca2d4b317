# SPDX-License-Identifier: Apache-2.0
"""One module a verb. Each parses, calls control, prints, and returns an exit code."""
