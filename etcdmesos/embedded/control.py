"""The control API: break and heal the embedded Mesos over HTTP, for tests and demos.

POST /control/<what> with a JSON body, on a loopback listener of its own. Mesos has no
such thing; no daemon under test may use it. GET /control/agents shows what state
everything is in. Bad bodies and unknown agents are 400 with one line.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from etcdmesos.embedded import calls
from etcdmesos.embedded.calls import Refused
from etcdmesos.embedded.link import Direction
from etcdmesos.embedded.server import Endpoints, Listener, answer, answer_json

if TYPE_CHECKING:
    from etcdmesos.embedded.mesos import EmbeddedMesos, Place

Json = dict[str, Any]
Action = Callable[[Json], Awaitable[Json]]

_DIRECTIONS: tuple[Direction, ...] = ("to_agent", "to_master", "to_scheduler")


class Control:
    """The control listener of one embedded Mesos."""

    def __init__(self, mesos: EmbeddedMesos, port: int) -> None:
        self._mesos = mesos
        self._endpoints = Endpoints("/control")
        self._listener = Listener("127.0.0.1", port, self._endpoints)
        actions: dict[str, Action] = {
            "/agent/lose": self._lose,
            "/agent/return": self._return,
            "/agent/pause": self._pause,
            "/agent/resume": self._resume,
            "/agent/kill": self._kill,
            "/agent/restart": self._restart,
            "/agent/gone": self._gone,
            "/master/failover": self._failover,
            "/master/pause": self._pause_master,
            "/master/resume": self._resume_master,
            "/messages/drop": self._drop,
            "/messages/delay": self._delay,
            "/messages/clear": self._clear,
            "/offers/rescind": self._rescind,
        }
        for path, action in actions.items():
            self._endpoints.add(path, self._handler(action))
        self._endpoints.add("/agents", self._agents)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._listener.port

    async def start(self) -> None:
        """Listen."""
        await self._listener.open()

    async def stop(self) -> None:
        """Listen no more."""
        await self._listener.kill()

    def _handler(self, action: Action) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            if request.method != "POST":
                return answer(405, "control calls are POST\n", {"allow": "POST"})
            try:
                body = await request.body()
                return answer_json(request, await action(calls.parse(body) if body else {}))
            except Refused as refusal:
                return answer(refusal.status, refusal.text.strip() + "\n")

        return handle

    async def _agents(self, request: Request) -> Response:
        shown = [self._shown(place) for place in self._mesos.places.values()]
        rules = self._mesos.disturbances.pending()
        master = {"address": self._mesos.master, "id": self._mesos.leader.context.cluster.master_id}
        return answer_json(request, {"master": master, "agents": shown, "messages": rules})

    def _shown(self, place: Place) -> Json:
        context = place.agent.context if place.agent is not None else None
        return {
            "agent": place.settings.name,
            "host": place.settings.host,
            "port": place.settings.port,
            "id": context.agent_id if context else place_id(self._mesos, place),
            "state": place.state,
            "registered": bool(context and context.registered),
        }

    def _name(self, body: Json) -> str:
        """The agent meant, by name (`agent1`), host, host:port or agent id."""
        wanted = body.get("agent")
        if not isinstance(wanted, str):
            raise Refused(400, "the body must name an 'agent'")
        for name, place in self._mesos.places.items():
            host = place.settings.host
            known = {name, host, f"{host}:{place.settings.port}", place_id(self._mesos, place)}
            if wanted in known:
                return name
        names = ", ".join(self._mesos.places)
        raise Refused(400, f"no agent '{wanted}'; there are {names}")

    def _done(self, name: str) -> Json:
        return self._shown(self._mesos.places[name])

    async def _lose(self, body: Json) -> Json:
        name = self._name(body)
        self._mesos.cut(name)
        return self._done(name)

    async def _return(self, body: Json) -> Json:
        """Whatever was done to it, undo it: join, thaw, start."""
        name = self._name(body)
        place = self._mesos.places[name]
        self._mesos.heal(name)
        if place.frozen:
            self._mesos.thaw(name)
        if place.agent is None:
            await self._mesos.start_agent(name)
        return self._done(name)

    async def _pause(self, body: Json) -> Json:
        name = self._name(body)
        self._running(name)
        self._mesos.freeze(name)
        return self._done(name)

    async def _resume(self, body: Json) -> Json:
        name = self._name(body)
        self._running(name)
        self._mesos.thaw(name)
        return self._done(name)

    def _running(self, name: str) -> None:
        if self._mesos.places[name].agent is None:
            raise Refused(400, f"{name} is down")

    async def _kill(self, body: Json) -> Json:
        name = self._name(body)
        await self._mesos.kill_agent(name)
        return self._done(name)

    async def _restart(self, body: Json) -> Json:
        name = self._name(body)
        await self._mesos.kill_agent(name)
        await self._mesos.start_agent(name)
        return self._done(name)

    async def _gone(self, body: Json) -> Json:
        name = self._name(body)
        await self._mesos.kill_agent(name)
        await self._mesos.destroy_containers(name)
        return self._done(name)

    async def _failover(self, body: Json) -> Json:
        master_id = await self._mesos.fail_over(
            session=_seconds(body, "session", 0.0),
            down=_seconds(body, "down", 0.0),
            recovery=_seconds(body, "recovery", 0.2),
            agents_after=_seconds(body, "agents_after", 0.2),
        )
        return {"id": master_id}

    async def _pause_master(self, _body: Json) -> Json:
        self._mesos.leader.freeze()
        return {"state": "paused"}

    async def _resume_master(self, _body: Json) -> Json:
        self._mesos.leader.thaw()
        return {"state": "up"}

    async def _drop(self, body: Json) -> Json:
        return self._disturb(body, None)

    async def _delay(self, body: Json) -> Json:
        return self._disturb(body, _seconds(body, "seconds", None))

    def _disturb(self, body: Json, delay: float | None) -> Json:
        kind, count = body.get("kind"), body.get("count", 1)
        direction = body.get("direction")
        if not isinstance(kind, str):
            raise Refused(400, "the body must name a 'kind' of message, or '*'")
        if direction not in _DIRECTIONS:
            raise Refused(400, f"'direction' must be one of {', '.join(_DIRECTIONS)}")
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise Refused(400, "'count' must be a whole number of at least 1")
        agent = self._name(body) if "agent" in body else None
        self._mesos.disturbances.add(kind, direction, agent, count, delay)
        return {"messages": self._mesos.disturbances.pending()}

    async def _clear(self, _body: Json) -> Json:
        return {"cleared": self._mesos.disturbances.clear()}

    async def _rescind(self, body: Json) -> Json:
        """Take back all offers, or those of one agent, or the one named."""
        context = self._mesos.leader.context
        agent_id = (
            place_id(self._mesos, self._mesos.places[self._name(body)]) if "agent" in body else None
        )
        wanted = body.get("offer_id")
        taken = []
        for offer in context.cluster.offers_of(agent_id=agent_id):
            if wanted in (None, offer.offer_id):
                context.desk.take_back(offer, rescind=True)
                taken.append(offer.offer_id)
        return {"rescinded": taken}


def place_id(mesos: EmbeddedMesos, place: Place) -> str:
    """The agent id at a place, also while its daemon is down."""
    if place.agent is not None:
        return place.agent.context.agent_id
    cluster = mesos.leader.context.cluster
    known = {one.agent_id: one.info for one in cluster.agents.values()}
    known |= {one.agent_id: one.info for one in cluster.unreachable.values()}
    known |= {one.agent_id: one.info for one in cluster.recovered.values()}
    host = place.settings.host
    return next((key for key, info in known.items() if info["hostname"] == host), "")


def _seconds(body: Json, name: str, default: float | None) -> float:
    value = body.get(name, default)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value < 0:
        raise Refused(400, f"'{name}' must be a number of seconds, 0 or more")
    return float(value)
