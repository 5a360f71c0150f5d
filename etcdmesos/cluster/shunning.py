"""Agents on which members failed: how long others are preferred to them, and how strongly.

Pure.  Kept in memory only: another scheduler finds out for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import frozen

from etcdmesos.cluster.settings import Settings


@frozen(kw_only=True)
class Shunned:
    """An agent on which something failed."""

    failures: int
    """In a row: each soon after the last."""
    until: float
    never_served: bool
    """The last one to fail had never become a member that serves."""

    @property
    def avoided(self) -> bool:
        """Whether nothing seems to work there, so that any other agent is better.

        A member that served and died says little about its agent: it may come back to it, for the
        sake of the zone.
        """
        return self.never_served or self.failures > 1


def shun(
    shunned: Mapping[str, Shunned],
    agents: Iterable[str],
    settings: Settings,
    now: float,
    *,
    never_served: bool,
) -> dict[str, Shunned]:
    """`shunned` after another failure on each of `agents`, without what was long ago."""
    most = settings.shunned_most
    recent = {agent: one for agent, one in shunned.items() if now < one.until + most}
    for agent in set(agents):
        before = recent[agent].failures if agent in recent else 0
        seconds = min(most, settings.shunned * 2 ** min(before, 16))
        recent[agent] = Shunned(failures=before + 1, until=now + seconds, never_served=never_served)
    return recent


def shunned_at(shunned: Mapping[str, Shunned], now: float) -> frozenset[str]:
    """The agents that are shunned at `now`, avoided or not."""
    return frozenset(agent for agent, one in shunned.items() if now < one.until)


def avoided_at(shunned: Mapping[str, Shunned], now: float) -> frozenset[str]:
    """The agents that are avoided at `now`."""
    return frozenset(agent for agent, one in shunned.items() if now < one.until and one.avoided)
