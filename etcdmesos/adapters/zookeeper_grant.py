"""For how long ZooKeeper lets a session live without a word from us.

Servers grant 2 to 20 of their ticks, whatever is asked for; kazoo reads the answer and keeps it to
itself, so it is overheard here where it connects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kazoo.client import KazooClient
from kazoo.protocol.serialization import Connect


def overhear_grants(client: KazooClient, note: Callable[[float], None]) -> None:
    """Call `note` with the seconds granted at each connection, before kazoo calls it connected."""
    connection = client._connection
    invoke = connection._invoke

    def overheard(timeout: float, request: Any, *rest: Any, **named: Any) -> Any:
        answer = invoke(timeout, request, *rest, **named)
        if isinstance(request, Connect):
            granted_ms = answer[0].time_out
            if granted_ms > 0:  # otherwise the session was refused
                note(granted_ms / 1000)
        return answer

    connection._invoke = overheard
