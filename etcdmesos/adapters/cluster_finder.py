"""Finds a cluster: asks its scheduler, the Mesos master where need be, and its members.

The master is asked as seldom as can be, and for as little: only while the scheduler does not tell
where the members are, with pauses that grow, and for a summary and the tasks of one framework
before it is asked for its whole state.  Which of the answers counts is `etcdmesos.finding`'s.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence

from attrs import frozen

from etcdmesos.adapters.etcd_gateway import Gateway, GatewayError
from etcdmesos.adapters.master_reading import (
    STATE_PATHS,
    MasterReader,
    NotThere,
    Unreadable,
)
from etcdmesos.adapters.mesos_framework import MasterDetector
from etcdmesos.adapters.mesos_http import Credentials
from etcdmesos.adapters.scheduler_word import NoWord, ask_scheduler
from etcdmesos.errors import BadUsage
from etcdmesos.etcd.member_list import MemberList
from etcdmesos.finding.choice import Answers, NotFound, choose
from etcdmesos.finding.cluster import Cluster
from etcdmesos.finding.sources import Announced, Hints, hints, present
from etcdmesos.mesos.master_state import ListedFramework, StateReading, TasksReading

log = logging.getLogger(__name__)

MEMBER_WITHIN = 1.0
"""Seconds a member has to answer."""
FIRST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE_WHILE_UNKNOWN = 1.0, 30.0, 10.0
"""Between two readings of the master, in seconds; each pause is twice the one before."""

_SUMMARY_PATHS = ("/state-summary", "/master/state-summary")
_TASKS = "/tasks?framework_id={}&limit=10000"
"""The limit is the whole list's, and members are its oldest: masters remember 1000 completed tasks
of a framework, unless they are told otherwise."""


@frozen(kw_only=True)
class Wanted:
    """Which cluster is looked for."""

    cluster_name: str
    framework_name: str
    admin_urls: tuple[str, ...] = ()
    """Where its schedulers listen, as far as the user knows; the master may know more."""


class ClusterFinder:
    """Looks for one cluster, again and again.  `find` is for one thread, `close` for any."""

    def __init__(
        self,
        wanted: Wanted,
        detector: MasterDetector,
        *,
        credentials: Credentials | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wanted = wanted
        self._detector = detector
        self._reader = MasterReader(detector, credentials=credentials)
        self._clock = clock
        self._found: Cluster | None = None
        self._counts = ""
        """The id of the cluster that counts, once it is known."""
        self._hints = Hints()
        self._why_no_hints = ""
        self._pause = 0.0
        self._master_at = 0.0
        self._answered_last = ""

    def find(self) -> Cluster:
        """The cluster as it is now.

        Takes 2 s for each scheduler and 1 s for each member that does not answer, and 40 s for a
        master.  Raises NotFound.
        """
        word = self._ask_schedulers(self._wanted.admin_urls, self._hints.admin_urls)
        if word is not None:
            self._pause = 0.0
        elif self._clock() >= self._master_at:
            self._read_master()
            word = self._ask_schedulers(self._hints.admin_urls)
        urls = self._without_word() if word is None else self._by_word(word)
        found_id = self._found.cluster_id if self._found else ""
        answers = self._ask_members(urls, self._counts)
        self._found = choose(answers, counts=self._counts, found=found_id)
        self._counts = self._found.cluster_id
        return self._found

    def _by_word(self, word: Announced) -> Sequence[str]:
        """Whom to ask about what the scheduler announces.  Raises NotFound."""
        if not word.cluster_id:
            raise NotFound(f"the scheduler announces no cluster yet: {word.why}")
        self._counts = word.cluster_id
        if word.reseeding:
            raise NotFound(f"the scheduler makes another cluster of it: {word.why}", outdated=True)
        return word.client_urls

    def _without_word(self) -> Sequence[str]:
        """Whom to ask when no scheduler tells.  Raises NotFound."""
        urls = (*(self._found.client_urls if self._found else ()), *self._hints.client_urls)
        if not urls:
            raise NotFound(self._why_no_hints)
        return urls

    def close(self) -> None:
        """Give up what is asked of the master.  Does not block."""
        self._reader.close()

    def _ask_schedulers(self, *places: Iterable[str]) -> Announced | None:
        for url in dict.fromkeys(url for some in places for url in some):
            try:
                return ask_scheduler(url, self._wanted.cluster_name)
            except NoWord as error:
                log.debug("a scheduler tells nothing", extra={"reason": str(error)})
        return None

    def _ask_members(self, urls: Sequence[str], wanted_id: str) -> Answers:
        """Their lists, up to the first of cluster `wanted_id`; of all when that is ""."""
        lists: list[MemberList] = []
        failures: list[str] = []
        # Who answered last time first: others may be gone, and each of those costs a time-out.
        for url in sorted(dict.fromkeys(urls), key=lambda url: url != self._answered_last):
            try:
                lists.append(Gateway(url, MEMBER_WITHIN).list_members())
            except (GatewayError, BadUsage) as error:
                failures.append(f"{url}: {error}")
                continue
            if lists[-1].cluster_id == wanted_id:
                self._answered_last = url
                break
        return Answers(lists=lists, failures=failures)

    # The master

    def _read_master(self) -> None:
        """Learn from the master what it knows, or why it tells nothing."""
        longest = LONGEST_PAUSE if self._found else LONGEST_PAUSE_WHILE_UNKNOWN
        self._pause = min(2 * self._pause or FIRST_PAUSE, longest)
        name = self._wanted.framework_name
        try:
            listed = present(self._frameworks())
        except Unreadable as error:
            self._why_no_hints = str(error)
        else:
            self._hints = hints(listed, self._wanted.cluster_name)
            master = self._detector.leading()
            self._why_no_hints = (
                f"framework {name} at the Mesos master {master} runs no member yet"
                if listed
                else f"the Mesos master {master} knows no framework {name}"
            )
        self._master_at = self._clock() + self._pause

    def _frameworks(self) -> tuple[ListedFramework, ...]:
        """Those of our name with their tasks.  Raises Unreadable."""
        try:
            return self._by_summary()
        except NotThere:
            return self._read_state(STATE_PATHS)

    def _by_summary(self) -> tuple[ListedFramework, ...]:
        """By the smallest answers there are.  Raises NotThere when the master is too old for it."""
        found = []
        for framework in present(self._read_state(_SUMMARY_PATHS)):
            path = _TASKS.format(framework.id)
            tasks = self._reader.read((path, f"/master{path}"), TasksReading())
            if tasks.keys() - {framework.id}:
                raise NotThere("the master does not know how to list one framework's tasks")
            found.append(framework.with_tasks(tasks.get(framework.id, ())))
        return tuple(found)

    def _read_state(self, paths: Sequence[str]) -> tuple[ListedFramework, ...]:
        return self._reader.read(paths, StateReading(self._wanted.framework_name)).frameworks
