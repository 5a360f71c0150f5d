"""The SRV records that Mesos-DNS makes of a master's /state, by its documented rules, and a server
that tells them.

https://mesosphere.github.io/mesos-dns/docs/naming.html, and what 0.9 did when it was run: each port
of a running task's DiscoveryInfo makes `_<discovery name>._<protocol>.<framework>.<domain>`, and
with a name of its own `_<port name>.` before that.  Labels and visibility are ignored.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

DOMAIN = "mesos"


def srv_records(state: Mapping[str, Any]) -> dict[str, set[tuple[str, int]]]:
    """Host and port by name; hosts as the master knows them."""
    hosts = {agent["id"]: agent["hostname"] for agent in state["slaves"]}
    records: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
    for framework in state["frameworks"]:
        for task in framework["tasks"]:
            if task["state"] != "TASK_RUNNING" or "discovery" not in task:
                continue
            name, host = task["discovery"]["name"], hosts[task["slave_id"]]
            for port in task["discovery"]["ports"]["ports"]:
                service = f"_{name}._{port['protocol']}.{framework['name']}.{DOMAIN}"
                records[service].add((host, port["number"]))
                if port.get("name"):
                    records[f"_{port['name']}.{service}"].add((host, port["number"]))
    return dict(records)


class DnsServer:
    """Answers SRV and A questions about such records, over UDP at port 53 of `address`."""

    def __init__(self, address: str, records: Mapping[str, set[tuple[str, int]]]) -> None:
        """Raises OSError where this user may not listen there."""
        self._records = records
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        self._thread = threading.Thread(target=self._serve, name="dns", daemon=True)
        self._thread.start()

    def close(self) -> None:
        # An empty one ends it; a UDP socket cannot be woken otherwise.
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join(5.0)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            question, asker = self._socket.recvfrom(4096)
            if not question:
                return
            self._socket.sendto(self._answer(question), asker)

    def _answer(self, question: bytes) -> bytes:
        name, end = _name_in(question, 12)
        kind = int.from_bytes(question[end : end + 2], "big")
        answers = [
            question[12:end] + struct.pack("!HHIH", kind, 1, 60, len(data)) + data
            for data in self._data(name.lower(), kind)
        ]
        # An answer with authority; what is not known does not exist.
        flags = 0x8580 if answers else 0x8583
        head = question[:2] + struct.pack("!HHHHH", flags, 1, len(answers), 0, 0)
        return head + question[12 : end + 4] + b"".join(answers)

    def _data(self, name: str, kind: int) -> list[bytes]:
        if kind == 33:
            found = sorted(self._records.get(name, ()))
            return [struct.pack("!HHH", 0, 0, port) + _encoded(target(h)) for h, port in found]
        hosts = {host for each in self._records.values() for host, _ in each}
        return [socket.inet_aton(h) for h in hosts if kind == 1 and target(h) == name]


def target(host: str) -> str:
    """A name of the host, such as SRV records hold it."""
    return f"agent-{host.replace('.', '-')}.{DOMAIN}"


def _encoded(name: str) -> bytes:
    labels = name.split(".")
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def _name_in(message: bytes, at: int) -> tuple[str, int]:
    labels = []
    while length := message[at]:
        labels.append(message[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels), at + 1
