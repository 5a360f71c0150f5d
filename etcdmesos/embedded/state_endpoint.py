"""The master's JSON for readers: /state, /slaves, /frameworks, /tasks, /state-summary."""

from __future__ import annotations

from typing import Any

from etcdmesos.embedded import attributes, resources
from etcdmesos.embedded.cluster import AgentRecord, Cluster, Departed, Framework
from etcdmesos.embedded.master_context import HOST, MasterContext
from etcdmesos.embedded.membership import CAPABILITIES
from etcdmesos.embedded.resources import Resources
from etcdmesos.embedded.tasks import Task
from etcdmesos.embedded.versions import VERSION

Json = dict[str, Any]

_COUNTED = (
    "TASK_STAGING",
    "TASK_STARTING",
    "TASK_RUNNING",
    "TASK_KILLING",
    "TASK_FINISHED",
    "TASK_KILLED",
    "TASK_FAILED",
    "TASK_LOST",
    "TASK_ERROR",
    "TASK_UNREACHABLE",
)


def _traits(info: Json) -> Json:
    """An agent's attributes, as the short object, and its domain, if it names one."""
    traits: Json = {"attributes": attributes.short(info.get("attributes", []))}
    return {**traits, "domain": info["domain"]} if "domain" in info else traits


def slave(cluster: Cluster, agent: AgentRecord) -> Json:
    """One registered agent."""
    whole = resources.summary(agent.total)
    shown = {
        "id": agent.agent_id,
        "hostname": agent.hostname,
        "port": agent.info["port"],
        **_traits(agent.info),
        "pid": agent.pid,
        "registered_time": agent.registered_time,
        "resources": whole,
        "used_resources": resources.summary(agent.used()),
        "offered_resources": resources.summary(cluster.offered(agent.agent_id)),
        "reserved_resources": {},
        "unreserved_resources": whole,
        "active": agent.connected,
        "deactivated": False,
        "version": VERSION["version"],
        "capabilities": CAPABILITIES,
    }
    if agent.reregistered_time is not None:
        shown["reregistered_time"] = agent.reregistered_time
    return shown


def slave_full(cluster: Cluster, agent: AgentRecord) -> Json:
    """One registered agent as /slaves shows it."""
    offered = cluster.offered(agent.agent_id)
    return {
        **slave(cluster, agent),
        "reserved_resources_full": {},
        "unreserved_resources_full": resources.render(agent.total, role="*"),
        "used_resources_full": resources.render(agent.used(), role="*", allocated=True),
        "offered_resources_full": resources.render(offered, role="*", allocated=True),
    }


def recovered_slaves(cluster: Cluster) -> list[Json]:
    """Agents of the registry a new master still waits for."""
    return [_departed(one) for one in cluster.recovered.values()]


def _departed(one: Departed) -> Json:
    return {
        "id": one.agent_id,
        "hostname": one.info["hostname"],
        "port": one.info["port"],
        **_traits(one.info),
        "resources": resources.summary(resources.parse(one.info["resources"])),
    }


def slaves(cluster: Cluster) -> Json:
    """/slaves."""
    shown = [slave_full(cluster, agent) for agent in cluster.agents.values()]
    return {"slaves": shown, "recovered_slaves": recovered_slaves(cluster)}


def _amounts(cluster: Cluster, framework: Framework) -> tuple[Resources, Resources]:
    used = [agent.used(framework.framework_id) for agent in cluster.agents.values()]
    offers = cluster.offers_of(framework_id=framework.framework_id)
    return resources.total(used), resources.total(offer.resources for offer in offers)


def framework(cluster: Cluster, one: Framework) -> Json:
    """One framework with its tasks, offers and executors."""
    used, offered = _amounts(cluster, one)
    info = one.info
    shown: Json = {
        "id": one.framework_id,
        "name": info["name"],
        "used_resources": resources.summary(used),
        "offered_resources": resources.summary(offered),
        "capabilities": [each["type"] for each in info.get("capabilities", [])],
        "hostname": info.get("hostname", ""),
        "webui_url": info.get("webui_url", ""),
        "active": one.active,
        "connected": one.connected,
        "recovered": one.recovered,
        "user": info.get("user", ""),
        "failover_timeout": float(info.get("failover_timeout", 0.0)),
        "checkpoint": bool(info.get("checkpoint", False)),
        "registered_time": one.registered_time,
        "unregistered_time": one.unregistered_time,
    }
    if "principal" in info:
        shown["principal"] = info["principal"]
    shown["resources"] = resources.summary(used + offered)
    if one.reregistered_time is not None:
        shown["reregistered_time"] = one.reregistered_time
    if one.capable("MULTI_ROLE"):
        shown["roles"] = one.roles
    else:
        shown["role"] = info.get("role", "*")
    if "labels" in info:
        shown["labels"] = info["labels"].get("labels", [])
    shown["tasks"] = [task.for_state() for _, task in cluster.tasks_of(one.framework_id)]
    shown["unreachable_tasks"] = [task.for_state() for task in one.unreachable.values()]
    shown["completed_tasks"] = [task.for_state() for task in one.completed]
    shown["offers"] = [
        {
            "id": offer.offer_id,
            "framework_id": offer.framework_id,
            "allocation_info": {"role": offer.role},
            "slave_id": offer.agent_id,
            "resources": resources.summary(offer.resources),
        }
        for offer in cluster.offers_of(framework_id=one.framework_id)
    ]
    shown["executors"] = _executors(cluster, one)
    shown["offer_constraints"] = {}
    return shown


