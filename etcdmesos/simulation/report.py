"""The summary of many schedules: what was simulated, what was visited, what was checked, how fast.

Counts and text only; nothing is run here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from attrs import define, field

from etcdmesos.simulation.schedule import Outcome

__all__ = ["Report"]


@define
class Report:
    """What came of the schedules so far."""

    schedules: int = 0
    counted: int = 0
    """Those that were healthy once, with at least 5 faults and 100 steps."""
    simulated_seconds: float = 0.0
    steps: int = 0
    writes: int = 0
    faults: Counter[str] = field(factory=Counter)
    phases: Counter[str] = field(factory=Counter)
    checks: Counter[str] = field(factory=Counter)
    violations: list[Outcome] = field(factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one more."""
        self.schedules += 1
        self.counted += outcome.counts
        self.simulated_seconds += outcome.simulated_seconds
        self.steps += outcome.steps
        self.writes += outcome.writes
        self.faults.update(outcome.faults)
        self.phases.update(outcome.phases)
        self.checks.update(outcome.checks)
        if outcome.violation:
            self.violations.append(outcome)

    def text(self, seconds: float) -> str:
        """Everything, for people; `seconds` is how long it took."""
        days = self.simulated_seconds / 86400
        full = f"{self.counted} of them full (healthy once, 5 faults, 100 steps)"
        done = f"{self.steps:,} steps, {self.writes:,} acknowledged writes"
        times = f"{self.simulated_seconds / seconds:,.0f} times real time, in {seconds:.1f} s"
        lines = [
            f"schedules   {self.schedules}, {full}",
            f"simulated   {self.simulated_seconds:,.0f} s ({days:.1f} days), {done}",
            f"rate        {self.schedules / seconds:.1f} schedules/s, {times}",
            *_table("faults", self.faults),
            *_table("phases", self.phases),
            *_table("checks", self.checks),
        ]
        unchecked = sorted(name for name, count in self.checks.items() if not count)
        if unchecked:
            lines.append(f"never asked {', '.join(unchecked)}")
        lines.append(f"violations  {len(self.violations)}")
        return "\n".join(lines)


def _table(title: str, counts: Mapping[str, int]) -> list[str]:
    """The counts in columns, most frequent first."""
    entries = [
        f"{name} {count:,}"
        for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if count
    ]
    lines, line = [], ""
    for entry in entries:
        if line and len(line) + len(entry) > 84:
            lines.append(line)
            line = ""
        line += f"{', ' if line else ''}{entry}"
    lines.append(line or "none")
    return [f"{title if number == 0 else '':<12}{text}" for number, text in enumerate(lines)]
