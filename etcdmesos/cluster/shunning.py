"""Agents on which members failed: how long others are preferred to them, and how strongly.

Pure.  Kept in memory only: another scheduler finds out for itself.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping

from attrs import frozen

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

    @property
    def avoided(self) -> bool:
        """Whether nothing seems to work there, so that any other agent is better.

        A member that served and ended says little about its agent: the next one may come back to
        it, for the sake of the zone.
        """
        return self.last is Failure.LAUNCH or self.failures > 1


def shun(
    shunned: Mapping[str, Shunned],
    agents: Iterable[str],
    failure: Failure,
    settings: Settings,
    now: float,
) -> dict[str, Shunned]:
    """`shunned` after another failure on each of `agents`, without what was long ago."""
    most = settings.shunned_most
    recent = {agent: one for agent, one in shunned.items() if now < one.until + most}
    for agent in set(agents):
        before = recent[agent].failures if agent in recent else 0
        failures = before + (failure is not Failure.ADDITION)
        seconds = min(most, settings.shunned * 2 ** min(max(0, failures - 1), 16))
        recent[agent] = Shunned(failures=failures, until=now + seconds, last=failure)
    return recent


def shunned_at(shunned: Mapping[str, Shunned], now: float) -> frozenset[str]:
    """The agents that are shunned at `now`, avoided or not."""
    return frozenset(agent for agent, one in shunned.items() if now < one.until)


def avoided_at(shunned: Mapping[str, Shunned], now: float) -> frozenset[str]:
    """The agents that are avoided at `now`."""
    return frozenset(agent for agent, one in shunned.items() if now < one.until and one.avoided)
