"""What a library says at every attempt is read once."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from etcdmesos.adapters.unrepeated import REMEMBERED, Unrepeated

DROPPED = "Connection dropped: %s"


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("tests.unrepeated")
    told = Unrepeated(anew="established")
    logger.addFilter(told)
    yield logger
    logger.removeFilter(told)


def test_an_outage_of_hours_is_a_few_lines(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    """And the next one, after it was over, is told again."""
    with caplog.at_level(logging.INFO):
        for _ in range(1000):
            logger.info("Connecting")
            logger.warning(DROPPED, "refused")
        logger.warning(DROPPED, "no route")
        logger.info("established")
        logger.info("established")
        logger.warning(DROPPED, "refused")
    assert [record.getMessage() for record in caplog.records] == [
        "Connecting",
        "Connection dropped: refused",
        "Connection dropped: no route",
        "established",
        "established",
        "Connection dropped: refused",
    ]


def test_what_is_remembered_is_bounded(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    """Texts that are new each time are all told, and do not pile up."""
    with caplog.at_level(logging.INFO):
        for number in range(3 * REMEMBERED):
            logger.info("session %d", number)
        logger.info("session %d", 0)
    assert len(caplog.records) == 3 * REMEMBERED + 1
