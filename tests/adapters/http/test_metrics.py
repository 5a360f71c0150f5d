"""What Prometheus reads: its own parser understands it, and the names stay."""

from __future__ import annotations

from attrs import evolve
from prometheus_client.parser import text_string_to_metric_families

from etcdmesos.adapters.event_log import KEPT, EventLog
from etcdmesos.adapters.metrics import Metrics
from etcdmesos.cluster.happenings import Happening, Kind
from etcdmesos.cluster.model import Leadership, Model
from etcdmesos.version import VERSION
from tests.cluster import make

START = make.CONTROLLER.start(make.settings())
PHASES = tuple(make.CONTROLLER.chart.definition.phases)


def scraped(model: Model, events: EventLog | None = None) -> dict[str, float]:
    """name{labels} -> value"""
    metrics = Metrics(lambda: (model, 5.0), events or EventLog(), PHASES)
    body, content_type = metrics.page("text/plain")
    assert content_type.startswith("text/plain")
    return {
        sample.name + "".join(f",{key}={value}" for key, value in sorted(sample.labels.items())): (
            sample.value
        )
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def test_names_that_somebody_alerts_on() -> None:
    values = scraped(evolve(START, record=evolve(START.record, members=(make.member(1, "a"),))))
    for name in (
        "healthy",
        "complete",
        "running_servers",
        "serving_voters",
        "voters",
        "cluster_size",
        "phase_seconds",
        "generation",
        "epoch",
        "highest_revision",
        "launched_servers_total",
        "failed_servers_total",
        "cluster_livelocks_total",
        "cluster_reseeds_total",
        "findings,name=nospace",
        f"member_serving,hostname={make.member(1, 'a').hostname},member=etcd-1",
        "events_total,kind=phase",
        f"build_info,version={VERSION}",
    ):
        assert f"etcd_mesos_{name}" in values
    assert values["etcd_mesos_cluster_size"] == 3


def test_a_standby_finds_nothing_wrong() -> None:
    """It hears of nobody, and would have every member down in somebody's alert."""
    record = evolve(START.record, members=(make.member(1, "a"),))
    holder = evolve(START, record=record)
    standby = evolve(holder, leadership=Leadership(held=False, holder="x"))
    assert scraped(holder)["etcd_mesos_findings,name=starting"] == 1
    assert scraped(standby)["etcd_mesos_findings,name=starting"] == 0


def test_exactly_one_phase_and_one_role_hold() -> None:
    """Every other has a series of 0 from the start, or an alert on it would never see it."""
    standby = evolve(START, phase="lost", leadership=Leadership(held=False, holder="x"))
    values = scraped(standby)
    phases = {k: v for k, v in values.items() if k.startswith("etcd_mesos_phase,")}
    assert len(phases) == len(PHASES)
    assert [k for k, v in phases.items() if v == 1] == ["etcd_mesos_phase,phase=lost"]
    roles = {k: v for k, v in values.items() if k.startswith("etcd_mesos_role,")}
    assert [k for k, v in roles.items() if v == 1] == ["etcd_mesos_role,role=standby"]


def test_happenings_are_counted_though_old_ones_are_forgotten() -> None:
    events = EventLog()
    for number in range(KEPT + 5):
        events.add(Happening(kind=Kind.TASK, text=str(number)), 5.0)
    assert scraped(START, events)["etcd_mesos_events_total,kind=task"] == KEPT + 5
    kept = events.after(0)
    assert (len(kept), kept[0].id, kept[-1].happening.text) == (KEPT, 6, str(KEPT + 4))
    assert [entry.id for entry in events.after(KEPT + 4)] == [KEPT + 5]
