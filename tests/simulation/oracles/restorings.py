"""Traces for the oracles on restores: kept and broken."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from etcdmesos import orders
from etcdmesos.backups.source import Source
from etcdmesos.cluster import events as e
from etcdmesos.cluster.record import Record
from etcdmesos.cluster.record import Step as MemberStep
from etcdmesos.cluster.restore.episode import Point, Restore, Restored, Stage
from etcdmesos.mesos.statuses import TaskState, TaskStatus
from etcdmesos.simulation import facts as f
from etcdmesos.simulation.options import Options
from tests.simulation.oracles import backed_up, make
from tests.simulation.oracles.reseedings import ordered

NAME = backed_up.name()
POINT = Point(name=NAME, revision=1, taken_at=0.0, size=1, sha256="ab")
CHOOSING = Restore(
    source=Source(), stage=Stage.CHOOSING, began=100.0, why="w", by_operator=True, older=False
)
CHOSEN = evolve(CHOOSING, stage=Stage.LAUNCHING, point=POINT)
FETCHING = evolve(CHOSEN, stage=Stage.FETCHING, generation=2)
SEEDING = evolve(FETCHING, stage=Stage.SEEDING)
FAILED = evolve(CHOOSING, stage=Stage.FAILED, failure="it was damaged")
SEED = make.member(4, generation=2, step=MemberStep.LAUNCHING)
SERVED = evolve(
    make.SERVED,
    highest_revision=3,
    members=tuple(
        evolve(m, tasks=tuple(evolve(t, ended="TASK_FAILED") for t in m.tasks))
        for m in make.SERVED.members
    ),
)
TOLD = Restored(
    generation=2,
    at=1.0,
    source=NAME,
    taken_at=0.0,
    revision=1,
    bump=0,
    highest_revision=3,
    why="w",
    by_operator=True,
    member="etcd-4",
    past=tuple(f"etcd-{n} on agent-{n} in /s" for n in (1, 2, 3)),
)
NEW = evolve(
    SERVED,
    generation=2,
    cluster_id="c2",
    members=(evolve(SEED, step=MemberStep.VOTER, id="new"),),
    restores=(TOLD,),
)
LINKS = (make.stepped(e.LeadershipGained()), make.subscribed())
DEAD = tuple(make.heard(f"etcd-{n}-1", TaskState.FAILED) for n in (1, 2, 3))
ORDERED = make.stepped(e.RestoreAsked(number=1))
COUNTS = backed_up.counts()
CHECKED = make.stepped(e.BackupChecked(source=Source(), point=POINT))
LOST = (*LINKS, make.stored(SERVED), *DEAD)


def restoring(restore: Restore, *members: Any, **changes: Any) -> Record:
    """The record of a lost cluster that is being restored."""
    lost = {"members": members, "lost_members": SERVED.members, "restore": restore, **changes}
    return evolve(SERVED, **lost)


def stored(restore: Restore, *members: Any, **changes: Any) -> f.Stored:
    return make.stored(restoring(restore, *members, **changes))


def given_up(restore: Restore = FAILED, **changes: Any) -> f.Stored:
    return make.stored(evolve(SERVED, restore=restore, **changes))


def restored(**changes: Any) -> f.DataRestored:
    made = f.DataRestored(
        path="agent-4:/s/etcd-4",
        generation=2,
        token="t2",
        sha256="ab",
        revision=1,
        bump=0,
        keys=frozenset({"k"}),
    )
    return evolve(made, **changes)


def started(**changes: Any) -> f.EtcdStarted:
    made = {"generation": 2, "token": "t2", "cluster_id": "c2", "voters": 1, **changes}
    return make.etcd_started(4, **made)


def launched(held: Record) -> f.Released:
    return make.released(make.launch(held))


def ended(
    options: Options = make.OPTIONS,
    held: Record = SERVED,
    phase: str = "lost",
    *,
    restorable: bool = False,
    restore: Restore | None = None,
) -> f.Settled:
    """The end of a world in which all members died, and somebody orders restores."""
    held = evolve(held, restore=restore or held.restore)
    dead = {task.id: status(task.id) for m in held.members for task in m.tasks}
    model = make.model(held, phase, tasks=dead, settings=options.settings())
    return make.settled(
        held,
        model=model,
        alive=frozenset(),
        lost_majority=True,
        restorable=restorable,
        restored_on_demand=True,
    )


def status(task_id: str) -> TaskStatus:
    return TaskStatus(task_id=task_id, state=TaskState.FAILED, agent_id="a")


AUTOMATIC = evolve(make.OPTIONS, restore_automatic=True)
FROM = evolve(make.OPTIONS, restore_from=True)
BEGINS = make.stepped(
    before=make.model(SERVED), after=make.model(restoring(CHOOSING)), save=restoring(CHOOSING)
)
FETCH = orders.FetchBackup(
    task_id="etcd-4-1",
    epoch=1,
    generation=2,
    url="http://a",
    size=1,
    sha256="ab",
    revision=1,
    seconds=1.0,
    idle_seconds=1.0,
)
BEGUN = (*LOST, ORDERED, COUNTS, stored(CHOOSING))
SEEDED = (*BEGUN, CHECKED, stored(FETCHING, SEED), stored(SEEDING, SEED))
RESTORED = (*SEEDED, restored(), started(), make.stored(NEW))
WROTE = (make.etcd_started(1), f.WriteAcknowledged(key="k", token="t1", revision=1), *RESTORED)

CASES = {
    "only_the_lost_are_restored": (
        (*LOST, ORDERED, stored(CHOOSING)),
        (*LINKS, make.stored(SERVED), *DEAD[1:], ORDERED, stored(CHOOSING)),
        "nobody has said that etcd-1 is dead",
    ),
    "restores_are_wanted": (
        (*LOST, ORDERED, stored(CHOOSING)),
        (*LOST, stored(CHOOSING)),
        "he gave none",
    ),
    "only_what_was_read_back_is_restored": (
        (*BEGUN, CHECKED, stored(CHOSEN)),
        (*BEGUN, stored(CHOSEN)),
        "was not read back",
    ),
    "older_ones_are_allowed": (
        (*BEGUN, CHECKED, stored(CHOSEN)),
        (*BEGUN, backed_up.counts(hour=13), CHECKED, stored(CHOSEN)),
        f"and {backed_up.name(13)} is newer",
    ),
    "nothing_begins_empty": (
        (*BEGUN, stored(FETCHING, SEED), launched(restoring(FETCHING, SEED))),
        (*BEGUN, launched(restoring(FETCHING, SEED))),
        "the restore on record is choosing",
    ),
    "attempts_to_restore_are_new": (
        (*BEGUN, stored(FETCHING, SEED), stored(SEEDING, SEED)),
        (*BEGUN, stored(evolve(FETCHING, generation=1), SEED)),
        "an attempt in generation 1; 1 is in force",
    ),
    "restores_are_on_record": (
        (*SEEDED, restored()),
        (*SEEDED, restored(sha256="cd")),
        "another snapshot is restored than the one on record",
    ),
    "restored_clusters_are_new": (
        (*SEEDED, restored(), started()),
        (*SEEDED, restored(), started(cluster_id="c1")),
        "on data of cluster c1",
    ),
    "the_restored_serve_alone": (
        (make.etcd_started(1), *RESTORED, f.Committed(token="t2", by_hand=False)),
        (make.etcd_started(1), *RESTORED, f.Committed(token="t1", by_hand=False)),
        "t1 commits, and generation 2 was made from a backup",
    ),
    "restores_are_told": (
        RESTORED,
        (*RESTORED[:-1], make.stored(evolve(NEW, restores=()))),
        "nothing tells of the restore",
    ),
    "failed_restores_change_nothing": (
        (*BEGUN, given_up()),
        (*BEGUN, given_up(members=SERVED.members[1:])),
        "etcd-1 is not what it was",
    ),
    "the_restored_have_it_all": (
        (*RESTORED, make.settled(NEW, keys=frozenset({"k", "l"}))),
        (*RESTORED, make.settled(NEW, keys=frozenset({"l"}))),
        "1 keys of the backup are missing, such as k",
    ),
}
"""By oracle: a trace that it accepts, one that it refuses, and what it says of that."""

UNASKED = evolve(CHOOSING, by_operator=False)
NEXT_YEAR = evolve(UNASKED, began=1e9)
AGAIN = make.stored(evolve(NEW, restores=(evolve(TOLD, at=50.0),)))
REFUSED = (
    ("only_the_lost_are_restored", (*DEAD, ORDERED, BEGINS), "is not connected"),
    (
        "only_the_lost_are_restored",
        (*LOST, ORDERED, stored(CHOOSING, lost_members=make.SERVED.members)),
        "the end of etcd-1 is forgotten",
    ),
    (
        "only_the_lost_are_restored",
        (make.etcd_started(1), *LOST, ORDERED, stored(CHOOSING)),
        "and etcd-1 runs",
    ),
    (
        "only_the_lost_are_restored",
        (*LOST, ORDERED, stored(CHOOSING, lost_members=SERVED.members[1:])),
        "the end of etcd-1 is forgotten",
    ),
    ("restores_are_wanted", (*LOST, stored(UNASKED)), "a lost cluster is restored unasked"),
    ("restores_are_wanted", (given_up(), stored(NEXT_YEAR)), "it had been given up"),
    ("restores_are_wanted", (make.stored(make.record()), stored(UNASKED)), "nobody wanted"),
    (
        "only_what_was_read_back_is_restored",
        (*LOST, ORDERED, stored(CHOOSING), CHECKED, stored(CHOSEN)),
        "does not count",
    ),
    (
        "only_what_was_read_back_is_restored",
        (*BEGUN, CHECKED, stored(evolve(CHOSEN, point=evolve(POINT, revision=9)))),
        "as something that it is not",
    ),
    (
        "only_what_was_read_back_is_restored",
        (*BEGUN, CHECKED, stored(evolve(CHOSEN, source=Source(name=backed_up.name(13))))),
        "was named",
    ),
    (
        "older_ones_are_allowed",
        (*BEGUN, CHECKED, stored(evolve(CHOSEN, refused={backed_up.name(13): "is damaged"}))),
        "in the place of",
    ),
    ("nothing_begins_empty", (given_up(), launched(make.LAUNCHING)), "is failed"),
    (
        "attempts_to_restore_are_new",
        (*BEGUN, stored(FETCHING, SEED), stored(FETCHING, make.member(5, generation=2))),
        "etcd-4 and etcd-5 are both of generation 2",
    ),
    ("restores_are_on_record", (*BEGUN, restored()), "which is not on record"),
    ("restores_are_on_record", (*SEEDED, restored(bump=5)), "0 is on record"),
    ("restored_clusters_are_new", (*SEEDED, started()), "and nothing was"),
    (
        "restored_clusters_are_new",
        (make.etcd_started(1), *SEEDED, restored(), started()),
        "starts as restored while etcd-1 runs",
    ),
    (
        "restores_are_told",
        (*RESTORED[:-1], make.stored(evolve(NEW, restores=(evolve(TOLD, past=()),)))),
        "where the data of etcd-1 lies",
    ),
    (
        "failed_restores_change_nothing",
        (*BEGUN, given_up(evolve(FAILED, failure=""))),
        "nobody knows why",
    ),
    ("orders_are_on_record", (stored(SEEDING, SEED), ordered(FETCH)), "is seeding"),
    (
        "orders_are_on_record",
        (stored(FETCHING, SEED), ordered(evolve(FETCH, task_id="etcd-9-1"))),
        "etcd-9-1, which is not on record",
    ),
    ("announced_when_verified", RESTORED, "has not answered as another cluster"),
    ("acknowledged_writes_are_kept", (*WROTE, make.settled(NEW)), "acknowledged and lost: k"),
    ("it_ends_well", (ended(phase="restoring"),), "still restoring"),
    ("it_ends_well", (ended(restorable=True),), "that people would have restored"),
    ("it_ends_well", (ended(AUTOMATIC),), "it is to be restored unasked"),
)
"""More that is refused: oracle, trace, what it says."""
SURVIVOR = f.BackupCounts(
    manifest=backed_up.manifest(13, survivor=True, revision=0), sound=True, revision=0
)
ACCEPTED = (
    ("restores_are_wanted", (given_up(), ORDERED, stored(CHOOSING))),
    (
        "only_what_was_read_back_is_restored",
        (*BEGUN, CHECKED, stored(CHOSEN), stored(FETCHING, SEED)),
    ),
    ("older_ones_are_allowed", (*BEGUN, SURVIVOR, CHECKED, stored(CHOSEN))),
    ("orders_are_on_record", (stored(FETCHING, SEED), ordered(FETCH))),
    ("executors_obey_the_highest_epoch", (*SEEDED, started(epoch_seen=3))),
    ("acknowledged_writes_are_kept", (*WROTE, make.settled(NEW, keys=frozenset({"k"})))),
    ("the_removed_stay_out", (*BEGUN, given_up())),
    ("only_the_lost_are_restored", (*LOST, ORDERED, BEGINS)),
    ("it_ends_well", (ended(),)),
    ("it_ends_well", (ended(AUTOMATIC, restore=FAILED),)),
    ("it_ends_well", (ended(FROM, make.record(restore=FAILED), "bootstrapping"),)),
)
"""Traces for the oracles on restores: kept."""
