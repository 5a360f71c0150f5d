"""One schedule: a world from a seed, in two phases.

First everything may break, and the oracles judge whatever happens.  Then all faults end, and within
a bounded time the cluster must be healthy, or wait for what only an operator can give, and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from attrs import frozen

from etcdmesos.cluster.why import why
from etcdmesos.simulation.errors import ImpossibleWorld, Runaway
from etcdmesos.simulation.faults import Fault, registered
from etcdmesos.simulation.options import Cores, Options
from etcdmesos.simulation.oracles.liveness import unfinished
from etcdmesos.simulation.promises import PromiseBroken
from etcdmesos.simulation.world import World

__all__ = ["Outcome", "run", "settle"]

FIRST_HEALTHY_WITHIN = 60.0
"""How long the first phase waits for a healthy cluster before faults begin anyway."""
SETTLES_WITHIN = 1500.0
"""How long the second phase may take: a bootstrap given up (180 s) and tried again a few times,
with the pauses in between (up to 120 s), and agents that are waited for (600 s)."""
LOOKS_EVERY = 1.0
AT_REST_FOR = 4.0
"""For so long what is found at rest must stay so."""
PICKS = 1 << 16


@frozen(kw_only=True)
class Outcome:
    """How one schedule went."""

    options: Options
    violation: str = ""
    oracle: str = ""
    """Which oracle found it."""
    simulated_seconds: float
    steps: int
    faults: Mapping[str, int]
    phases: Mapping[str, int]
    checks: Mapping[str, int]
    writes: int
    """Acknowledged."""

    @property
    def counts(self) -> bool:
        """Whether it was a schedule worth counting for speed."""
        return (
            self.phases.get("healthy", 0) > 0
            and sum(self.faults.values()) >= 5
            and self.steps >= 100
        )


def run(
    options: Options,
    cores: Cores | None = None,
    write: Callable[[str], object] | None = None,
) -> Outcome:
    """Run the schedule of these options; `write` gets the trace."""
    world = World(options, cores, write)
    violation = oracle = ""
    try:
        world.start()
        _break(world)
        settle(world)
    except PromiseBroken as broken:
        violation, oracle = str(broken), broken.oracle
        world.say("violation", violation)
    except Runaway as error:
        violation, oracle = f"{error}", "it_does_not_spin"
    except ImpossibleWorld as error:
        violation, oracle = f"the simulation itself is wrong: {error}", "the_world_is_possible"
    return Outcome(
        options=options,
        violation=violation,
        oracle=oracle,
        simulated_seconds=world.clock.now,
        steps=world.steps,
        faults=world.faults_injected,
        phases=world.books.phases,
        checks=world.books.checks,
        writes=world.workload.acknowledged,
    )


def _break(world: World) -> None:
    """Phase one: inject what the options want, one after the other, with pauses in between."""
    options = world.options
    random = Random(f"faults {options.seed}")  # noqa: S311 (nothing secret)
    if not options.early:
        world.clock.run_while(lambda: not _healthy(world), FIRST_HEALTHY_WITHIN)
    kinds = registered()
    names, weights = list(options.faults), list(options.faults.values())
    for _ in range(options.faults_wanted):
        world.run(random.expovariate(1.0 / options.fault_pause))
        for _ in range(len(names)):
            fault = _drawn(random, kinds[random.choices(names, weights)[0]], options)
            if fault.available(world):
                world.inject(fault)
                world.check()
                break
    world.run(random.expovariate(1.0 / options.fault_pause))


def _drawn(random: Random, kind: type[Fault], options: Options) -> Fault:
    seconds = round(random.expovariate(1.0 / options.fault_seconds), 3)
    return kind(pick=random.randrange(PICKS), seconds=seconds)


def _healthy(world: World) -> bool:
    model = world.scheduler.model
    return model is not None and model.phase == "healthy"


def settle(world: World) -> None:
    """Phase two: end all faults and demand a good end.  Raises PromiseBroken."""
    world.heal()
    until = world.clock.now + SETTLES_WITHIN
    while world.clock.now < until:
        if _at_rest(world):
            world.run(AT_REST_FOR)
            if _at_rest(world):
                break
        world.run(LOOKS_EVERY)
    world.check()
    settled = world.observer.settled()
    if world.trace.on and settled.model is not None:
        world.say("at rest", f"{settled.model.phase}: {why(settled.model, settled.now)}")
    world.see(settled)


def _at_rest(world: World) -> bool:
    """Whether all is as it should be at the end; if it never is, the oracles say what is not."""
    model = world.scheduler.model
    if model is None:
        return False
    settled = world.observer.settled()
    if unfinished(settled, model):
        return False
    if settled.leaders != 1:
        return False
    strays = [one for one in settled.alive if model.record.owner(one) is None]
    return not strays and not settled.unsaid
