"""Asks schedulers over HTTP which cluster counts.  What the answer means is `finding.sources`'."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from etcdmesos.adapters.mesos_http import (
    AnswerLost,
    Exchange,
    MasterAddress,
    NotSent,
    Request,
)
from etcdmesos.errors import BadUsage, EtcdMesosError
from etcdmesos.finding.sources import Announced, announced

DEFAULT_ADMIN_PORT = 23400
_WITHIN = 2.0
_BODY_BYTES_MAX = 4 * 1024 * 1024


class NoWord(EtcdMesosError):
    """That scheduler tells nothing; the text says why."""


def admin_address(url: str) -> MasterAddress:
    """Of `http://host[:port]`, by default port 23400.  Raises BadUsage."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_ADMIN_PORT
    except ValueError as error:
        raise BadUsage(f"not an admin URL: {url!r:.200} ({error})") from error
    if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/"):
        raise BadUsage(f"not an admin URL (http://host:port): {url!r:.200}")
    return MasterAddress.parse(f"{parts.hostname}:{port}")


def ask_scheduler(url: str, cluster_name: str) -> Announced:
    """What the scheduler at `url` announces, within 2 s.  Raises NoWord."""
    try:
        address = admin_address(url)
        exchange = Exchange(address, seconds=_WITHIN, body_bytes_max=_BODY_BYTES_MAX)
        request = Request(method="GET", path="/stats", headers={"Accept": "application/json"})
        answer = exchange.run(request)
        if answer.status != 200 or not answer.complete:
            raise NoWord(f"{address} answered {answer.status}: {answer.text}")
        word = announced(json.loads(answer.body), cluster_name)
    except (BadUsage, NotSent, AnswerLost) as error:
        raise NoWord(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise NoWord(f"what listens at {url!r:.200} {str(error) or 'is no scheduler'}") from error
    if word is None:
        raise NoWord(f"the scheduler at {address} stands by")
    return word
