"""The wire between the master and one agent, inside the process.

Ordered, cut and healed at will, and the place where the control API drops or
delays messages. It carries values and understands none of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Direction = Literal["to_agent", "to_master", "to_scheduler"]


@dataclass(frozen=True)
class Letter:
    """One message: its kind is named as Mesos names it, without `Message` at the end."""

    kind: str
    body: Json = field(default_factory=dict)


@dataclass
class _Rule:
    kind: str
    direction: Direction
    agent: str | None
    count: int
    delay: float | None

    def takes(self, kind: str, direction: Direction, agent: str | None) -> bool:
        alike = self.kind in ("*", kind) and self.direction == direction
        return alike and self.count > 0 and self.agent in (None, agent)


class Disturbances:
    """Rules set over the control API: drop or delay the next so many messages of a kind."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []

    def add(
        self, kind: str, direction: Direction, agent: str | None, count: int, delay: float | None
    ) -> None:
        """Disturb the next `count` messages: dropped, or late by `delay` seconds."""
        self._rules.append(_Rule(kind, direction, agent, count, delay))

    def clear(self) -> int:
        """Forget all rules; how many there were."""
        count = len(self._rules)
        self._rules.clear()
        return count

    def pending(self) -> list[Json]:
        """The rules that are not used up."""
        return [vars(rule) for rule in self._rules]

    def verdict(self, kind: str, direction: Direction, agent: str | None) -> float | None:
        """Seconds by which to delay this message, or None to drop it."""
        for rule in self._rules:
            if rule.takes(kind, direction, agent):
                rule.count -= 1
                self._rules = [one for one in self._rules if one.count > 0]
                return rule.delay
        return 0.0


class Link:
    """One wire; with every new `connection` the letters on the way of the old one are lost."""

    def __init__(self, agent_name: str, disturbances: Disturbances) -> None:
        self.agent_name = agent_name
        self.up = True
        self.connection = 0
        self.master: Callable[[Link, Letter], None] | None = None
        self.agent: Callable[[Letter], None] | None = None
        self._disturbances = disturbances

    def to_agent(self, kind: str, body: Json | None = None) -> None:
        """Send to the agent; lost when the link is cut before it arrives."""
        self._send("to_agent", Letter(kind, body or {}))

    def to_master(self, kind: str, body: Json | None = None) -> None:
        """Send to the master; lost when the link is cut before it arrives."""
        self._send("to_master", Letter(kind, body or {}))

    def _send(self, direction: Direction, letter: Letter) -> None:
        if not self.up:
            return
        delay = self._disturbances.verdict(letter.kind, direction, self.agent_name)
        if delay is None:
            return
        loop = asyncio.get_running_loop()
        if delay > 0:
            loop.call_later(delay, self._deliver, direction, letter, self.connection)
        else:
            loop.call_soon(self._deliver, direction, letter, self.connection)

    def _deliver(self, direction: Direction, letter: Letter, connection: int) -> None:
        if not self.up or connection != self.connection:
            return
        if direction == "to_agent" and self.agent is not None:
            self.agent(letter)
        elif direction == "to_master" and self.master is not None:
            self.master(self, letter)
