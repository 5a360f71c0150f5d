"""Fixtures of the embedded Mesos' tests: one that runs for a whole module, one for one test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from etcdmesos.embedded import EmbeddedMesos, running

# Short, so that what waits for a time-out does not make the suite wait.
QUICK: dict[str, Any] = {
    "master_port": 0,
    "agent_port": 0,
    "allocation_interval": 0.1,
    "executor_registration_timeout": 3.0,
    "executor_reregistration_timeout": 2.0,
    "executor_shutdown_grace_period": 0.5,
    "recovery_timeout": 30.0,
    "ping_timeout": 0.2,
    "ping_timeouts_max": 3,
    "registration_backoff": 0.1,
    # Not shorter than an acknowledgement may take on a busy machine: an update would come twice.
    "update_retry": 3.0,
}

Start = Callable[..., EmbeddedMesos]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMesos]:
    """One embedded Mesos with three agents that no test of the module breaks."""
    with running(tmp_path_factory.mktemp("shared"), agents=3, **QUICK) as mesos:
        yield mesos


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start an embedded Mesos of this test's own; it is stopped afterwards."""
    before = set(threading.enumerate())
    with ExitStack() as stack:

        def begin(**options: Any) -> EmbeddedMesos:
            return stack.enter_context(
                running(tmp_path / "mesos", **{"agents": 1, **QUICK, **options})
            )

        yield begin
    left = [one for one in set(threading.enumerate()) - before if one.name.startswith("embedded")]
    assert left == []
