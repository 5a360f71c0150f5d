"""Any faults in any order, chosen and shrunk by hypothesis, on the same world as the schedules.

A failure prints a short program: it can be pasted into a file and run.
`pytest --hypothesis-profile=explore tests/simulation/test_machine.py` looks much longer.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from etcdmesos.simulation.faults import Fault, registered
from etcdmesos.simulation.options import Options
from etcdmesos.simulation.schedule import settle
from etcdmesos.simulation.world import World


def faults() -> st.SearchStrategy[Fault]:
    """Any fault; `pick` and `seconds` shrink towards the first target and a short time."""
    kinds = st.sampled_from(list(registered().values()))
    return st.builds(
        lambda kind, pick, seconds: kind(pick=pick, seconds=seconds),
        kinds,
        st.integers(0, 1 << 12),
        st.sampled_from([1.0, 5.0, 30.0, 120.0]),
    )


class AnyFaults(RuleBasedStateMachine):
    """One world, moved by hypothesis.  Oracles raise as soon as a promise is broken."""

    world: World

    @initialize(
        seed=st.integers(0, 1 << 16),
        size=st.sampled_from([1, 3, 3, 5]),
        spare=st.integers(0, 2),
        single=st.booleans(),
        elected=st.booleans(),
        version=st.sampled_from(["3.4.23", "3.5.30"]),
        ahead=st.sampled_from([0.0, 1.0, 5.0]),
    )
    def begin(
        self,
        seed: int,
        size: int,
        spare: int,
        single: bool,
        elected: bool,
        version: str,
        ahead: float,
    ) -> None:
        """A new cluster, some seconds after its start."""
        self.world = World(
            Options(
                seed=seed,
                cluster_size=size,
                agents=size + spare,
                single_instance=single,
                elected=elected,
                etcd_version=version,
            )
        )
        self.world.start()
        self.world.run(ahead)

    @rule(fault=faults())
    def break_something(self, fault: Fault) -> None:
        """A fault, if it can happen now."""
        self.world.inject(fault)

    @rule(seconds=st.sampled_from([0.01, 0.3, 2.0, 10.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.world.run(seconds)

    @precondition(lambda self: sum(self.world.faults_injected.values()) > 3)
    @rule()
    def settle(self) -> None:
        """All faults end, and so it ends well."""
        settle(self.world)

    @invariant()
    def it_is_possible(self) -> None:
        """The simulation itself stays within what can be."""
        if hasattr(self, "world"):
            self.world.check()


TestAnyFaults = AnyFaults.TestCase
