"""What an agent keeps on disk so that it finds its executors again after a crash.

JSON files, replaced in one step, under the agent's `meta` directory: one for the
agent and one per executor. Only executors of frameworks with checkpoint=true.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

Json = dict[str, Any]


class Checkpoint:
    """The `meta` directory of one agent."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._executors = directory / "executors"

    def save_agent(self, agent_id: str) -> None:
        """Remember the id the master gave."""
        self._write(self._directory / "agent.json", {"agent_id": agent_id})

    def agent_id(self) -> str | None:
        """The id the master gave, if there ever was one."""
        path = self._directory / "agent.json"
        return str(json.loads(path.read_text())["agent_id"]) if path.exists() else None

    def save_executor(self, framework_id: str, executor_id: str, value: Json) -> None:
        """Remember an executor as it is now."""
        self._write(self._path(framework_id, executor_id), value)

    def remove_executor(self, framework_id: str, executor_id: str) -> None:
        """Forget an executor whose updates are all acknowledged."""
        self._path(framework_id, executor_id).unlink(missing_ok=True)

    def executors(self) -> list[Json]:
        """All executors remembered."""
        if not self._executors.is_dir():
            return []
        return [json.loads(path.read_text()) for path in sorted(self._executors.glob("*.json"))]

    def _path(self, framework_id: str, executor_id: str) -> Path:
        name = f"{quote(framework_id, safe='')}~{quote(executor_id, safe='')}"
        return self._executors / f"{name}.json"

    def _write(self, path: Path, value: Json) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(value))
        os.replace(unfinished, path)
