"""The simulation finds every planted bug, by an oracle of the promise that it breaks.

`SEEDS` says after how many seeds each was found when it was last looked for; a change of the
simulation may move that, so twice as many are tried first and then all that are allowed.
"""

from __future__ import annotations

import pytest

from etcdmesos.simulation import schedule
from etcdmesos.simulation.faults import registered as faults
from etcdmesos.simulation.planted import PlantedBug, registered
from etcdmesos.simulation.schedule import Outcome
from etcdmesos.simulation.swarm import draw

SEEDS_MAX = 2000
WHERE_FOUND: dict[str, int] = {}


def found(bug: PlantedBug) -> tuple[int, Outcome]:
    """The first seed of the default mix that finds the bug, looked for where it last was."""
    cores, known = bug.cores(), WHERE_FOUND.get(bug.name, 0)
    for seed in [known, *(s for s in range(SEEDS_MAX) if s != known)]:
        outcome = schedule.run(draw(seed, faults()), cores)
        if outcome.violation:
            return seed, outcome
    raise AssertionError(f"{bug.name}: not found within {SEEDS_MAX} seeds")


def test_there_are_enough() -> None:
    assert len(registered()) >= 25
    for bug in registered().values():
        assert bug.story.endswith((".", ")", ").")), f"{bug.name} has no story"


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("bug", registered().values(), ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: PlantedBug) -> None:
    seed, outcome = found(bug)
    assert outcome.oracle in bug.oracles, f"seed {seed}: {outcome.violation}"


def test_without_a_bug_the_same_seeds_find_nothing() -> None:
    for seed in sorted(set(WHERE_FOUND.values()))[:20]:
        assert schedule.run(draw(seed, faults())).violation == ""
