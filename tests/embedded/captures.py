"""The recorded answers of a real Mesos that the embedded one is held to: reading and comparing."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]

DIRECTORY = Path(__file__).resolve().parent.parent / "data" / "mesos-captures"


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer."""

    name: str
    method: str
    path: str
    headers: dict[str, str]
    body: str
    status: int
    answer_headers: dict[str, str]
    answer: str


def _head_and_body(text: str) -> tuple[str, dict[str, str], str]:
    head, _, body = text.partition("\n\n")
    first, *lines = head.strip("\n").split("\n")
    pairs = [line.partition(": ") for line in lines]
    return first, {name.lower(): value for name, _, value in pairs}, body


def read(name: str) -> Exchange:
    """A capture by its name without `.txt`."""
    text = (DIRECTORY / f"{name}.txt").read_bytes().decode("latin-1")
    mark = re.search(r"<<< RESPONSE( HEAD)?\n", text)
    assert mark is not None, name
    request, response = text[: mark.start()], text[mark.end() :]
    first, headers, body = _head_and_body(request.removeprefix(">>> REQUEST\n"))
    method, path, _ = first.split(" ")
    status_line, answer_headers, answer = _head_and_body(response)
    length = int(headers.get("content-length", "0"))
    answered = int(answer_headers.get("content-length", len(answer)))
    return Exchange(
        name,
        method,
        path,
        headers,
        body[:length],
        int(status_line.split(" ")[1]),
        answer_headers,
        answer[:answered],
    )


def events(name: str) -> list[Json]:
    """The events of a recorded stream."""
    text = (DIRECTORY / f"{name}.txt").read_text()
    found = re.findall(r"^ +[\d.]+ (\{.*\})$", text, re.MULTILINE)
    return [json.loads(line) for line in found]


def updates(name: str) -> dict[str, list[Json]]:
    """The updates told in a console, by task."""
    text = (DIRECTORY / f"{name}.txt").read_text()
    statuses: dict[str, list[Json]] = {}
    for line in re.findall(r"(\{\"task_id\": .*\})$", text, re.MULTILINE):
        status = json.loads(line)
        statuses.setdefault(status["task_id"]["value"], []).append(status)
    return statuses


def shape(value: Any) -> Any:
    """Field names and types, all the way down; a list is the shape of its first item."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def differences(recorded: Any, ours: Any, path: str = "") -> list[str]:
    """Where two values differ in shape; empty lists are alike to any list."""
    if isinstance(recorded, dict) and isinstance(ours, dict):
        found = [f"{path}.{name} missing" for name in sorted(set(recorded) - set(ours))]
        found += [f"{path}.{name} added" for name in sorted(set(ours) - set(recorded))]
        for name in sorted(set(recorded) & set(ours)):
            found += differences(recorded[name], ours[name], f"{path}.{name}")
        return found
    if isinstance(recorded, list) and isinstance(ours, list):
        if recorded and ours:
            return differences(recorded[0], ours[0], f"{path}[]")
        return []
    if shape(recorded) != shape(ours):
        return [f"{path}: {shape(recorded)} became {shape(ours)}"]
    return []
