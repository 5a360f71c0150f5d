"""The clusters that every contract test is held to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real_etcd import VERSIONS
from tests.simulation.etcd.contract import Cluster
from tests.simulation.etcd.contract_real import Real
from tests.simulation.etcd.contract_simulated import Simulated


@pytest.fixture(
    params=[
        pytest.param((kind, version), id=f"{kind}-{version}", marks=marks)
        for kind, marks in (("simulated", []), ("real", [pytest.mark.real]))
        for version in VERSIONS
    ]
)
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    kind, version = request.param
    cluster = Simulated(version) if kind == "simulated" else Real(version, tmp_path)
    yield cluster
    cluster.close()
