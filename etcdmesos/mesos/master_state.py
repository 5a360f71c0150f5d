"""What we need of a master's state: its agents, and the frameworks of one name with their tasks.

Read while it arrives, and of bounded size: other people's tasks are dropped one by one.  The same
fields stand in `/state`, `/state-summary` (which has no tasks) and `/tasks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import define, evolve, field, frozen

from etcdmesos.mesos.json_pieces import JsonPieces, Path
from etcdmesos.mesos.statuses import TaskState


@frozen(kw_only=True)
class ListedTask:
    """A task that the master lists.  Labels are the task's own, first one of a key wins."""

    id: str
    agent_id: str
    executor_id: str
    state: TaskState
    labels: Mapping[str, str]


@frozen(kw_only=True)
class ListedFramework:
    """A framework that the master knows and has not completed."""

    id: str
    name: str
    active: bool
    connected: bool
    webui_url: str = ""
    tasks: tuple[ListedTask, ...]
    """Not completed: staging to running, and unreachable ones."""
    completed: tuple[ListedTask, ...] = ()
    """Those that ended, as far as the master remembers."""

    def with_tasks(self, tasks: Iterable[ListedTask]) -> ListedFramework:
        """This one with `tasks`, whatever became of them."""
        return evolve(self, tasks=tuple(tasks), completed=())


@frozen(kw_only=True)
class MasterState:
    """The part of `/state` that decisions read."""

    registered_agents: frozenset[str]
    outstanding_agents: int
    """Agents the master recovered from its registry that have neither come back nor been given
    up."""
    unreachable_agents: int
    frameworks: tuple[ListedFramework, ...]
    """Those of the name asked for, completed ones left out."""


_LISTS = frozenset({"slaves", "frameworks"})
_OF_FRAMEWORKS = frozenset({"id", "name", "active", "connected", "webui_url"})
_CURRENT, _COMPLETED = ("tasks", "unreachable_tasks"), "completed_tasks"


@define
class _Framework:
    """What has come of a framework so far."""

    scalars: dict[str, Any] = field(factory=dict)
    current: list[ListedTask] = field(factory=list)
    completed: list[ListedTask] = field(factory=list)

    def take(self, path: Path, value: Any) -> None:
        """A piece at `path` within the framework."""
        if len(path) == 1 and path[0] in _OF_FRAMEWORKS:
            self.scalars[str(path[0])] = value
        elif path[0] in _CURRENT:
            self.current.append(_task(value))
        elif path[0] == _COMPLETED:
            self.completed.append(_task(value))

    def listed(self) -> ListedFramework:
        said = self.scalars
        return ListedFramework(
            id=said["id"],
            name=said["name"],
            active=bool(said.get("active")),
            connected=bool(said.get("connected", said.get("active"))),
            webui_url=str(said.get("webui_url", "")),
            tasks=tuple(self.current),
            completed=tuple(self.completed),
        )


class StateReading:
    """Reads `/state` or `/state-summary`: `feed` it the body, then ask for the `result`.

    Both raise KeyError, TypeError, ValueError or RecursionError when the body is no state.
    """

    def __init__(self, framework_name: str) -> None:
        """`framework_name`: frameworks of other names are dropped while they are read."""
        self._name = framework_name
        # The path of a task is: frameworks, index, tasks, index.
        depths = {"frameworks": 4, "completed_frameworks": 4}
        self._pieces = JsonPieces(opened=self._opened, piece=self._piece, depths=depths)
        self._lists: set[str] = set()
        self._registered: set[str] = set()
        self._recovered = 0
        self._unreachable = 0
        self._frameworks: dict[int, _Framework] = {}

    def feed(self, data: bytes) -> None:
        """Take in the next bytes of the body."""
        self._pieces.feed(data)

    def result(self) -> MasterState:
        """The state, once all of the body was fed."""
        self._pieces.finish()
        if missing := _LISTS - self._lists:
            raise KeyError(min(missing))
        return MasterState(
            registered_agents=frozenset(self._registered),
            outstanding_agents=self._recovered,
            unreachable_agents=self._unreachable,
            frameworks=tuple(
                framework.listed()
                for framework in self._frameworks.values()
                if framework.scalars.get("name") == self._name
            ),
        )

    def _opened(self, path: Path, is_object: bool) -> None:
        match path:
            case () | ("frameworks", int()):
                if not is_object:
                    raise TypeError(f"{path} is no object")
            case (str(name),) if name in _LISTS:
                if is_object:
                    raise TypeError(f"{name} is no list")
                self._lists.add(name)
        if path[:1] == ("frameworks",) and len(path) == 2:
            self._frameworks[int(path[1])] = _Framework()

    def _piece(self, path: Path, value: Any) -> None:
        match path:
            case ("slaves", _):
                if value.get("active", True):
                    self._registered.add(value["id"])
            case ("recovered_slaves", _):
                self._recovered += 1
            case ("unreachable_slaves",):
                self._unreachable = int(value)
            case ("frameworks", int(number), *rest):
                self._take_framework(number, tuple(rest), value)

    def _take_framework(self, number: int, path: Path, value: Any) -> None:
        framework = self._frameworks[number]
        # Mesos writes the name before the tasks; who does otherwise costs us memory.
        if framework.scalars.get("name", self._name) == self._name:
            framework.take(path, value)


class TasksReading:
    """Reads `/tasks`: `feed` it the body, then ask for the `result`.

    Both raise KeyError, TypeError, ValueError or RecursionError when the body is no such list.
    """

    def __init__(self) -> None:
        self._pieces = JsonPieces(opened=self._opened, piece=self._piece, depths={})
        self._is_list = False
        self._found: dict[str, list[ListedTask]] = {}

    def feed(self, data: bytes) -> None:
        """Take in the next bytes of the body."""
        self._pieces.feed(data)

    def result(self) -> Mapping[str, tuple[ListedTask, ...]]:
        """The tasks by the id of their framework, once all of the body was fed."""
        self._pieces.finish()
        if not self._is_list:
            raise KeyError("tasks")
        return {framework: tuple(tasks) for framework, tasks in self._found.items()}

    def _opened(self, path: Path, is_object: bool) -> None:
        self._is_list = self._is_list or (path == ("tasks",) and not is_object)

    def _piece(self, path: Path, value: Any) -> None:
        if path[:1] == ("tasks",):
            self._found.setdefault(value["framework_id"], []).append(_task(value))


def _task(listed: Mapping[str, Any]) -> ListedTask:
    return ListedTask(
        id=listed["id"],
        agent_id=listed.get("slave_id", ""),
        executor_id=listed.get("executor_id", ""),
        state=TaskState(listed["state"]),
        labels={
            label["key"]: label.get("value", "") for label in reversed(listed.get("labels", []))
        },
    )
