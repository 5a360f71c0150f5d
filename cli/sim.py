"""etcd-mesos-sim: years of failures in minutes, against every promise.

Runs schedules of `etcdmesos.simulation`, seed after seed, or replays one.  Nothing is simulated
here.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from etcdmesos.errors import BadUsage
from etcdmesos.simulation import planted, schedule
from etcdmesos.simulation.faults import registered
from etcdmesos.simulation.options import Cores
from etcdmesos.simulation.report import Report
from etcdmesos.simulation.schedule import Outcome
from etcdmesos.simulation.swarm import draw

from .flags import Flag, number, parse, text, whole_number

PROGRAM = "etcd-mesos-sim"
BATCH = 8
"""Schedules that a job runs at a time: few, so that -minutes is kept."""
SHOWN_EVERY = 0.5

FLAGS = (
    Flag("seeds", whole_number, 100, "how many schedules to run"),
    Flag("first-seed", whole_number, 0, "the seed of the first one"),
    Flag("seed", whole_number, None, "replay this one, a line for every change of state"),
    Flag("jobs", whole_number, 1, "processes that run schedules side by side"),
    Flag("minutes", number, None, "run for so long instead, however many schedules that makes"),
    Flag("cluster-size", whole_number, None, "always this one, instead of what each seed draws"),
    Flag("planted-bug", text, "", "with this bug planted in the cores; `list` names them all"),
)


def main() -> None:
    """The console script: exit status 1 when a promise was broken, 2 for bad usage."""
    try:
        sys.exit(run(sys.argv[1:]))
    except BadUsage as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)


def run(arguments: list[str]) -> int:
    """Run what the arguments ask for; returns the exit status.  Raises BadUsage."""
    values = parse(
        PROGRAM,
        "Runs the controller and the executors in a simulated world and checks every promise.",
        FLAGS,
        arguments,
        os.environ,
    )
    _refuse_nonsense(values)
    if values["planted_bug"] == "list":
        for bug in planted.registered().values():
            print(f"{bug.name:<36} {bug.story}")
        return 0
    if values["seed"] is not None:
        return _replay(values)
    return _run_many(values)


def _refuse_nonsense(values: dict[str, Any]) -> None:
    for name in ("seeds", "jobs", "minutes", "cluster_size"):
        if values[name] is not None and values[name] <= 0:
            raise BadUsage(f"-{name.replace('_', '-')}: must be more than 0")
    bug = values["planted_bug"]
    if bug not in ("", "list") and bug not in planted.registered():
        raise BadUsage(f"-planted-bug: there is no {bug!r} (`-planted-bug=list` names them)")


def _cores(values: dict[str, Any]) -> Cores | None:
    bug = values["planted_bug"]
    return planted.registered()[bug].cores() if bug else None


def _replay(values: dict[str, Any]) -> int:
    options = draw(values["seed"], registered(), values["cluster_size"])
    print(options)
    outcome = schedule.run(options, _cores(values), print)
    report = Report()
    report.add(outcome)
    if outcome.violation:
        print(f"\n{outcome.violation}", file=sys.stderr)
    return 1 if outcome.violation else 0


# Many


def _run_many(values: dict[str, Any]) -> int:
    report, began = Report(), time.monotonic()
    shown = 0.0
    for outcome in _outcomes(values, began):
        report.add(outcome)
        if outcome.violation:
            _tell_violation(values, outcome)
        if sys.stderr.isatty() and time.monotonic() - shown > SHOWN_EVERY:
            shown = time.monotonic()
            _tell_progress(values, report, shown - began)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    print(report.text(time.monotonic() - began))
    return 1 if report.violations else 0


def _outcomes(values: dict[str, Any], began: float) -> Iterator[Outcome]:
    """The outcomes as they come, in the order of seeds."""
    batches = ((values, first, count) for first, count in _batches(values, began))
    if values["jobs"] == 1:
        yield from itertools.chain.from_iterable(map(_run_batch, batches))
        return
    # Spawned, not forked: nothing of this process may lead to another outcome there.
    with multiprocessing.get_context("spawn").Pool(values["jobs"]) as pool:
        waves = iter(lambda: list(itertools.islice(batches, values["jobs"] * 2)), [])
        for wave in waves:
            for outcomes in pool.imap(_run_batch, wave):
                yield from outcomes


def _batches(values: dict[str, Any], began: float) -> Iterator[tuple[int, int]]:
    seed = values["first_seed"]
    if values["minutes"] is not None:
        while time.monotonic() - began < values["minutes"] * 60:
            yield seed, BATCH
            seed += BATCH
        return
    end = seed + values["seeds"]
    for first in range(seed, end, BATCH):
        yield first, min(BATCH, end - first)


def _run_batch(batch: tuple[dict[str, Any], int, int]) -> list[Outcome]:
    values, first, count = batch
    cores = _cores(values)
    return [
        schedule.run(draw(seed, registered(), values["cluster_size"]), cores)
        for seed in range(first, first + count)
    ]


# Words


def _tell_violation(values: dict[str, Any], outcome: Outcome) -> None:
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    replay = f"{PROGRAM} -seed={outcome.options.seed}"
    for name in ("cluster_size", "planted_bug"):
        if values[name]:
            replay += f" -{name.replace('_', '-')}={values[name]}"
    print(f"{outcome.violation}\n  replay: {replay}\n", file=sys.stderr)


def _tell_progress(values: dict[str, Any], report: Report, seconds: float) -> None:
    if values["minutes"] is not None:
        done = min(1.0, seconds / (values["minutes"] * 60))
    else:
        done = report.schedules / values["seeds"]
    bar = "#" * int(done * 30)
    line = (
        f"\r[{bar:<30}] {done:4.0%}  {report.schedules} schedules, "
        f"{report.schedules / seconds:.1f}/s, {len(report.violations)} violations"
    )
    print(line, end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
