"""Oracles on places: where members are put, by what is true of the agents."""

from __future__ import annotations

from collections.abc import Iterator

from etcdmesos.cluster.constraints import Agent, refusal
from etcdmesos.cluster.record import Member
from etcdmesos.simulation.facts import Stored
from etcdmesos.simulation.oracles.books import Books
from etcdmesos.simulation.oracles.registry import oracle
from etcdmesos.simulation.promises import Promise


@oracle(Promise.PLACES, Stored)
def members_are_where_they_may_be(books: Books, fact: Stored) -> Iterator[str]:
    """Each new member keeps every constraint beside those recorded before it, and what is
    recorded of its agent is what its agent offered."""
    known = {member.name for member in books.durable.members} if books.durable else set()
    members = fact.record.members
    for number, member in enumerate(members):
        if member.name in known or member.agent_id not in books.agents:
            continue
        agent = books.agents[member.agent_id]
        beside = [_truth(books, other) for other in members[:number]]
        broken = refusal(books.settings.constraints, agent, beside)
        if broken is not None:
            yield f"{member.name} on {agent.hostname} breaks {broken}"
        if (member.region, member.zone) != (agent.region, agent.zone):
            where = f"{agent.region}/{agent.zone}"
            yield f"{member.name} is recorded in {member.region}/{member.zone}, and is in {where}"


def _truth(books: Books, member: Member) -> Agent:
    return books.agents.get(member.agent_id, member)
