# SPDX-License-Identifier: Apache-2.0
"""The way a person talks to Mooring. It parses, calls `control` and prints."""