def _executors(cluster: Cluster, one: Framework) -> list[Json]:
    return [
        {**executor(info, role), "slave_id": agent.agent_id}
        for agent in cluster.agents.values()
        for (owner, _), (info, role) in agent.executors.items()
        if owner == one.framework_id
    ]


def executor(info: Json, role: str) -> Json:
    """One executor; its data and discovery are not shown."""
    command: Json = info.get("command", {})
    shown_command: Json = {"shell": command.get("shell", True)}
    if "value" in command:
        shown_command["value"] = command["value"]
    shown_command["argv"] = command.get("arguments", [])
    if "environment" in command:
        shown_command["environment"] = command["environment"]
    shown_command["uris"] = [
        {"value": uri["value"], "executable": uri.get("executable", False)}
        for uri in command.get("uris", [])
    ]
    shown: Json = {
        "executor_id": info["executor_id"]["value"],
        "name": info.get("name", ""),
        "framework_id": info["framework_id"]["value"],
        "command": shown_command,
        "resources": resources.summary(resources.parse(info.get("resources", []))),
        "role": role,
    }
    if "labels" in info:
        shown["labels"] = info["labels"].get("labels", [])
    if "type" in info:
        shown["type"] = info["type"]
    return shown


def frameworks(cluster: Cluster) -> Json:
    """/frameworks."""
    return {
        "frameworks": [framework(cluster, one) for one in cluster.frameworks.values()],
        "completed_frameworks": [
            framework(cluster, one) for one in cluster.completed_frameworks.values()
        ],
        "unregistered_frameworks": [],
    }


def tasks(cluster: Cluster, query: dict[str, str]) -> Json:
    """/tasks with its filters framework_id, task_id, limit, offset and order."""
    found: list[Task] = []
    for one in [*cluster.frameworks.values(), *cluster.completed_frameworks.values()]:
        if query.get("framework_id") not in (None, one.framework_id):
            continue
        found.extend(task for _, task in cluster.tasks_of(one.framework_id))
        found.extend(one.unreachable.values())
        found.extend(one.completed)
    if "task_id" in query:
        found = [task for task in found if task.task_id == query["task_id"]]
    # Newest first unless asked otherwise, by the time of the first status.
    found.sort(
        key=lambda task: task.statuses[0].get("timestamp", 0.0) if task.statuses else 0.0,
        reverse=query.get("order") != "asc",
    )
    begin = _count(query, "offset", 0)
    limit = _count(query, "limit", 100)
    return {"tasks": [task.for_state() for task in found[begin : begin + limit]]}


def _count(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    return int(text) if text.isdigit() else default


def state(context: MasterContext, flags: dict[str, str]) -> Json:
    """/state."""
    cluster = context.cluster
    pid = f"master@{HOST}:{context.port}"
    active = sum(agent.connected for agent in cluster.agents.values())
    domain = context.settings.domain
    return {
        **VERSION,
        "start_time": cluster.start_time,
        "elected_time": cluster.start_time,
        "id": cluster.master_id,
        "pid": pid,
        "hostname": HOST,
        "capabilities": ["AGENT_UPDATE", "AGENT_DRAINING", "QUOTA_V2"],
        **({"domain": domain} if domain else {}),
        "activated_slaves": float(active),
        "deactivated_slaves": float(len(cluster.agents) - active),
        "unreachable_slaves": float(len(cluster.unreachable)),
        "leader": pid,
        "leader_info": {
            "id": cluster.master_id,
            "pid": pid,
            "port": context.port,
            "hostname": HOST,
        },
        "cluster": context.settings.cluster_name,
        "flags": flags,
        "slaves": [slave(cluster, agent) for agent in cluster.agents.values()],
        "recovered_slaves": recovered_slaves(cluster),
        **frameworks(cluster),
        "orphan_tasks": [],
    }


def summary(context: MasterContext) -> Json:
    """/state-summary."""
    cluster = context.cluster
    shown_slaves = []
    for agent in cluster.agents.values():
        states = [task.state for task in agent.tasks.values()]
        owners = sorted({owner for owner, _ in [*agent.tasks, *agent.executors]})
        counts = {name: states.count(name) for name in _COUNTED}
        shown_slaves.append({**slave(cluster, agent), **counts, "framework_ids": owners})
    return {
        "hostname": HOST,
        "cluster": context.settings.cluster_name,
        "slaves": shown_slaves,
        "frameworks": [_summary(cluster, one) for one in cluster.frameworks.values()],
    }


def _summary(cluster: Cluster, one: Framework) -> Json:
    whole = framework(cluster, one)
    hidden = ("tasks", "unreachable_tasks", "completed_tasks", "offers", "executors")
    shown = {name: value for name, value in whole.items() if name not in hidden}
    mine = [(agent, task) for agent, task in cluster.tasks_of(one.framework_id)]
    states = [task.state for _, task in mine] + [task.state for task in one.completed]
    shown.update({name: states.count(name) for name in _COUNTED})
    shown["slave_ids"] = sorted({agent.agent_id for agent, _ in mine})
    return shown
