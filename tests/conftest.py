"""What every test shares: hypothesis' profiles and the `--rewrite` option.

`dev` is the default and quick, `ci` looks a little longer; both are the same on every run, so that
what fails is the doing of the change at hand.  `explore` draws others each time and is for a
night: `HYPOTHESIS_PROFILE=explore pytest tests/cluster`.  `mutants` only wants to know whether a
planted bug is found, and shrinks nothing.  No module may leave a thread behind.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

# A slow or shared machine is no finding: no deadline per example, and none for drawing them.
settings.register_profile(
    "dev",
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "ci",
    max_examples=200,
    stateful_step_count=60,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "explore",
    max_examples=20_000,
    stateful_step_count=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "mutants",
    settings.get_profile("dev"),
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite",
        action="store_true",
        help="write what the code says into tests/**/scripts/*.txt; commit it only if you "
        "understand the difference",
    )


_ENDS_WITHIN = 60.0


@pytest.fixture(scope="module", autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """A thread left by one module disturbs the others: kazoo's draw from `random` while hypothesis
    watches it, and a probe's may still be asking when its port belongs to another server."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + _ENDS_WITHIN
    begun = [thread for thread in threading.enumerate() if thread not in before]
    for thread in begun:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert [thread.name for thread in begun if thread.is_alive()] == []
