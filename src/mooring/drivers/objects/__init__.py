# SPDX-License-Identifier: Apache-2.0
"""Object stores: S3 and what speaks it, Google's, Azure's, or a folder, behind one small protocol."""
