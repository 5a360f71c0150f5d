"""Agents on which members failed: how long others are preferred to them, and how strongly.

Pure.  Kept in memory only: another scheduler finds out for itself.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from attrs import frozen

from etcdmesos.backoff import doubling
from etcdmesos.cluster.settings import Settings


class Failure(enum.Enum):
    """What came to nothing on an agent."""

    ADDITION = "addition"
    """etcd would not take a member there, which never had a task: nothing against the agent."""
    LAUNCH = "launch"
    """A member was launched there and never came to serve."""
    MEMBER = "member"
    """A member that had served ended."""


@frozen(kw_only=True)
class Shunned:
    """An agent on which something failed."""

    failures: int
    """Of launches and members, in a row: each soon after the last."""
    until: float
    last: Failure
    ports: frozenset[int] = frozenset()
    """Of the members that failed: somebody else may listen on them, so others are better."""

    @property
    def avoided(self) -> bool:
        """Whether nothing seems to work there, so that any other agent is better.

        A member that served and ended says little about its agent: the next one may come back to
        it, for the sake of the zone.
        """
        return self.last is Failure.LAUNCH or self.failures > 1


def shun(
    shunned: Mapping[str, Shunned],
    failed: Mapping[str, frozenset[int]],
    failure: Failure,
    settings: Settings,
    now: float,
) -> dict[str, Shunned]:
    """`shunned` after another failure, without what was long ago.

    `failed` holds the agents, and the ports of what failed there.
    """
    most = settings.shunned_most
    recent = {agent: one for agent, one in shunned.items() if now < one.until + most}
    for agent, ports in failed.items():
        before = recent.get(agent, _NEVER)
        failures = before.failures + (failure is not Failure.ADDITION)
        seconds = doubling(settings.shunned, most, max(1, failures))
        recent[agent] = Shunned(
            failures=failures, until=now + seconds, last=failure, ports=before.ports | ports
        )
    return recent


_NEVER = Shunned(failures=0, until=0.0, last=Failure.ADDITION)


def shunned_at(shunned: Mapping[str, Shunned], now: float) -> frozenset[str]:
    """The agents that are shunned at `now`, avoided or not."""
    return frozenset(agent for agent, one in shunned.items() if now < one.until)


def avoided_at(shunned: Mapping[str, Shunned], now: float) -> frozenset[str]:
    """The agents that are avoided at `now`."""
    return frozenset(agent for agent, one in shunned.items() if now < one.until and one.avoided)


def ports_of_failures(shunned: Mapping[str, Shunned]) -> dict[str, frozenset[int]]:
    """By agent, the ports to be taken last there, as long as anything is remembered of it."""
    return {agent: one.ports for agent, one in shunned.items()}
