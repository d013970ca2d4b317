# SPDX-License-Identifier: Apache-2.0
"""Measures how fast Mooring is, as ratios from one run. Not part of what is installed."""
