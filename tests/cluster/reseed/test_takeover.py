"""A scheduler whose write was overtaken by a reseed goes by what is on record, and not by what it
saw of the old cluster.

Found by the simulation, seed 444: a claim was lost, another scheduler took over and reseeded, and
the first one came back to write the old member in the new cluster's place.
"""

from __future__ import annotations

from attrs import evolve

from etcdmesos.cluster.model import StoreLink
from etcdmesos.step import RecordLoaded
from tests.cluster import make


def test_what_was_seen_of_the_old_cluster_is_not_written_into_the_new_one() -> None:
    member = make.member(1, "a", id="0a", etcd_version="3.5.30")
    old = make.record(member, size=1, epoch=2, sequence=1, served=True)
    seed = evolve(member, generation=2, id="0b")
    new = evolve(old, epoch=2, sequence=9, generation=2, cluster_id="c2", members=(seed,))
    model = make.CONTROLLER.start(make.settings(1))
    model = evolve(
        model,
        record=old,
        store=StoreLink(loading=True, doubtful=True),
        leadership=evolve(model.leadership, epoch=2),
    )
    step = make.CONTROLLER.step(model, RecordLoaded(record=new), 5.0)
    assert step.model.record.members == (seed,)
    assert step.model.record.epoch == 3
