"""The proxy's flags: what they mean, and what is refused with one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etcdmesos.cli import proxy_flags
from etcdmesos.errors import BadUsage
from etcdmesos.proxy.fronts import Kind


def parse(*flags: str, **environment: str) -> dict[str, Any]:
    return proxy_flags.parse(["-master=m:5050", *flags], environment)


def test_what_is_not_given() -> None:
    """One cluster, this machine alone, and the front that loses no watch."""
    values = parse()
    assert values["framework_name"] == "etcd-default"
    assert values["listen"] == ("127.0.0.1", 2379)
    assert values["front"] is Kind.GRPC_PROXY
    assert values["admin_urls"] == ()


def test_what_is_given() -> None:
    """By flag or by environment."""
    values = parse(
        "-cluster-name=c",
        "-framework-name=other",
        "-front=gateway",
        "--listen-client-urls=http://0.0.0.0:4001/",
        ETCD_MESOS_ADMIN_URLS="http://a:1, http://b",
    )
    assert (values["cluster_name"], values["framework_name"]) == ("c", "other")
    assert values["listen"] == ("0.0.0.0", 4001)
    assert values["front"] is Kind.GATEWAY
    assert values["admin_urls"] == ("http://a:1", "http://b")


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("-master=", "-master is missing"),
        ("-cluster-name=a b", "-cluster-name"),
        ("-front=nginx", "-front=nginx: must be one of grpc-proxy, gateway, v2-proxy"),
        ("-listen-client-urls=https://h:1", "must be http://host:port"),
        ("-listen-client-urls=http://h", "must be http://host:port"),
        ("-listen-client-urls=http://h:x", "must be http://host:port"),
        ("-listen-client-urls=http://a:1,http://b:1", "listen at one address"),
        ("-admin-urls=h:1", "-admin-urls: not an admin URL"),
        ("-zk-session-timeout-seconds=0", "-zk-session-timeout-seconds"),
        ("-mesos-authentication-secret-file=/nonexistent", "-mesos-authentication-principal"),
    ],
)
def test_what_is_refused(flag: str, says: str) -> None:
    """In one line that names the flag."""
    with pytest.raises(BadUsage, match=says):
        parse(flag)


def test_the_old_proxy_ended_with_3_6() -> None:
    """It is said what to take instead."""
    values = parse("-front=v2-proxy")
    with pytest.raises(BadUsage, match=r"none since 3\.6; use gateway"):
        proxy_flags.front_of(values, Path("/nonexistent"), (3, 6, 0))


def test_a_front_at_every_address_names_its_host() -> None:
    """Clients are told an address that leads here."""
    values = parse("-front=gateway", "-listen-client-urls=http://0.0.0.0:4001")
    front = proxy_flags.front_of(values, Path("/nonexistent"), (3, 5, 30))
    assert front.listen == "0.0.0.0:4001"
    assert front.advertise.endswith(":4001")
    assert not front.advertise.startswith("0.0.0.0")
