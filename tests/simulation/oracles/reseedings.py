"""Traces for the oracles on reseeding: kept and broken."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from etcdmesos import orders
from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.episode import Chosen, Reseed, Reseeded, Stage
from etcdmesos.etcd.member_list import ListedMember, MemberList
from etcdmesos.mesos.statuses import TaskState
from etcdmesos.orders import Report, SavedSnapshot, Standing
from etcdmesos.simulation import facts as f
from tests.simulation.oracles import make

SERVED = evolve(
    make.SERVED, members=tuple(evolve(m, id=f"id-{m.name[5:]}") for m in make.SERVED.members)
)
MEASURING = Reseed(generation=2, stage=Stage.MEASURING, began=1.0, why="w")
HOLDING = evolve(MEASURING, stage=Stage.HOLDING)
CHOSEN = Chosen(sha256="ab", revision=5, commit_index=8, bump=1000)
SEEDING = evolve(MEASURING, stage=Stage.SEEDING, seed="etcd-3", chosen=CHOSEN, proven=True)
TOLD = Reseeded(
    generation=2,
    at=1.0,
    why="w",
    member="etcd-3",
    revision=5,
    bump=1000,
    highest_revision=6,
    proven=True,
    by_operator=False,
    past=(),
)
NEW = evolve(
    SERVED,
    generation=2,
    cluster_id="c2",
    members=(evolve(SERVED.members[2], generation=2, id="new"),),
    reseeds=(TOLD,),
)
LINKS = (make.stepped(e.LeadershipGained()), make.subscribed())
DEAD = tuple(make.heard(f"etcd-{n}-1", TaskState.FAILED) for n in (1, 2))


def having(reseed: Reseed) -> f.Stored:
    return make.stored(evolve(SERVED, reseed=reseed))


def ordered(order: orders.Order) -> f.Released:
    data = orders.encode(order)
    return make.released(c.SendMessage(executor_id="x", agent_id="a", data=data))


def reported(number: int, standing: Standing = Standing.HELD, index: int = 8) -> f.Stepped:
    """An executor says how it stands in the attempt."""
    saved = SavedSnapshot(sha256="ab", size=1, revision=5, applied_index=index, path="s")
    report = Report(
        task_id=f"etcd-{number}-1", epoch=1, generation=2, standing=standing, snapshot=saved
    )
    said = e.ExecutorSaid(agent_id="a", executor_id="x", data=orders.encode(report))
    return make.stepped(said)


def seed_started(**changes: Any) -> f.EtcdStarted:
    return make.etcd_started(
        3, **{"generation": 2, "token": "t2", "cluster_id": "c2", "voters": 1, **changes}
    )


def probed_as_new(leader: str = "new") -> f.Stepped:
    probe = make.probed("etcd-3", leader=leader)
    assert isinstance(probe.event, e.MemberProbed)
    health = evolve(probe.event.health, cluster_id="c2", member_id="new")
    return evolve(probe, event=evolve(probe.event, health=health))


def listed_as_new() -> f.Stepped:
    entry = ListedMember(id="new", name="etcd-3", peer_urls=(), client_urls=(), learner=False)
    listing = MemberList(cluster_id="c2", members=(entry,))
    return make.stepped(e.MembersListed(members=listing))


def wrote(key: str, revision: int, token: str = "t1", index: int = 0) -> f.WriteAcknowledged:  # noqa: S107
    return f.WriteAcknowledged(key=key, token=token, revision=revision, index=index)


COMMITTED = make.stepped(e.ProgressMade(member="etcd-3"))
FLIPPED = (make.etcd_started(1), having(SEEDING), seed_started(), make.stored(NEW))
HOLD = orders.Hold(task_id="etcd-3-1", epoch=1, generation=2, in_force=1)
MOVED = f.DataMoved(host="a", source="/s/data/m", target="/s/aside/m-2", content="1")

CASES = {
    "orders_are_on_record": (
        (having(HOLDING), ordered(HOLD)),
        (having(MEASURING), ordered(HOLD)),
        "Hold, and measuring is on record",
    ),
    "reseeds_only_when_quorum_is_gone": (
        (*LINKS, make.stored(SERVED), *DEAD, having(MEASURING)),
        (*LINKS, make.stored(SERVED), make.probed("etcd-3"), having(MEASURING)),
        "etcd-3 said lately that there is a leader",
    ),
    "others_are_dead_or_held": (
        (having(HOLDING), DEAD[0], reported(2), reported(3), having(SEEDING)),
        (having(HOLDING), reported(3), having(SEEDING)),
        "called proven, and a quorum of others may serve",
    ),
    "the_proven_serve_alone": (
        (*FLIPPED, f.Committed(token="t2", by_hand=False)),
        (*FLIPPED, f.Committed(token="t1", by_hand=False)),
        "t1 commits beside generation 2",
    ),
    "reseeds_are_told": (
        (having(SEEDING), make.stored(NEW)),
        (having(SEEDING), make.stored(evolve(NEW, reseeds=()))),
        "nothing tells of the reseed",
    ),
    "the_best_is_the_seed": (
        (having(HOLDING), reported(2, index=7), reported(3), having(SEEDING)),
        (having(HOLDING), reported(2, index=9), reported(3), having(SEEDING)),
        "etcd-3 has 8 and is to be the seed; etcd-2 has 9",
    ),
    "the_held_stay_down": (
        (make.etcd_started(1),),
        (make.etcd_started(1, held=True),),
        "its member is held",
    ),
    "holds_come_before_seeds": (
        (make.etcd_started(1), having(SEEDING), seed_started()),
        (make.etcd_started(1), make.etcd_started(2), having(SEEDING), seed_started()),
        "starts as the seed while etcd-1, etcd-2 run",
    ),
    "seeds_are_new_clusters": (
        (having(SEEDING), seed_started()),
        (having(SEEDING), seed_started(cluster_id="c1")),
        "on data of cluster c1",
    ),
    "only_copies_are_forced": (
        (f.ClusterForced(path="a:/s", own=False), make.etcd_started(1)),
        (f.ClusterForced(path="a:/s", own=True),),
        "--force-new-cluster is run on a:/s",
    ),
    "announced_when_verified": (
        (having(SEEDING), probed_as_new(), listed_as_new(), COMMITTED, make.stored(NEW)),
        (having(SEEDING), probed_as_new(), listed_as_new(), make.stored(NEW)),
        "was not seen to commit",
    ),
    "attempts_have_their_own_generations": (
        (having(SEEDING), having(evolve(HOLDING, generation=3))),
        (having(SEEDING), having(evolve(SEEDING, seed="etcd-2"))),
        "both seeds of generation 2",
    ),
    "what_is_set_aside_is_kept": (
        (MOVED, evolve(MOVED, source=MOVED.target, target=MOVED.source)),
        (MOVED, make.settled(data={})),
        "a:/s/aside/m-2 is gone",
    ),
    "losses_are_admitted": (
        (wrote("k", 6, index=9), *FLIPPED, make.settled(NEW)),
        (wrote("k", 5, index=9), *FLIPPED, make.settled(NEW)),
        "only those above 5 were said to be",
    ),
    "revisions_never_go_back": (
        (wrote("k", 6), *FLIPPED, wrote("l", 1006, "t2")),
        (wrote("k", 6), *FLIPPED, wrote("l", 6, "t2")),
        "l has revision 6, and k of the cluster before had 6",
    ),
}
"""By oracle: a trace that it accepts, one that it refuses, and what it says of that."""
