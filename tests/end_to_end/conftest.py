"""What outlives a test that fails is told of with its failure."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.end_to_end import diagnosis
from tests.end_to_end.stand import Daemon


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Stands of a test's own tell it when they are left; those of a module are still running."""
    report = yield
    if report.failed and report.when == "call":
        for fixture in item.funcargs.values():
            if isinstance(daemon := getattr(fixture, "daemon", None), Daemon):
                lines = diagnosis.known([daemon], getattr(fixture, "folder", None))
                report.sections.append(("What the daemons say", "\n".join(lines)))
    return report
