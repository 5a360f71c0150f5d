"""An attempt to reseed, cut after every write of the record and taken over: the same end.

And whatever is lost on the way, no second cluster can serve when it is said that none can.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from etcdmesos.cluster.episode import Stage
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Record
from etcdmesos.cluster.settings import ReseedPolicy
from tests.cluster import make
from tests.cluster.reseed.survivors import Scene, Survivor
from tests.cluster.taken_over import Crash

FAST = {
    "reseed_timeout": 30.0,
    "seed_limit": 20.0,
    "measure_limit": 10.0,
    "reseed_again": 5.0,
    "reseed_again_most": 20.0,
}
IN_VAIN = 500
"""Steps after which it is clear enough that nothing will come of it."""


def scene(
    survivors: dict[int, int], dead: tuple[int, ...], away: tuple[int, ...] = (), **changes: object
) -> Scene:
    """`survivors`: number of the member, and how far its log is committed."""
    members = {n: make.member(n, f"agent-{n}") for n in (*survivors, *dead, *away)}
    return Scene(
        survivors={
            members[n].name: Survivor(member=members[n], index=index)
            for n, index in survivors.items()
        },
        dead=tuple(members[n] for n in dead),
        away=tuple(members[n] for n in away),
        settings=make.settings(len(members), **{**FAST, **changes}),
    )


def reseeded(model: Model) -> bool:
    return bool(model.record.reseeds)


def outcome(record: Record) -> tuple[object, ...]:
    """What has to be the same whoever was cut off when; an attempt counts further generations."""
    last = record.reseeds[-1]
    return (
        [(m.name, m.id, m.role, m.step) for m in record.members],
        last.member,
        last.revision,
        last.proven,
        record.reseed,
        record.change,
    )


def test_it_ends_with_the_best_survivor() -> None:
    """The one whose log is committed furthest, whether or not it could give a snapshot itself."""
    for answers in (True, False):
        here = scene({4: 10, 5: 12}, dead=(1, 2, 3))
        here.survivors["etcd-5"].answers = answers
        assert here.settle(reseeded)
        stages = {r.reseed.stage for r in here.records if r.reseed is not None}
        assert (Stage.COPYING in stages) == (not answers)
        assert here.model.record.reseeds[-1].member == "etcd-5"
        assert [m.name for m in here.model.record.members] == ["etcd-5"]


def test_cut_after_every_write_and_taken_over_it_ends_the_same() -> None:
    """Each write of the record, arrived or not, may be the last word of a scheduler."""
    ways: tuple[Callable[[], Scene], ...] = (
        lambda: scene({4: 10, 5: 12}, dead=(1, 2, 3)),
        lambda: scene({1: 10}, dead=(), away=(2, 3)),
        lambda: scene({1: 10, 2: 20}, dead=(3,), away=(4, 5)),
        lambda: _with_a_bad_disk(scene({4: 10, 5: 12}, dead=(1, 2, 3))),
    )
    for worlds in ways:
        whole = worlds()
        assert whole.settle(reseeded)
        stages = {r.reseed.stage for r in whole.records if r.reseed is not None}
        assert {Stage.MEASURING, Stage.HOLDING, Stage.SEEDING} <= stages
        for saves in range(1, len(whole.records) + 1):
            for stored in (True, False):
                here = worlds()
                here.crash = Crash(saves=saves, stored=stored)
                assert here.settle(partial(_taken_over_and_reseeded, here)), (
                    f"cut at write {saves}, {'stored' if stored else 'lost'}: "
                    f"{here.model.phase}, {here.model.record.reseed}"
                )
                assert outcome(here.model.record) == outcome(whole.model.record)


def _taken_over_and_reseeded(here: Scene, model: Model) -> bool:
    return here.crash is None and reseeded(model)


def _with_a_bad_disk(here: Scene) -> Scene:
    here.survivors["etcd-5"].bad_disk = True
    return here


def test_a_bad_disk_is_left_as_it_was_and_the_next_one_tried() -> None:
    """In a generation of its own; the one that failed ends with the others of the past."""
    here = _with_a_bad_disk(scene({4: 10, 5: 12}, dead=(1, 2, 3)))
    assert here.settle(reseeded)
    assert here.model.record.reseeds[-1].member == "etcd-4"
    assert here.model.record.generation == 3


@given(st.data())
def test_whatever_is_lost_it_ends_and_nobody_else_could_serve(data: st.DataObject) -> None:
    """Sizes, who survives, who is away, who is deaf, lost messages, and schedulers that die."""
    size = data.draw(st.sampled_from([1, 3, 5, 7]), "size")
    numbers = list(range(1, size + 1))
    fate = data.draw(
        st.lists(st.sampled_from(["alive", "dead", "away"]), min_size=size, max_size=size), "fate"
    )
    living = [n for n, f in zip(numbers, fate, strict=True) if f == "alive"]
    alive = {n: data.draw(st.integers(1, 5)) for n in living}
    here = scene(
        alive,
        dead=tuple(n for n, f in zip(numbers, fate, strict=True) if f == "dead"),
        away=tuple(n for n, f in zip(numbers, fate, strict=True) if f == "away"),
    )
    for survivor in here.survivors.values():
        survivor.bad_disk = data.draw(st.integers(0, 5)) == 0
        survivor.deaf = data.draw(st.integers(0, 7)) == 0
        survivor.answers = data.draw(st.integers(0, 3)) > 0
    best_first = sorted(here.survivors.values(), key=lambda one: -one.index)
    useful = [one for one in best_first if not one.bad_disk and not one.deaf]
    lost = data.draw(st.lists(st.booleans(), max_size=30), "lost")
    losses = iter(lost)
    here.lose = lambda: next(losses, False)
    if data.draw(st.booleans()):
        here.crash = Crash(saves=data.draw(st.integers(1, 12)), stored=data.draw(st.booleans()))
    if any(lost) and len(useful) < len(best_first):
        here.settle(reseeded, IN_VAIN)  # the useful ones may be those that were ended
    elif alive and useful:
        assert here.settle(reseeded), f"{here.model.phase}: {here.model.record.reseed}"
        # Whom no order reaches for long is ended like a deaf one, and no candidate.
        tried = useful if any(lost) else useful[:1]
        assert here.model.record.reseeds[-1].revision in {one.index for one in tried}
    else:
        assert not here.settle(reseeded, IN_VAIN)


def test_policy_proven_never_begins_while_a_quorum_may_be_away() -> None:
    """However long it is watched; and auto_reseed=false not even when it is proven."""
    for here in (
        scene({1: 10}, dead=(), away=(2, 3), reseed_policy=ReseedPolicy.PROVEN),
        scene({1: 10}, dead=(2, 3), auto_reseed=False),
    ):
        assert not here.settle(lambda model: model.record.reseed is not None, IN_VAIN * 3)
        assert here.now > 100
        assert here.stored.reseed is None
