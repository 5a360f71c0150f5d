"""What the user gave is refused in one line when it makes no sense."""

from __future__ import annotations

import pytest

from etcdmesos.adapters.mesos_framework import FixedMaster, FrameworkDescription
from etcdmesos.errors import BadUsage


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host:",
        "host:0",
        "host:65536",
        "host:port",
        "a b",
        "-host:5050",
        "http://host:5050",
        "https://host:5050",
        "zk://host:2181/mesos",
        "host:5050/path",
        "[::1]:5050",
        "host:5050\nX",
        "h" * 64,
        "a..b",
        ":5050",
        "user@host:5050",
        "host:\u0665\u0660",
    ],
)
def test_a_malformed_address_is_refused_in_one_line(text: str) -> None:
    """BadUsage, which a daemon shows and exits with 2."""
    with pytest.raises(BadUsage) as refused:
        FixedMaster(text)
    assert "\n" not in str(refused.value)


def test_the_port_has_a_default() -> None:
    """Mesos masters listen on 5050."""
    assert FixedMaster("master.example").leading() == "master.example:5050"
    assert FixedMaster("10.0.0.1:5051").leading() == "10.0.0.1:5051"


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_a_failover_timeout_without_sense_is_refused(seconds: float) -> None:
    """BadUsage, before the master sees it."""
    with pytest.raises(BadUsage):
        FrameworkDescription(name="f", user="root", failover_timeout_seconds=seconds)


@pytest.mark.parametrize("aware", [False, True])
def test_other_regions_are_wanted_when_asked_for(aware: bool) -> None:
    """Without REGION_AWARE the master offers no agent of another region than its own."""
    described = FrameworkDescription(
        name="f", user="root", failover_timeout_seconds=1.0, region_aware=aware
    )
    said = {one["type"] for one in described.to_json("")["capabilities"]}
    assert ("REGION_AWARE" in said) is aware
