"""Offers of one master: made, refused, taken back.  Whole agents, to whom holds least."""

from __future__ import annotations

from random import Random

from etcdmesos.cluster.events import OfferRescinded, OffersReceived
from etcdmesos.mesos.offers import Offer
from etcdmesos.simulation.mesos.amounts import NOTHING, Amount
from etcdmesos.simulation.mesos.books import Books
from etcdmesos.simulation.mesos.daemon import Daemon
from etcdmesos.simulation.mesos.options import MesosOptions
from etcdmesos.simulation.mesos.records import AgentRecord, Framework, OfferRecord

__all__ = ["DEFAULT_REFUSE_SECONDS", "Allocation"]

DEFAULT_REFUSE_SECONDS = 5.0
_REFUSE_SECONDS_MAX = 31536000.0


class Allocation:
    """The allocator and what it lent out."""

    def __init__(self, daemon: Daemon, books: Books, random: Random, options: MesosOptions) -> None:
        self._daemon = daemon
        self._books = books
        self._random = random
        self._options = options
        self._due = False

    def start(self) -> None:
        """Allocate every so often from now on."""
        self._daemon.after(self._options.allocation_interval, self._tick)

    def _tick(self) -> None:
        self.allocate()
        self.start()

    def soon(self) -> None:
        """Allocate at once, though only once however often it is asked for at this instant."""
        if not self._due:
            self._due = True
            self._daemon.after(0.0, self.allocate)

    def allocate(self) -> None:
        """Offer what is free to whom wants it."""
        self._due = False
        books, now = self._books, self._daemon.clock.now
        wanting = [f for f in books.frameworks.values() if f.connected and not f.suppressed]
        if not wanting:
            return
        for framework in wanting:
            for agent_id, refusals in list(framework.refusals.items()):
                framework.refusals[agent_id] = [one for one in refusals if one[1] > now]
        agents = [agent for agent in books.agents.values() if agent.connected]
        self._random.shuffle(agents)
        made: dict[str, list[Offer]] = {}
        for agent in agents:
            free = books.available(agent)
            if not free.worth_offering:
                continue
            if len(wanting) > 1:
                wanting.sort(key=self._share)
            for framework in wanting:
                if not _refuses(framework, agent.id, free):
                    offer = self._make(framework, agent, free)
                    made.setdefault(framework.id, []).append(offer)
                    break
        for framework_id, offers in made.items():
            books.frameworks[framework_id].send(OffersReceived(offers=tuple(offers)))

    def _share(self, framework: Framework) -> float:
        books, held, whole = self._books, NOTHING, NOTHING
        for agent in books.agents.values():
            whole += agent.total
        for _, task in books.tasks_of(framework.id):
            held += task.amount
        for offer in books.offers_of(framework_id=framework.id):
            held += offer.amount
        return held.share_of(whole)

    def _make(self, framework: Framework, agent: AgentRecord, free: Amount) -> Offer:
        record = OfferRecord(self._books.new_id("O"), framework.id, agent.id, free)
        self._books.offers[record.id] = record
        return Offer(
            id=record.id,
            agent_id=agent.id,
            hostname=agent.host,
            address=agent.host,
            resources=free.resources(),
            attributes=dict(agent.spec.attributes),
            region=agent.spec.region,
            zone=agent.spec.zone,
        )

    def take_back(self, offer: OfferRecord, *, rescind: bool) -> None:
        """An offer is void; with `rescind` its framework is told."""
        if self._books.offers.pop(offer.id, None) is None:
            return
        framework = self._books.frameworks.get(offer.framework_id)
        if rescind and framework is not None:
            framework.send(OfferRescinded(offer_id=offer.id))

    def refuse(self, framework: Framework, agent_id: str, left: Amount, seconds: float) -> None:
        """What a framework leaves of an agent is not offered to it again for a while."""
        if seconds < 0:
            seconds = DEFAULT_REFUSE_SECONDS
        if seconds > 0 and left != NOTHING:
            # A shorter one would be over before the next allocation could respect it.
            wait = max(min(seconds, _REFUSE_SECONDS_MAX), self._options.allocation_interval)
            until = self._daemon.clock.now + wait
            framework.refusals.setdefault(agent_id, []).append((left, until))


def _refuses(framework: Framework, agent_id: str, free: Amount) -> bool:
    return any(left.contains(free) for left, _ in framework.refusals.get(agent_id, ()))
