"""The SRV records that Mesos-DNS makes of a master's /state, by its documented rules.

https://mesosphere.github.io/mesos-dns/docs/naming.html, and what 0.9 did when it was run: each port
of a running task's DiscoveryInfo makes `_<discovery name>._<protocol>.<framework>.<domain>`, and
with a name of its own `_<port name>.` before that.  Labels and visibility are ignored.
"""

from __future__ import annotations

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
