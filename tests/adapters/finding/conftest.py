"""Servers that say what a test wants, closed at its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.adapters.finding.servers import Server


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    """Those that the test made."""
    made: list[Server] = []
    yield made
    for server in made:
        server.close()
