"""Offers as the master sends them."""

from __future__ import annotations

from typing import Any

import pytest

from etcdmesos.mesos.offers import Offer
from etcdmesos.mesos.resources import PortRange


def data(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": {"value": "o-1"},
        "agent_id": {"value": "S0"},
        "framework_id": {"value": "fw"},
        "hostname": "node1",
        "url": {"address": {"hostname": "node1", "ip": "10.0.0.1", "port": 5051}},
        "resources": [
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 4.0}},
            {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 1, "end": 9}]}},
        ],
        "attributes": [
            {"name": "rack", "type": "TEXT", "text": {"value": "r1"}},
            {"name": "level", "type": "SCALAR", "scalar": {"value": 3.0}},
            {
                "name": "span",
                "type": "RANGES",
                "ranges": {"range": [{"begin": 1, "end": 2}, {"begin": 5, "end": 9}]},
            },
            {"name": "kinds", "type": "SET", "set": {"item": ["a", "b"]}},
        ],
        "domain": {"fault_domain": {"region": {"name": "eu"}, "zone": {"name": "eu-1"}}},
    }
    return {**made, **changes}


def test_an_offer_is_read() -> None:
    """Ids, address, resources, attributes as text, and the fault domain."""
    offer = Offer.from_json(data())
    assert (offer.id, offer.agent_id, offer.hostname) == ("o-1", "S0", "node1")
    assert offer.address == "10.0.0.1"
    assert offer.attributes == {"rack": "r1", "level": "3", "span": "[1-2,5-9]", "kinds": "{a,b}"}
    assert (offer.region, offer.zone) == ("eu", "eu-1")
    assert offer.resources[1].ranges == (PortRange(1, 9),)


def test_without_an_address_the_hostname_serves() -> None:
    """An offer need not have a URL, attributes or a domain."""
    bare = {k: v for k, v in data().items() if k not in ("url", "attributes", "domain")}
    offer = Offer.from_json(bare)
    assert (offer.address, offer.attributes, offer.region) == ("node1", {}, "")
    assert Offer.from_json(data(url={"address": {"hostname": "x", "port": 1}})).address == "node1"


@pytest.mark.parametrize("lacking", ["id", "agent_id", "hostname"])
def test_an_offer_without_its_names_is_refused(lacking: str) -> None:
    """What identifies an offer must be there."""
    with pytest.raises(KeyError):
        Offer.from_json({k: v for k, v in data().items() if k != lacking})
