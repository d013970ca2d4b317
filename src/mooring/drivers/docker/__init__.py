# SPDX-License-Identifier: Apache-2.0
"""Docker and Podman, by Docker's API: finding the engine, and one method a verb. No decisions."""
