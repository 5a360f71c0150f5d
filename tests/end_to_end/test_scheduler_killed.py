"""A scheduler killed with -9 at any moment and started again: the cluster neither notices nor
forgets."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.end_to_end.schedulers import caught, healthy, listed, names, seen, stand
from tests.end_to_end.stand import get, processes_below, until

Record = Mapping[str, Any]


def test_killed_while_bootstrapping_and_when_healthy(tmp_path: Path) -> None:
    """The same framework, and, once they were launched, the same tasks and processes.

    Killed between the record and the launch, it may be that nothing was launched: then that attempt
    is given up, and another one is made.
    """
    with stand(tmp_path) as here:
        first = here.scheduler()
        seen(lambda: bool(here.record()["members"]), "the gang is on record")
        first.kill()
        second = here.scheduler()
        seen(lambda: any(m["step"] == "joining" for m in here.record()["members"]), "a task runs")
        second.kill()
        before = here.record()
        third = here.scheduler()
        healthy(third)
        gang = names(third)
        pids = here.etcds(*gang)
        third.kill()
        fourth = here.scheduler()
        healthy(fourth)
        after = here.record()
        assert here.etcds(*gang) == pids
        assert here.frameworks() == [before["framework_id"]] == [after["framework_id"]]
        assert gang == [member["name"] for member in before["members"]] == names(fourth)
        assert (after["generation"], after["next_member"]) == (
            before["generation"],
            before["next_member"],
        )
        assert [before["epoch"], after["epoch"]] == [2, 4]


def _change(kind: str) -> Callable[[Record], bool]:
    return lambda record: (record["change"] or {}).get("kind") == kind


def _step(step: str) -> Callable[[Record], bool]:
    return lambda record: (
        record["change"] is None and any(m["step"] == step for m in record["members"])
    )


MISSES = 5

STEPS: Mapping[str, Callable[[Record], bool]] = {
    "removing": _change("remove"),
    "removed": lambda record: len(record["members"]) == 2,
    "adding": _change("add"),
    "launching": _step("launching"),
    "joining": _step("joining"),
    "promoting": _change("promote"),
}
"""Of a replacement, as the record tells them, in their order."""


def test_killed_after_each_step_of_a_replacement(tmp_path: Path) -> None:
    """Each change is finished or undone once, by the next one; survivors are not touched."""
    with stand(tmp_path) as here:
        scheduler = here.scheduler()
        healthy(scheduler)
        framework = here.record()["framework_id"]
        for step, reached in STEPS.items():
            for _ in range(MISSES):
                lost, *stay = names(scheduler)
                pids, number = here.etcds(*stay), here.record()["next_member"]
                here.end_member(lost)
                if caught(here, lost, reached):
                    break
                healthy(scheduler)
            else:
                raise AssertionError(f"{step} was over before it was seen, {MISSES} times")
            scheduler.kill()
            scheduler = here.scheduler()
            until(lambda: lost not in names(scheduler), f"{lost} is removed")  # noqa: B023
            healthy(scheduler)
            assert here.etcds(*stay) == pids, step
            new = f"etcd-{here.record()['next_member'] - 1}"
            assert listed(here, scheduler) == sorted([*stay, new]), step
            # The place of one that was added and not launched is lost with its scheduler's offers.
            skipped = here.record()["next_member"] - 1 - number
            assert skipped == 0 or (skipped == 1 and step in ("adding", "launching")), step
        assert here.frameworks() == [framework]


def test_the_record_is_lost_beside_a_living_cluster(tmp_path: Path) -> None:
    """No second cluster; why says what was found, and -rebuild-record makes the record anew."""
    with stand(tmp_path) as here:
        first = here.scheduler()
        healthy(first)
        framework = here.record()["framework_id"]
        pids = here.etcds("etcd-1", "etcd-2", "etcd-3")
        first.kill()
        here.file.unlink()
        second = here.scheduler()
        until(lambda: "-rebuild-record" in second.stats()["why"], "it says what can be done")
        assert framework in second.stats()["why"]
        assert second.stats()["members"] == []
        second.kill()
        third = here.scheduler("-rebuild-record")
        healthy(third)
        assert here.record()["framework_id"] == framework
        assert here.etcds("etcd-1", "etcd-2", "etcd-3") == pids
        assert names(third) == ["etcd-1", "etcd-2", "etcd-3"]


def test_uninstalled(tmp_path: Path) -> None:
    """Killed in the middle, it goes on; at the end no task, no framework and no record is left."""
    with stand(tmp_path) as here:
        first = here.scheduler()
        healthy(first)
        first.daemon.end(signal.SIGTERM)
        wrong = here.scheduler("-uninstall=yourcluster")
        assert wrong.ended() == 2
        here.etcds("etcd-1", "etcd-2", "etcd-3")
        framework = here.record()["framework_id"]
        second = here.scheduler("-uninstall=mycluster")
        seen(lambda: bool(here.record()["uninstalling"]), "the word is on record")
        second.kill()
        third = here.scheduler("-uninstall=mycluster")
        assert third.ended() == 0
        assert "cluster mycluster is uninstalled" in third.daemon.lines[-1]
        assert not here.file.exists()
        assert here.frameworks() == []
        assert here.frameworks("completed_frameworks") == [framework]
        assert not [line for line in processes_below(tmp_path) if "--name=etcd-" in line]
        assert get(here.master, "/state")[0] == 200
        nothing = here.scheduler("-uninstall=mycluster")
        assert nothing.ended() == 2
