"""Which ACCEPTs, tasks and frameworks the master refuses, and in which words. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from etcdmesos.embedded import resources
from etcdmesos.embedded.resources import Resources

Json = dict[str, Any]

_TERMS = ("executor_id", "data", "resources", "command", "framework_id", "name", "source")
# Fields whose text is the name of an enum value and stands without quotes.
_ENUMS = frozenset({"type", "visibility"})


def framework_error(info: Json, suppressed: Iterable[str]) -> str | None:
    """Why a FrameworkInfo can't subscribe, or None."""
    multi_role = any(one.get("type") == "MULTI_ROLE" for one in info.get("capabilities", []))
    if multi_role and "role" in info:
        return "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable"
    if not multi_role and info.get("roles"):
        return "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable"
    roles = list(info.get("roles", [])) if multi_role else [info.get("role", "*")]
    if len(set(roles)) != len(roles):
        return f"Duplicate roles {{ {', '.join(sorted(roles))} }}"
    for role in roles:
        error = role_error(role)
        if error:
            return f"'FrameworkInfo.role' is not a valid role: {error}" if not multi_role else error
    strange = [role for role in suppressed if role not in roles]
    if strange:
        return f"Suppressed roles {{ {', '.join(strange)} }} are not contained in the set of roles"
    return None


def role_error(role: str) -> str | None:
    """Why a text can't be a role, or None."""
    if role == "*":
        return None
    if not role:
        return "Empty role name is invalid"
    if role.startswith("-"):
        return f"Role name '{role}' is invalid because it begins with a dash"
    if role.startswith("/"):
        return f"Role '{role}' cannot start with a slash"
    if role.endswith("/"):
        return f"Role '{role}' cannot end with a slash"
    if role in (".", ".."):
        return f"Role name '{role}' is invalid"
    if any(character in role for character in "\t\n\v\f\r \b\x7f\\"):
        return f"Role '{role}' contains invalid characters"
    return None


def id_error(text: str) -> str | None:
    """Why a text can't be an id, or None."""
    if not text:
        return "ID must not be empty"
    if len(text) > 255:
        return "ID must not be greater than 255 characters"
    if text in (".", ".."):
        return f"'{text}' is disallowed"
    if any(character in "/\\" or ord(character) < 32 for character in text):
        return f"'{text}' contains invalid characters"
    return None


def task_error(
    task: Json,
    *,
    framework_id: str,
    agent_id: str,
    known_task_ids: Iterable[str],
    existing_executor: Json | None,
    left: Resources,
    role: str,
) -> str | None:
    """Why a task can't be launched out of `left`, or None. `task` is normalized."""
    task_id = task["task_id"]["value"]
    error = id_error(task_id)
    if error:
        return error
    if task_id in known_task_ids:
        return f"Task has duplicate ID: {task_id}"
    named = task["agent_id"]["value"]
    if named != agent_id:
        return f"Task uses invalid agent {named} while agent {agent_id} is expected"
    period = task.get("kill_policy", {}).get("grace_period", {}).get("nanoseconds", 0)
    if int(period) < 0:
        return "Task's 'kill_policy.grace_period' must be non-negative"
    if ("executor" in task) == ("command" in task):
        return "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present"
    if "executor" in task:
        error = executor_error(task["executor"], framework_id, existing_executor)
        if error:
            return error
    return _resources_error(task, existing_executor, left, role)


def _resources_error(
    task: Json, existing_executor: Json | None, left: Resources, role: str
) -> str | None:
    try:
        amount = resources.parse(task.get("resources", []))
        own = resources.parse(task.get("executor", {}).get("resources", []))
    except (ValueError, KeyError, TypeError) as error:
        return f"Task uses invalid resources: {error}"
    if amount.empty():
        return "Task uses no resources"
    wanted = amount if existing_executor is not None else amount + own
    if not left.contains(wanted):
        return (
            f"Total resources {resources.describe(wanted, role)} required by task and its "
            f"executor is more than available {resources.describe(left, role)}"
        )
    return None


def executor_error(info: Json, framework_id: str, existing: Json | None) -> str | None:
    """Why an ExecutorInfo is refused, or None."""
    error = id_error(info["executor_id"]["value"])
    if error:
        return error
    kind = info.get("type", "CUSTOM")
    if kind == "DEFAULT" and "command" in info:
        return "'ExecutorInfo.command' must not be set for 'DEFAULT' executor"
    if kind == "CUSTOM" and "command" not in info:
        return "'ExecutorInfo.command' must be set for 'CUSTOM' executor"
    named = info.get("framework_id", {}).get("value", framework_id)
    if named != framework_id:
        return (
            f"ExecutorInfo has an invalid FrameworkID (Actual: {named} vs Expected: {framework_id})"
        )
    period = info.get("shutdown_grace_period", {}).get("nanoseconds", 0)
    if int(period) < 0:
        return "ExecutorInfo's 'shutdown_grace_period' must be non-negative"
    if existing is not None and existing != info:
        line = "-" * 60
        return (
            "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.\n"
            f"{line}\nExisting ExecutorInfo:\n{protobuf_text(existing)}\n"
            f"{line}\nExecutorInfo:\n{protobuf_text(info)}\n{line}\n"
        )
    return None


def normalized_task(task: Json, framework_id: str, role: str) -> Json:
    """A TaskInfo as the master passes it on: allocation, framework id and type filled in."""
    result = dict(task)
    result["resources"] = resources.allocated_to(task.get("resources", []), role)
    if "executor" in task:
        executor = dict(task["executor"])
        if executor.get("type", "CUSTOM") not in ("CUSTOM", "DEFAULT"):
            # An enum value the protobuf does not have is as good as absent.
            executor.pop("type", None)
        executor.setdefault("framework_id", {"value": framework_id})
        if "resources" in executor:
            executor["resources"] = resources.allocated_to(executor["resources"], role)
        result["executor"] = executor
    return result


def offers_error(offer_ids: list[str], offers: dict[str, str]) -> str | None:
    """Why a list of offers can't be accepted; `offers` maps those of the framework to agents."""
    seen: set[str] = set()
    agent: str | None = None
    first = ""
    for offer_id in offer_ids:
        if offer_id not in offers:
            return f"Offer {offer_id} is no longer valid"
        if offer_id in seen:
            return f"Duplicate offer {offer_id} in offer list"
        seen.add(offer_id)
        if agent is not None and offers[offer_id] != agent:
            return (
                "Aggregated offers must belong to one single agent. "
                f"Offer {offer_id} uses agent {offers[offer_id]} and "
                f"offer {first} uses agent {agent}"
            )
        agent, first = offers[offer_id], offer_id
    return None


def protobuf_text(value: Json, indent: str = "") -> str:
    """A message in protobuf's text form, as it stands in Mesos' error messages."""
    names = sorted(value, key=lambda name: _TERMS.index(name) if name in _TERMS else 9)
    lines = []
    for name in names:
        items = value[name] if isinstance(value[name], list) else [value[name]]
        for item in items:
            if isinstance(item, dict):
                lines.append(f"{indent}{name} {{\n{protobuf_text(item, indent + '  ')}{indent}}}\n")
            else:
                lines.append(f"{indent}{name}: {_scalar_text(name, item)}\n")
    return "".join(lines)


def _scalar_text(name: str, item: Any) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, (int, float)):
        return resources.number(item)
    if name in _ENUMS:
        return str(item)
    if name == "data":
        item = base64.b64decode(item).decode("latin-1")
    escaped = str(item).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
