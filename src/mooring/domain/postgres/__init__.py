# SPDX-License-Identifier: Apache-2.0
"""What Mooring knows about PostgreSQL: versions, names, configuration and how a server starts; nothing does I/O."""
