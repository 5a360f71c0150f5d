"""A writer that remembers what etcd acknowledged and at which revision, and what of it is left.

Every key is written once, so whatever is missing afterwards was lost, and nothing hides it.
"""

from __future__ import annotations

import base64
import http.client
import json
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from attrs import field, frozen

from tests.end_to_end.stand import LIMIT

PREFIX = "acknowledged/"


PATIENCE = 20.0
"""Seconds that an answer may take on a busy machine."""


def call(
    client_url: str, path: str, body: dict[str, Any], seconds: float = PATIENCE
) -> dict[str, Any]:
    """The answer of etcd's JSON gateway.  Raises OSError when there is none, or a refusal."""
    connection = http.client.HTTPConnection(client_url.removeprefix("http://"), timeout=seconds)
    try:
        connection.request("POST", path, json.dumps(body))
        answer = connection.getresponse()
        said: dict[str, Any] = json.loads(answer.read())
        if answer.status != 200:
            raise ConnectionError(f"{client_url}{path}: {said}")
        return said
    except (http.client.HTTPException, ValueError) as error:
        raise ConnectionError(f"{client_url}{path}: {error!r}") from error
    finally:
        connection.close()


def coded(text: str) -> str:
    """`text` as etcd's gateway has keys and values."""
    return base64.b64encode(text.encode()).decode()


def put(client_url: str, key: str, value: str, seconds: float = PATIENCE) -> int:
    """Write once; the revision at which it was acknowledged.  Raises OSError."""
    said = call(client_url, "/v3/kv/put", {"key": coded(key), "value": coded(value)}, seconds)
    return int(said["header"]["revision"])


def keys(client_url: str, prefix: str = PREFIX) -> dict[str, str]:
    """All keys that begin so, with their values, as a quorum has them.  Raises OSError."""
    end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    said = call(client_url, "/v3/kv/range", {"key": coded(prefix), "range_end": coded(end)})
    return {
        base64.b64decode(one["key"]).decode(): base64.b64decode(one.get("value", "")).decode()
        for one in said.get("kvs", ())
    }


@frozen
class Loss:
    """What is missing of all that was acknowledged."""

    written: int
    missing: tuple[int, ...]
    """The revisions of what is missing, in their order."""


@frozen(eq=False)
class Writer:
    """Writes key after key to one member after the other, until it is stopped."""

    client_urls: Sequence[str]
    name: str = "writer"
    acknowledged: dict[str, int] = field(factory=dict, init=False)
    """The revision of each key."""
    _stopped: threading.Event = field(factory=threading.Event, init=False)
    _first: threading.Event = field(factory=threading.Event, init=False)
    _thread: list[threading.Thread] = field(factory=list, init=False)

    def __enter__(self) -> Writer:
        thread = threading.Thread(target=self._write, name=self.name, daemon=True)
        self._thread.append(thread)
        thread.start()
        assert self._first.wait(LIMIT), "nothing was acknowledged"
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stopped.set()
        self._thread[0].join(30)
        assert not self._thread[0].is_alive()

    def _write(self) -> None:
        number = 0
        while not self._stopped.is_set():
            number += 1
            key = f"{PREFIX}{self.name}-{number}"
            with suppress(OSError):
                url = self.client_urls[number % len(self.client_urls)]
                self.acknowledged[key] = put(url, key, key, seconds=2.0)
                self._first.set()
            self._stopped.wait(0.01)


def loss(writers: Iterable[Writer], client_url: str) -> Loss:
    """What is missing at that member's cluster.  What is there must be as it was written."""
    left = keys(client_url)
    assert all(key == value for key, value in left.items())
    acknowledged = {k: r for writer in writers for k, r in writer.acknowledged.items()}
    missing = sorted(revision for key, revision in acknowledged.items() if key not in left)
    return Loss(len(acknowledged), tuple(missing))
