# SPDX-License-Identifier: Apache-2.0
"""What users write: one module a kind, frozen pydantic values that do no I/O."""
