"""Agents' attributes and fault domains: from the flags to offers, /state and /slaves."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

import pytest

from etcdmesos.embedded import EmbeddedMesos, attributes, running
from etcdmesos.embedded.options import Options
from etcdmesos.mesos.offers import Offer
from tests.embedded.scheduler import Scheduler

EU_1 = {"fault_domain": {"region": {"name": "eu"}, "zone": {"name": "eu-1"}}}


def test_mesos_guesses_the_type() -> None:
    """Numbers, ranges and sets are what looks like one; /state shows numbers as such."""
    parsed = attributes.parse("rack:r1;level:2.5;ports:[1-2, 5-9];os:{a, b};odd:1-2")
    rendered = attributes.render(parsed)
    assert [one["type"] for one in rendered] == ["TEXT", "SCALAR", "RANGES", "SET", "TEXT"]
    assert attributes.short(rendered) == {
        "rack": "r1",
        "level": 2.5,
        "ports": "[1-2, 5-9]",
        "os": "{a, b}",
        "odd": "1-2",
    }
    read = Offer.from_json(
        {
            "id": {"value": "o"},
            "agent_id": {"value": "a"},
            "hostname": "h",
            "attributes": rendered,
        }
    )
    assert read.attributes == {
        "rack": "r1",
        "level": "2.5",
        "ports": "[1-2,5-9]",
        "os": "{a,b}",
        "odd": "1-2",
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"attributes": ["rack"]}, "attribute 'rack' must be name:value"),
        ({"attributes": [":r"]}, "attribute ':r' must be name:value"),
        ({"attributes": ["a:1;b:"]}, "attribute 'b:' must be name:value"),
        ({"domains": ["eu"]}, "domain 'eu' must be region/zone"),
        ({"domains": ["eu/1", "/1"]}, "domain '/1' must be region/zone"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Options(**options)


def get(mesos: EmbeddedMesos, path: str) -> Any:
    connection = http.client.HTTPConnection(mesos.master, timeout=60)
    connection.request("GET", path)
    answer = json.load(connection.getresponse())
    connection.close()
    return answer


def offered(mesos: EmbeddedMesos, agents: int, *capabilities: str) -> dict[str, Offer]:
    """What a framework with these capabilities is offered, by host."""
    found: dict[str, Offer] = {}
    wanted = [{"type": name} for name in capabilities]
    with Scheduler(mesos.master, capabilities=wanted, roles=None, role="*") as scheduler:
        while len(found) < agents:
            offer = Offer.from_json(scheduler.offer())
            found[offer.hostname] = offer
        # Those of one allocation come together; no more would come later.
        for event in [one for one in scheduler.events if one["type"] == "OFFERS"]:
            for data in event["offers"]["offers"]:
                found[data["hostname"]] = Offer.from_json(data)
    return found


def test_offers_and_endpoints_show_them(tmp_path: Path) -> None:
    """Agents take what is given several times in turn; %n is the agent's number."""
    with running(
        tmp_path,
        master_port=0,
        agent_port=0,
        agents=3,
        attributes=["rack:r1;node:n%n", "level:7"],
        domains=["eu/eu-1", "eu/eu-2"],
    ) as mesos:
        offers = offered(mesos, 3)
        assert [(o.region, o.zone, dict(o.attributes)) for _, o in sorted(offers.items())] == [
            ("eu", "eu-1", {"rack": "r1", "node": "n1"}),
            ("eu", "eu-2", {"level": "7"}),
            ("eu", "eu-1", {"rack": "r1", "node": "n3"}),
        ]
        state = get(mesos, "/state")
        assert state["domain"] == EU_1
        for agents in (state["slaves"], get(mesos, "/slaves")["slaves"]):
            first = next(agent for agent in agents if agent["hostname"] == "127.0.0.11")
            second = next(agent for agent in agents if agent["hostname"] == "127.0.0.12")
            assert first["domain"] == EU_1
            assert first["attributes"] == {"rack": "r1", "node": "n1"}
            assert second["attributes"] == {"level": 7.0}


def test_other_regions_are_for_frameworks_that_ask(tmp_path: Path) -> None:
    """Agents outside the master's region are offered to REGION_AWARE frameworks only."""
    with running(
        tmp_path, master_port=0, agent_port=0, agents=2, domains=["eu/1", "us/1"]
    ) as mesos:
        assert set(offered(mesos, 1)) == {"127.0.0.11"}
        assert set(offered(mesos, 2, "REGION_AWARE")) == {"127.0.0.11", "127.0.0.12"}
