# SPDX-License-Identifier: Apache-2.0
"""Pure decisions: no I/O, no clock, no randomness. What is outside is passed in."""
