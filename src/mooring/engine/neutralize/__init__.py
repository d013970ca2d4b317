# SPDX-License-Identifier: Apache-2.0
"""Keep a copy from acting on the world, prove that it cannot, and count and cancel what waits to be sent."""
