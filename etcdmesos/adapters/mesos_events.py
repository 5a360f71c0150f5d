"""The events of one subscription, from pymesos' callbacks to the controller's vocabulary.

Callbacks only translate and post; one that cannot be read raises and is skipped by the caller.
Nothing is acknowledged, answered or decided here.
"""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from etcdmesos.cluster.events import (
    AgentLost,
    Disconnected,
    Event,
    ExecutorLost,
    ExecutorSaid,
    FrameworkRefused,
    OfferRescinded,
    OffersReceived,
    Subscribed,
    TaskUpdated,
)
from etcdmesos.mesos.offers import Offer
from etcdmesos.mesos.statuses import TaskStatus
from etcdmesos.ports import Post

logger = logging.getLogger(__name__)

Json = Mapping[str, Any]


class SubscriptionEvents:
    """Posts what one subscription brings; its end exactly once, and nothing after that.

    The methods with Mesos' old names are pymesos' Scheduler interface.
    """

    def __init__(
        self, post: Post[Event], decline_inverse: Callable[[Sequence[Json]], None]
    ) -> None:
        """`decline_inverse` is called with the ids of inverse offers; it must not block."""
        self._post = post
        self._decline_inverse = decline_inverse
        self._lock = threading.Lock()
        self._ended = False
        self._established = False
        self._refused = False

    def ended(self, reason: str) -> None:
        """The subscription, or the attempt, is over.  Later calls and events are not posted."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            # An attempt that ended in FrameworkRefused has had its one event.
            if self._established or not self._refused:
                self._post(Disconnected(reason=reason))

    def _tell(self, event: Event) -> None:
        with self._lock:
            if not self._ended:
                self._post(event)

    # pymesos' callbacks

    def registered(self, driver: Any, _framework_id: Json, master_info: Json) -> None:
        self.reregistered(driver, master_info)

    def reregistered(self, driver: Any, _master_info: Json) -> None:
        event = Subscribed(framework_id=driver.framework_id, master=driver.master)
        with self._lock:
            if not self._ended:
                self._established = True
                self._post(event)

    def error(self, _driver: Any, message: str) -> None:
        with self._lock:
            self._refused = True
        self._tell(FrameworkRefused(message=message))

    def resourceOffers(self, _driver: Any, offers: Sequence[Json]) -> None:  # noqa: N802
        readable: list[Offer] = []
        for offer in offers:
            try:
                readable.append(Offer.from_json(offer))
            except Exception as error:
                logger.warning(
                    "skipped an offer that could not be read", extra={"reason": repr(error)}
                )
        if readable:
            self._tell(OffersReceived(offers=tuple(readable)))

    def offerRescinded(self, _driver: Any, offer_id: Json) -> None:  # noqa: N802
        self._tell(OfferRescinded(offer_id=offer_id["value"]))

    def inverseOffers(self, _driver: Any, offers: Sequence[Json]) -> None:  # noqa: N802
        self._decline_inverse([offer["id"] for offer in offers])

    def inverseOfferRescinded(self, _driver: Any, offer_id: Json) -> None:  # noqa: N802
        logger.debug("inverse offer rescinded", extra={"offer": offer_id.get("value")})

    def statusUpdate(self, _driver: Any, status: Json) -> None:  # noqa: N802
        self._tell(TaskUpdated(status=TaskStatus.from_json(status)))

    def operationStatusUpdate(self, _driver: Any, _status: Json) -> None:  # noqa: N802
        logger.warning("skipped the status of an operation nobody asked for")

    def frameworkMessage(  # noqa: N802
        self, _driver: Any, executor_id: Json, agent_id: Json, data: str
    ) -> None:
        event = ExecutorSaid(
            agent_id=agent_id["value"],
            executor_id=executor_id["value"],
            data=base64.b64decode(data, validate=True),
        )
        self._tell(event)

    def slaveLost(self, _driver: Any, agent_id: Json) -> None:  # noqa: N802
        self._tell(AgentLost(agent_id=agent_id["value"]))

    def executorLost(  # noqa: N802
        self, _driver: Any, executor_id: Json, agent_id: Json, status: int
    ) -> None:
        event = ExecutorLost(
            agent_id=agent_id["value"], executor_id=executor_id["value"], wait_status=int(status)
        )
        self._tell(event)

    def processHeartBeat(self, _driver: Any) -> None:  # noqa: N802
        """Nothing: the connection keeps the deadline."""
