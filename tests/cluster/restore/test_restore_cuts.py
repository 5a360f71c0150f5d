"""A restore, cut after every write of the record and taken over: the same end.

And whatever fails on the way, nothing is started but a sound backup that may be restored, or all is
as it was before.
"""

from __future__ import annotations

from functools import partial

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from etcdmesos.backups.source import Source
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Record
from etcdmesos.cluster.restore.episode import Stage
from etcdmesos.cluster.restore.settings import RestoreSettings
from etcdmesos.cluster.why import why
from tests.cluster import backed_up, make
from tests.cluster.restore.backed_world import Scene
from tests.cluster.stage_backups import backup_settings
from tests.cluster.taken_over import Crash

AUTO = RestoreSettings(automatic=True)


def scene(backups: dict[float, bool], settings: RestoreSettings, *, lost: bool = True) -> Scene:
    told = make.settings(3, restore=settings, backups=backup_settings({"backups": "yes"}))
    return Scene(settings=told, backups=backups, lost=lost)


def restored(model: Model) -> bool:
    return bool(model.record.restores)


def given_up(model: Model) -> bool:
    restore = model.record.restore
    return restore is not None and restore.stage is Stage.FAILED


def over(model: Model) -> bool:
    return model.phase != "recovering" and (restored(model) or given_up(model))


def outcome(record: Record) -> tuple[object, ...]:
    """What has to be the same whoever was cut off when; an attempt counts further generations."""
    last = record.restores[-1]
    return (last.source, last.revision, last.past, len(record.members), record.restore)


def test_cut_after_every_write_and_taken_over_it_ends_the_same() -> None:
    """Each write of the record, arrived or not, may be the last word of a scheduler."""
    ways = (
        partial(scene, {10.0: True, 20.0: True}, AUTO),
        partial(scene, {10.0: False, 20.0: True}, RestoreSettings(automatic=True, older=True)),
        partial(scene, {10.0: True}, RestoreSettings(source=Source()), lost=False),
    )
    for worlds in ways:
        whole = worlds()
        assert whole.settle(restored)
        stages = {r.restore.stage for r in whole.records if r.restore is not None}
        assert {Stage.CHOOSING, Stage.LAUNCHING, Stage.FETCHING, Stage.SEEDING} <= stages
        for saves in range(1, len(whole.records) + 1):
            for stored in (True, False):
                here = worlds()
                here.crash = Crash(saves=saves, stored=stored)
                done = partial(lambda here, model: here.crash is None and restored(model), here)
                assert here.settle(done), f"cut at write {saves}: {here.model.record.restore}"
                assert outcome(here.model.record) == outcome(whole.model.record)
                assert [n.spec.name for n in here.nodes.values()] == [
                    m.name for m in here.model.record.members
                ]


def test_a_damaged_newest_is_all_there_is_unless_older_ones_are_allowed() -> None:
    """Refused once, by its name, and told; no scheduler after that tries it again by itself."""
    here = scene({10.0: False, 20.0: True}, AUTO)
    assert here.settle(over)
    record = here.model.record
    assert record.restore is not None
    assert record.restore.refused == {backed_up.name_at(10.0): "is damaged"}
    assert [m.name for m in record.members] == ["etcd-1", "etcd-2", "etcd-3"]
    assert here.generations == []
    here.start()
    assert not here.settle(lambda model: restored(model) or bool(here.generations), 500)
    assert here.model.phase == "lost"


@given(st.data())
def test_whatever_fails_it_is_restored_from_a_sound_backup_or_given_up(data: st.DataObject) -> None:
    """Lost messages, refusals, unknown launches, bad disks, damage, schedulers that die."""
    older, lost = data.draw(st.booleans(), "older"), data.draw(st.booleans(), "lost")
    ages = data.draw(st.lists(st.integers(1, 50), unique=True, max_size=3), "ages")
    backups = {float(age): data.draw(st.integers(0, 2)) > 0 for age in ages}
    wanted = RestoreSettings(automatic=True, older=older, source=None if lost else Source())
    here = scene(backups, wanted, lost=lost)
    chances = iter(data.draw(st.lists(st.booleans(), max_size=40), "fails"))
    here.fails = lambda: next(chances, False)
    if data.draw(st.booleans(), "crashes"):
        here.crash = Crash(saves=data.draw(st.integers(1, 12)), stored=data.draw(st.booleans()))
    assert here.settle(over), f"{here.model.phase}: {here.model.record.restore}"
    record = here.model.record
    newest_first = [age for age in sorted(backups) if older or age == min(backups)]
    sound = [age for age in newest_first if backups[age]]
    if restored(here.model):
        assert record.restores[-1].source == backed_up.name_at(sound[0])
        assert len(record.members) == 1
        assert record.generation == here.generations[-1]
        assert record.restores[-1].bump > 0
        return
    assert record.restore is not None
    assert not sound or record.restore.attempts == here.settings.restore.attempts
    assert [m.name for m in record.members] == (["etcd-1", "etcd-2", "etcd-3"] if lost else [])
    assert record.lost_members == ()
    assert here.model.phase == ("lost" if lost else "bootstrapping")


def test_what_always_fails_is_not_tried_for_ever() -> None:
    """So many times, with growing waits; the next scheduler does not begin to count anew."""
    here = scene({10.0: True}, AUTO)
    here.fails = lambda: True
    assert here.settle(lambda model: (r := model.record.restore) is not None and r.attempts == 3)
    here.start()
    assert here.settle(given_up)
    restore = here.model.record.restore
    assert restore is not None
    assert restore.attempts == here.settings.restore.attempts
    waits = [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 600.0]
    assert here.now >= sum(waits[3:])
    assert here.now <= sum(waits) + 1.0


def test_a_scheduler_without_the_tool_leaves_it_to_one_that_has_it() -> None:
    """Nothing is given up for that, and why says what is lacking."""
    here = scene({10.0: True}, RestoreSettings(source=Source()), lost=False)
    able = here.settings
    here.settings = evolve(able, artifacts=evolve(able.artifacts, restorer=None))
    here.start()
    assert not here.settle(over, 300)
    assert "no etcdutl" in why(here.model, here.now)
    here.settings = able
    here.start()
    assert here.settle(restored)
