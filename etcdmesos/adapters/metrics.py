"""GET /metrics: what /stats says, for Prometheus.  Made anew at every scrape; nothing is decided
here, and every name in it is a promise to somebody's alert.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from etcdmesos.adapters.event_log import EventLog
from etcdmesos.cluster import report
from etcdmesos.cluster.backups import telling as backups
from etcdmesos.cluster.findings import Kind
from etcdmesos.cluster.health import assess
from etcdmesos.cluster.model import Model
from etcdmesos.version import VERSION

PREFIX = "etcd_mesos_"
ROLES = ("leader", "standby", "suspended")
_HERE = "since this scheduler started"
_EVER = "on record, whichever scheduler saw them"


class Metrics(Collector):
    """The metrics of one scheduler."""

    def __init__(
        self, snapshot: Callable[[], tuple[Model, float]], events: EventLog, phases: Sequence[str]
    ) -> None:
        """`phases` are all that there are, so that each has a series from the start."""
        self._snapshot = snapshot
        self._events = events
        self._phases = phases
        self._registry = CollectorRegistry()
        self._registry.register(self)
        # process_open_fds, process_resident_memory_bytes, process_start_time_seconds, …
        ProcessCollector(registry=self._registry)

    def page(self, accept: str) -> tuple[bytes, str]:
        """(body, content type) for a scraper that accepts `accept`."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def describe(self) -> Iterator[Metric]:
        """Nothing at registration: the registry would ask for everything once more."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """All of them, of one moment."""
        model, now = self._snapshot()
        build = InfoMetricFamily(f"{PREFIX}build", "What this scheduler is", labels=["version"])
        build.add_metric([VERSION], {})
        yield build
        yield from _of_the_cluster(model, now)
        yield from _of_the_last_reseed(model, now)
        yield from _of_the_last_restore(model, now)
        yield from _of_backups(model, now)
        yield from _of_members(model, now)
        yield from _of_findings(model, now)
        yield _one_of("role", "Whether this scheduler acts", ROLES, report.role(model))
        yield _one_of("phase", "The cluster's phase", self._phases, model.phase)
        events = CounterMetricFamily(
            f"{PREFIX}events", "Happenings since this scheduler started", labels=["kind"]
        )
        for kind, count in self._events.counts().items():
            events.add_metric([kind.value], count)
        yield events


def _of_the_cluster(model: Model, now: float) -> Iterator[Metric]:
    stats = report.stats(model, now)
    state = assess(model, now)
    for name, text, value in (
        ("healthy", "1 while the cluster serves, as /healthz has it", stats["healthy"]),
        ("complete", "1 while all members serve and agree on a stable leader", state.healthy),
        ("running_servers", "Members whose task is RUNNING", stats["running_servers"]),
        ("serving_voters", "Voters that agree on the leader", len(state.agreeing)),
        ("voters", "Voters of the configuration in force", state.voters),
        ("cluster_size", "Members wanted", stats["cluster_size"]),
        ("phase_seconds", "Seconds since the phase began", stats["phase_seconds"]),
        ("generation", "The cluster's generation", stats["generation"]),
        ("epoch", "The scheduler's epoch", stats["epoch"]),
        ("quorum_lost_seconds", "Seconds without quorum, as watched", stats["quorum_lost_seconds"]),
        ("highest_revision", "The highest revision seen", stats["highest_revision"]),
    ):
        yield GaugeMetricFamily(f"{PREFIX}{name}", text, value=float(value))
    for name, text, value in (
        ("launched_servers", f"Members launched {_HERE}", stats["launched_servers"]),
        ("failed_servers", f"Members that failed {_HERE}", stats["failed_servers"]),
        ("cluster_livelocks", f"Losses of quorum {_EVER}", stats["cluster_livelocks"]),
        ("cluster_reseeds", f"Reseeds that succeeded {_EVER}", stats["cluster_reseeds"]),
    ):
        yield CounterMetricFamily(f"{PREFIX}{name}", text, value=value)


def _of_the_last_reseed(model: Model, _now: float) -> Iterator[Metric]:
    """Nothing, if there never was one."""
    for last in model.record.reseeds[-1:]:
        for name, text, value in (
            ("timestamp_seconds", "When it was (Unix time)", last.at),
            ("generation", "Its generation", last.generation),
            ("revision", "Acknowledged writes above it may be missing", last.revision),
            ("highest_revision", "The highest revision seen before", last.highest_revision),
            ("proven", "1 if no second cluster could serve", last.proven),
        ):
            family = f"{PREFIX}last_reseed_{name}"
            yield GaugeMetricFamily(family, f"The last reseed: {text}", value=float(value))


def _of_the_last_restore(model: Model, _now: float) -> Iterator[Metric]:
    """Nothing, if there never was one."""
    for last in model.record.restores[-1:]:
        for name, text, value in (
            ("timestamp_seconds", "When it was (Unix time)", last.at),
            ("backup_timestamp_seconds", "When its backup was taken (Unix time)", last.taken_at),
            ("generation", "Its generation", last.generation),
            ("revision", "Writes above it are missing", last.revision),
            ("highest_revision", "The highest revision seen before", last.highest_revision),
        ):
            family = f"{PREFIX}last_restore_{name}"
            yield GaugeMetricFamily(family, f"The last restore: {text}", value=float(value))


def _of_backups(model: Model, now: float) -> Iterator[Metric]:
    """Nothing, if none are taken."""
    told = backups.stats(model, now)
    if told is None:
        return
    newest = told["newest"]
    for name, text, value in (
        ("failures_in_a_row", "Backups that failed since the last one that counts", None),
        ("count", "Backups that count, as last read", None),
        ("newest_timestamp_seconds", "When the newest was begun", newest and newest["taken_at"]),
        ("newest_bytes", "Its size", newest and newest["size"]),
        ("newest_revision", "Its revision", newest and newest["revision"]),
    ):
        figure = told.get(name) if value is None else value
        if figure is not None:
            yield GaugeMetricFamily(f"{PREFIX}backup_{name}", text, value=float(figure))


def _of_members(model: Model, now: float) -> Iterator[Metric]:
    labels = ["member", "hostname"]
    serving = GaugeMetricFamily(f"{PREFIX}member_serving", "1 while it serves", labels=labels)
    size = GaugeMetricFamily(f"{PREFIX}member_db_bytes", "etcd's database", labels=labels)
    for member in report.members(model, now):
        values = [member["name"], member["hostname"]]
        serving.add_metric(values, float(member["serving"]))
        if member["dbSize"] is not None:
            size.add_metric(values, member["dbSize"])
    yield serving
    yield size


def _of_findings(model: Model, now: float) -> Iterator[Metric]:
    count = Counter(finding.kind for finding in report.found(model, now))
    found = GaugeMetricFamily(f"{PREFIX}findings", "What is wrong, by name", labels=["name"])
    for kind in Kind:
        found.add_metric([kind.value], count[kind])
    yield found


def _one_of(name: str, text: str, values: Sequence[str], present: str) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}{name}", text, labels=[name])
    for value in values:
        family.add_metric([value], float(value == present))
    return family
