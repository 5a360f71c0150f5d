"""A client of the schedulers' admin interface: finds the one that holds the cluster, and asks it.

Every request ends within SECONDS.  What the answers mean is the caller's.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any

from etcdmesos.errors import BadUsage, EtcdMesosError

SECONDS = 15.0
"""For one answer: a little more than a scheduler takes for one to a POST."""
LEADER = "leader"


class NoAnswer(EtcdMesosError):
    """No scheduler answered, or not as one does."""


class Refused(EtcdMesosError):
    """A scheduler did not do what it was asked for, and says why."""


def addresses(text: str) -> str:
    """`text`, if it is the host:port of one or more schedulers, comma separated.  Raises
    ValueError."""
    for one in text.split(","):
        host, _, port = one.rpartition(":")
        if not (host and port.isdecimal() and 0 < int(port) <= 65535):
            raise ValueError(f"'{one}' is not host:port")
    return text


class AdminClient:
    """Asks the schedulers of one cluster, at `where`: what `addresses` lets pass."""

    def __init__(self, where: str, token: str = "") -> None:
        self._addresses = where.split(",")
        self._token = token

    def get(self, path: str) -> Any:
        """What the holder answers to a GET, decoded; a standby if there is no holder.

        Raises NoAnswer.
        """
        return self._get(self._found()[0], path)

    def post(self, path: str, told: Mapping[str, Any]) -> str:
        """What the holder says to being asked for `path`.

        Raises BadUsage without a token, NoAnswer, and Refused.
        """
        if not self._token:
            raise BadUsage(
                "this needs the token: -token-file=FILE, or ETCD_MESOS_TOKEN in the environment"
            )
        address, stats = self._found()
        if stats["role"] != LEADER:
            raise Refused(f"{address} does not hold the cluster: {stats['why']}")
        status, body = self._ask(
            address,
            "POST",
            path,
            json.dumps(told),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        said = body.decode(errors="replace").strip()
        if not 200 <= status < 300:
            raise Refused(said or f"{address} answered {status}")
        return said

    def _found(self) -> tuple[str, dict[str, Any]]:
        """The holder and its /stats; of several standbys the first.  Raises NoAnswer."""
        standbys, failures = [], []
        for address in self._addresses:
            try:
                stats = self._get(address, "/stats")
            except NoAnswer as error:
                failures.append(str(error))
                continue
            if not (isinstance(stats, dict) and {"role", "why"} <= stats.keys()):
                failures.append(f"{address} is no admin interface of a scheduler")
            elif stats["role"] == LEADER:
                return address, stats
            else:
                standbys.append((address, stats))
        if not standbys:
            raise NoAnswer("; ".join(failures))
        return standbys[0]

    def _get(self, address: str, path: str) -> Any:
        status, body = self._ask(address, "GET", path)
        try:
            if status != http.client.OK:
                raise ValueError
            return json.loads(body)
        except ValueError:
            raise NoAnswer(f"{address} answered {status} to {path}, and no JSON") from None

    def _ask(
        self,
        address: str,
        method: str,
        path: str,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(address, timeout=SECONDS)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            detail = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise NoAnswer(f"{address} does not answer: {detail}") from None
        finally:
            connection.close()
