"""The Mesos scheduler port: carries out the controller's Mesos commands, posts what Mesos says.

Commands run on one thread, in the order they were submitted, each under the subscription that was
current at that moment: after it ended they fail, and never slip into a newer one.  Subscribing
again, acknowledging, answering offers: all of that is the controller's to command.  The one thing
done here unasked is to decline inverse offers, because nothing above knows maintenance yet.
"""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from etcdmesos.adapters.mesos_connection import Limits, Subscription
from etcdmesos.adapters.mesos_events import SubscriptionEvents
from etcdmesos.adapters.mesos_framework import FrameworkDescription, MasterDetector
from etcdmesos.adapters.mesos_http import AnswerLost, Credentials, NotSent
from etcdmesos.adapters.ordered_worker import Job, OrderedWorker, WorkerClosed
from etcdmesos.cluster.commands import (
    Acknowledge,
    Command,
    Decline,
    Kill,
    Launch,
    Reconcile,
    Revive,
    SendMessage,
    Shutdown,
    Subscribe,
    Suppress,
    Teardown,
)
from etcdmesos.cluster.events import (
    CommandDone,
    CommandFailed,
    CommandUnknown,
    Disconnected,
    Event,
)
from etcdmesos.mesos.statuses import TaskStatus
from etcdmesos.mesos.tasks import task_info
from etcdmesos.ports import Post

logger = logging.getLogger(__name__)

_CLOSE_SECONDS = 2.0


