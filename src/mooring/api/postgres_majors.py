# SPDX-License-Identifier: Apache-2.0
"""Which majors of PostgreSQL are run and used. Constants alone: the models, the decisions and the tasks share them."""

from __future__ import annotations

from typing import Final

OLDEST_MAJOR: Final = 13
"""Oldest major that Mooring runs as a managed server."""

NEWEST_MAJOR: Final = 17
"""Newest major of PostgreSQL's clients in the engine image: pg_dump refuses a server newer than itself, so a newer server is
neither run nor used. A unit test holds this against the image's recipe (deploy/images/engine)."""
