"""How fast the simulation is on one core: schedules per second, and times real time.

    python bench/simulation.py [-seeds 200] [-cluster-size 3] [-profile]

A schedule counts only if it was healthy once, injected at least 5 faults and took at least 100
steps.  CPU time is what is measured, so that other work on the machine matters less.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from contextlib import nullcontext

from etcdmesos.simulation import schedule
from etcdmesos.simulation.faults import registered
from etcdmesos.simulation.options import Options, real_cores
from etcdmesos.simulation.report import Report
from etcdmesos.simulation.swarm import draw
from etcdmesos.simulation.world import World

QUIET = 3600.0
"""Virtual seconds of a healthy cluster without faults: the other end of the scale."""
SHOWN = 30
"""Lines of a profile."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="speed of the simulation on one core")
    parser.add_argument("-seeds", type=int, default=200)
    parser.add_argument("-cluster-size", type=int, default=3)
    parser.add_argument("-profile", action="store_true")
    arguments = parser.parse_args()
    real_cores()  # reads the charts
    profile = cProfile.Profile() if arguments.profile else None
    with profile or nullcontext():
        report, seconds = _schedules(arguments.seeds, arguments.cluster_size)
    if profile is not None:
        pstats.Stats(profile).sort_stats("tottime").print_stats(SHOWN)
    print(f"cluster-size {arguments.cluster_size}, {arguments.seeds} schedules, one core")
    print(f"  {report.counted / seconds:8.1f} full schedules/s (of {report.counted})")
    print(f"  {report.simulated_seconds / seconds:8.0f} times real time")
    print(f"  {report.steps / seconds:8.0f} steps/s, {report.steps / report.schedules:.0f} each")
    print(f"  {len(report.violations):8d} violations")
    quiet = _quiet(arguments.cluster_size)
    print(f"one healthy cluster for {QUIET:g} s: {QUIET / quiet:.0f} times real time")


def _schedules(seeds: int, cluster_size: int) -> tuple[Report, float]:
    report, began = Report(), time.process_time()
    for seed in range(seeds):
        report.add(schedule.run(draw(seed, registered(), cluster_size)))
    return report, time.process_time() - began


def _quiet(cluster_size: int) -> float:
    world = World(Options(cluster_size=cluster_size, agents=cluster_size + 1))
    world.start()
    began = time.process_time()
    world.run(QUIET)
    return time.process_time() - began


if __name__ == "__main__":
    main()