class MesosScheduler:
    """A CommandPort for one framework.

    Subscribe ends in Subscribed, Disconnected or FrameworkRefused, within
    `limits.subscribe_seconds` of its turn.  Every other command ends, within twice
    `limits.call_seconds` of being submitted, in CommandDone (the master took the call),
    CommandFailed (not subscribed, not reached, refused) or CommandUnknown (the answer was lost).
    Resolving the master's name, if it is no address, comes on top.

    An established subscription ends in exactly one Disconnected, after which nothing of it is
    posted any more.
    """

    carries_out: tuple[type, ...] = (
        Subscribe,
        Launch,
        Decline,
        Suppress,
        Revive,
        Acknowledge,
        Reconcile,
        Kill,
        Shutdown,
        SendMessage,
        Teardown,
    )

    def __init__(
        self,
        *,
        detector: MasterDetector,
        framework: FrameworkDescription,
        post: Post[Event],
        credentials: Credentials | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Connects to nothing yet: that takes a Subscribe."""
        self._detector = detector
        self._framework = framework
        self._post = post
        self._credentials = credentials
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._subscription: Subscription | None = None
        self._subscription_events: SubscriptionEvents | None = None
        self._worker = OrderedWorker("mesos-calls")

    def submit(self, command: Command) -> None:
        """Begin `command`.  Returns at once and does not raise."""
        try:
            if isinstance(command, Subscribe):
                self._submit_subscribe(command)
            else:
                self._submit_call(command)
        except WorkerClosed:
            self._fail(command, "the Mesos adapter is closed")

    def close(self) -> None:
        """End the subscription, not the framework, and all threads.  Takes 4 s at the very most."""
        self._worker.close()
        with self._lock:
            subscription = self._subscription
        self._end("the Mesos adapter was closed")
        self._worker.join(_CLOSE_SECONDS)
        if subscription is not None:
            subscription.join(_CLOSE_SECONDS)

    def master_changed(self, leading: str) -> None:
        """End a subscription that was begun when another master than `leading` (host:port) led.

        The old one may live on, cut off from the others.  Callable from any thread, at once.
        """
        with self._lock:
            subscription = self._subscription
        if subscription is not None and subscription.leading not in (None, leading):
            self._end(f"the leading Mesos master is {leading} now")

    # Subscribing

    def _submit_subscribe(self, command: Subscribe) -> None:
        self._end("closed in favour of a new subscription")
        events = SubscriptionEvents(
            self._post, lambda offer_ids: self._decline_inverse(subscription, offer_ids)
        )
        subscription = Subscription(
            detector=self._detector,
            framework=self._framework,
            framework_id=command.framework_id,
            credentials=self._credentials,
            events=events,
            limits=self._limits,
        )
        with self._lock:
            superseded = self._subscription
            self._worker.do(lambda: self._start(subscription, events, superseded))
            self._subscription, self._subscription_events = subscription, events

    def _end(self, reason: str) -> None:
        """End the current subscription, if any, and post its Disconnected."""
        with self._lock:
            subscription, events = self._subscription, self._subscription_events
        if subscription is not None and events is not None:
            subscription.stop(reason=reason)
            events.ended(reason)

    def _start(
        self,
        subscription: Subscription,
        events: SubscriptionEvents,
        superseded: Subscription | None,
    ) -> None:
        if superseded is not None:
            superseded.join(_CLOSE_SECONDS)
        try:
            subscription.start()
        except (OSError, RuntimeError) as error:
            events.ended(f"could not begin to subscribe: {error}")

    # Calls

    def _submit_call(self, command: Command) -> None:
        submitted = time.monotonic()
        with self._lock:
            subscription = self._subscription
            self._worker.do(lambda: self._carry_out(command, subscription, submitted))

    def _carry_out(
        self, command: Command, subscription: Subscription | None, submitted: float
    ) -> None:
        try:
            if subscription is None or self._worker.closed:
                raise NotSent("not subscribed")
            if time.monotonic() - submitted > self._limits.call_seconds:
                raise NotSent(f"waited {self._limits.call_seconds:g} s behind other calls")
            _call(subscription, command)
        except NotSent as error:
            self._fail(command, str(error))
        except AnswerLost as error:
            self._post(CommandUnknown(command=command, reason=str(error)))
        except Exception as error:
            logger.exception("a Mesos call failed in an error of the adapter's own")
            self._post(CommandUnknown(command=command, reason=f"error in the adapter: {error!r}"))
        else:
            self._post(CommandDone(command=command))

    def _fail(self, command: Command, reason: str) -> None:
        if isinstance(command, Subscribe):
            self._post(Disconnected(reason=reason))
        else:
            self._post(CommandFailed(command=command, reason=reason))

    def _decline_inverse(
        self, subscription: Subscription, offer_ids: Sequence[Mapping[str, Any]]
    ) -> None:
        logger.debug("declining inverse offers", extra={"offers": [str(o) for o in offer_ids]})

        def decline() -> None:
            try:
                subscription.call(subscription.declineInverseOffer, list(offer_ids))
            except (NotSent, AnswerLost) as error:
                logger.debug("inverse offers not declined", extra={"reason": str(error)})

        self._do_quietly(decline)

    def _do_quietly(self, job: Job) -> None:
        try:
            self._worker.do(job)
        except WorkerClosed:
            logger.debug("closed: nothing is declined any more")


def _call(subscription: Subscription, command: Command) -> None:
    """Make the call that `command` stands for.  Raises NotSent or AnswerLost."""
    call = subscription.call
    match command:
        case Launch(tasks=()):
            # pymesos would decline the offers instead.
            raise NotSent("there is no task to launch")
        case Launch(offer_ids=offer_ids, tasks=tasks):
            infos = [task_info(task, subscription.framework_id or "") for task in tasks]
            call(subscription.launchTasks, _ids(offer_ids), infos)
        case Decline(offer_ids=offer_ids, refuse_seconds=seconds):
            call(subscription.declineOffer, _ids(offer_ids), {"refuse_seconds": seconds})
        case Suppress():
            call(subscription.suppressOffers)
        case Revive():
            call(subscription.reviveOffers)
        case Acknowledge(status=status):
            # Without a uuid there is nothing to acknowledge: the master speaks for itself.
            if status.uuid:
                call(subscription.acknowledgeStatusUpdate, _acknowledgement(status))
        case Reconcile(tasks=tasks):
            # pymesos drops the agent ids, and the master then says UNKNOWN for UNREACHABLE.
            listed = [_task_on_agent(task_id, agent_id) for task_id, agent_id in tasks]
            call(subscription.send_call, "RECONCILE", {"tasks": listed})
        case Kill(task_id=task_id, agent_id=agent_id):
            # pymesos sends no agent id, and a master that has failed over then cannot pass it on.
            call(subscription.send_call, "KILL", _task_on_agent(task_id, agent_id))
        case Shutdown(executor_id=executor_id, agent_id=agent_id):
            body = {"executor_id": {"value": executor_id}, "agent_id": {"value": agent_id}}
            call(subscription.send_call, "SHUTDOWN", body)
        case SendMessage(executor_id=executor_id, agent_id=agent_id, data=data):
            call(
                subscription.sendFrameworkMessage,
                {"value": executor_id},
                {"value": agent_id},
                base64.b64encode(data).decode("ascii"),
            )
        case Teardown():
            call(subscription.send_call, "TEARDOWN")
        case _:
            raise NotSent(f"the Mesos adapter does not carry out {type(command).__name__}")


def _ids(values: Sequence[str]) -> list[dict[str, str]]:
    return [{"value": value} for value in values]


def _task_on_agent(task_id: str, agent_id: str) -> dict[str, Any]:
    named: dict[str, Any] = {"task_id": {"value": task_id}}
    if agent_id:
        named["agent_id"] = {"value": agent_id}
    return named


def _acknowledgement(status: TaskStatus) -> dict[str, Any]:
    return {**_task_on_agent(status.task_id, status.agent_id), "uuid": status.uuid}
