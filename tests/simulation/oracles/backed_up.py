"""Traces for the oracles on backups: kept and broken."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from etcdmesos import orders
from etcdmesos.backups.manifest import Manifest
from etcdmesos.backups.names import name_of, origin_of
from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.backups.view import BackupView
from etcdmesos.cluster.record import Role
from etcdmesos.orders import Kept, Means, WayIn
from etcdmesos.simulation import facts as f
from tests.simulation.oracles import make

OURS, OTHERS = origin_of("fw"), origin_of("another")
WAY = WayIn(means=Means.PUT, parts=("http://a",), part_bytes=1)
OPEN = c.OpenBackup(origin=OURS, generation=1, epoch=1, size=1, seconds=60.0)
SERVED = evolve(make.SERVED, highest_revision=1)


def name(hour: int = 12, origin: str = OURS) -> str:
    return name_of(f"20261122T{hour:02}0000Z", origin, 1, 1)


def manifest(hour: int = 12, **changes: Any) -> Manifest:
    made = Manifest(
        name=name(hour),
        cluster="simulated",
        cluster_id="c1",
        generation=1,
        member="etcd-1",
        taken_at=0.0,
        revision=1,
        term=1,
        etcd_version="3.5.30",
        size=1,
        sha256="ab",
        tool="test",
    )
    return evolve(made, **changes)


def counts(*, sound: bool = True, revision: int = 1, **changes: Any) -> f.BackupCounts:
    return f.BackupCounts(manifest=manifest(**changes), sound=sound, revision=revision)


def order(hour: int = 12, number: int = 1, kept: Kept | None = None) -> f.Released:
    what: dict[str, Any] = {
        "task_id": f"etcd-{number}-1",
        "epoch": 1,
        "name": name(hour),
        "way": WAY,
        "seconds": 60.0,
        "idle_seconds": 5.0,
    }
    sent = orders.BackupKept(**what, kept=kept) if kept else orders.Backup(**what)
    data = orders.encode(sent)
    return make.released(c.SendMessage(executor_id="x", agent_id="a", data=data))


def removed(hour: int = 9, origin: str = OURS, **changes: Any) -> f.BackupRemoved:
    made = f.BackupRemoved(
        name=name(hour, origin), age=7200.0, counted=True, abandoned=False, left=(manifest(),)
    )
    return evolve(made, **changes)


def settled(**view: Any) -> f.Settled:
    return make.settled(model=make.model(SERVED, "healthy", backups=BackupView(**view)))


BEGUN = (make.stored(SERVED), make.probed("etcd-1"), make.released(OPEN))
LEARNING = evolve(
    SERVED, members=tuple(evolve(member, role=Role.LEARNER) for member in SERVED.members)
)
KEPT = Kept(path="reseed/2/snapshot.db", sha256="ab", revision=1, term=1)
ABANDONED = make.released(c.AbandonBackup(name=name(12), way=WAY))
COUNTED = make.stepped(e.BackupCounted(manifest=manifest()))
ON_RECORD = make.stored(SERVED)

CASES = {
    "only_the_sound_count": (
        (*BEGUN, order(), counts()),
        (*BEGUN, order(), counts(sound=False)),
        "what lies there is not what was sent",
    ),
    "survivors_are_marked": (
        (*BEGUN, order(), counts(), order(13, kept=KEPT), counts(hour=13, survivor=True)),
        (*BEGUN, order(kept=KEPT), counts()),
        "is of a survivor, and says otherwise",
    ),
    "backups_are_of_voters": (
        (*BEGUN, order()),
        (make.stored(LEARNING), make.probed("etcd-1"), make.released(OPEN), order()),
        "etcd-1, which is a learner",
    ),
    "one_backup_at_a_time": (
        (*BEGUN, order(), order(), ABANDONED, order(13), order(13)),
        (*BEGUN, order(), order(13)),
        "is under way",
    ),
    "old_ones_go_after_newer_ones_count": (
        (
            ON_RECORD,
            removed(),
            removed(10, counted=False),
            removed(13, abandoned=True, counted=False),
        ),
        (ON_RECORD, removed(left=())),
        "no newer one counts that is whole",
    ),
    "backups_go_on": (
        (settled(due_at=60.0),),
        (settled(due_at=1e6),),
        "s away",
    ),
}
"""By oracle: a trace that it accepts, one that it refuses, and what it says of that."""

REFUSED = (
    ("only_the_sound_count", (*BEGUN, order(), counts(revision=0)), "and has 0"),
    (
        "only_the_sound_count",
        (make.stored(evolve(SERVED, highest_revision=5)), make.released(OPEN), order(), counts()),
        "when 5 had been published",
    ),
    (
        "backups_are_of_voters",
        (make.stored(evolve(SERVED, highest_revision=5)), *BEGUN[1:], order()),
        "has revision 1 of 5",
    ),
    ("backups_are_of_voters", (*BEGUN, order(number=9)), "which is not on record"),
    ("one_backup_at_a_time", (*BEGUN, order(), make.released(OPEN)), "another backup is begun"),
    (
        "old_ones_go_after_newer_ones_count",
        (ON_RECORD, removed(origin=OTHERS)),
        "another framework's",
    ),
    ("old_ones_go_after_newer_ones_count", (ON_RECORD, removed(age=60.0)), "not an hour old"),
    (
        "old_ones_go_after_newer_ones_count",
        (ON_RECORD, removed(left=(manifest(survivor=True),))),
        "all newer ones are of survivors",
    ),
    (
        "old_ones_go_after_newer_ones_count",
        (ON_RECORD, removed(abandoned=True)),
        "is given up, and counts",
    ),
)
"""More that is refused: oracle, trace, what it says."""
ACCEPTED = (
    ("one_backup_at_a_time", (*BEGUN, order(), COUNTED, make.released(OPEN), order(13))),
    ("old_ones_go_after_newer_ones_count", (ON_RECORD, removed(left=(manifest(), manifest(13))))),
)
