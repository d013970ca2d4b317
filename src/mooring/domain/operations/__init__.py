# SPDX-License-Identifier: Apache-2.0
"""Operations: plans of steps with undo, how one advances, and which exclude each other."""
