# SPDX-License-Identifier: Apache-2.0
"""The values that decisions read and make. They hold no behaviour beyond their own consistency."""
