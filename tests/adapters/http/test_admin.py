"""What the admin interface refuses; what it shows is `tests/cluster/test_report.py`'s."""

from __future__ import annotations

import http.client
from contextlib import closing

import pytest
from attrs import evolve

from etcdmesos.adapters.admin import admin_app
from etcdmesos.adapters.http_server import HttpServer
from etcdmesos.cluster.model import Leadership, Model
from tests.cluster import make

LEADER = make.CONTROLLER.start(make.settings())
STANDBY = evolve(LEADER, leadership=Leadership(held=False, holder="node-2, admin 10.0.0.2:23400"))


def asked(model: Model, method: str, path: str) -> tuple[int, str]:
    server = HttpServer(admin_app(lambda: (model, 0.0)), "127.0.0.1", 0)
    server.start()
    with closing(server):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        with closing(connection):
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()


@pytest.mark.parametrize("path", ["/reseed", "/stats", "/"])
def test_a_standby_changes_nothing_and_names_the_holder(path: str) -> None:
    """409, so that a tool knows whom to ask instead."""
    status, said = asked(STANDBY, "POST", path)
    assert (status, said.count("10.0.0.2:23400")) == (409, 1)


def test_the_leader_has_nothing_to_be_changed_either() -> None:
    """Nothing can be changed over HTTP yet."""
    assert asked(LEADER, "POST", "/stats")[0] == 405


def test_a_standby_answers_what_it_is_asked() -> None:
    """It is alive, says what it is, and does not claim to know how the cluster is."""
    assert asked(STANDBY, "GET", "/livez")[0] == 200
    status, body = asked(STANDBY, "GET", "/stats")
    assert status == 200
    assert '"role":"standby"' in body
    status, line = asked(STANDBY, "GET", "/healthz")
    assert status == 500
    assert line.startswith("not known to this scheduler: stands by; node-2")
