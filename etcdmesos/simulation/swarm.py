"""Swarm testing: each seed draws its own world, and its own mix of the faults that exist.

A mix of everything hides what only shows when most things are quiet (Groce et al., "Swarm testing",
2012): so every seed leaves out many kinds of faults and has others often.
"""

from __future__ import annotations

from collections.abc import Collection
from random import Random
from typing import Any

from etcdmesos.cluster.settings import ReseedPolicy
from etcdmesos.simulation.faults import backups, majorities, registered, reseeds, restores
from etcdmesos.simulation.options import Options

__all__ = ["draw"]

SIZES = ((1, 1), (3, 6), (5, 2), (7, 1))
"""(cluster size, how often)."""
VERSIONS = ("3.4.23", "3.5.30")
PAUSES = (0.2, 0.5, 1.0, 4.0, 15.0, 60.0, 120.0, 240.0)
"""Some worlds are hit blow on blow, in others there is time to heal in between."""
UNHURRIED = 1 / 2
"""Of a pause.  The longer a world's story, the more seldom members are probed, agents pinged
and (twice as often) keys written, so that no seed costs much more than another."""
RARE, OFTEN = 0.2, 3.0
ELECTED = 0.7
"""How many worlds have two schedulers and an election."""
SESSION_MOST = 40.0
"""Seconds; servers accept no more of a client (20 ticks of 2 s)."""
LOSING = 0.5
"""How many worlds have faults that take the quorum away."""
AUTOMATIC, OPERATED = 0.8, 0.85
"""How many reseed by themselves, and have an operator who answers."""
LATE_ORDERS = 0.1
"""How many have orders that come after those of a later scheduler."""
OVERTAKEN = reseeds.OrderOvertaken.__name__
EVERYBODY = restores.EverybodyKilled.__name__
ZONED = 0.25
"""How many worlds have zones."""
BACKED_UP = 0.3
"""How many worlds take backups."""
RESTORED, RESTORED_FROM = 0.6, 0.15
"""In how many of these everything is lost now and then, and how many of those begin from a backup
of an earlier cluster."""


def draw(seed: int, faults: Collection[str], cluster_size: int | None = None) -> Options:
    """The world of a seed; `cluster_size` fixes that one choice and leaves the others."""
    random = Random(f"swarm {seed}")  # noqa: S311 (nothing secret)
    kinds = registered()
    apart = (majorities.__name__, reseeds.__name__)
    names = sorted(set(faults) - {OVERTAKEN})
    losing = [name for name in names if kinds[name].__module__ in apart]
    of_backups = [name for name in names if kinds[name].__module__ == backups.__name__]
    of_restores = [name for name in names if kinds[name].__module__ == restores.__name__]
    usual = [name for name in names if name not in (*losing, *of_backups, *of_restores)]
    sizes = [size for size, often in SIZES for _ in range(often)]
    size = random.choice(sizes)
    size = size if cluster_size is None else cluster_size
    single = random.random() < 0.75
    spare = random.choice((0, 1, 1, 2, 3))
    agents = size + spare if single else max(1, (size + 1) // 2) + spare
    zones, constraints = _placement(seed, size, agents) if single else (0, "")
    if constraints.startswith("half:"):
        agents = max(agents, 2 * size)  # each half has room, and a free agent is often of the wrong
    fault_pause = random.choice(PAUSES)
    unhurried = UNHURRIED * fault_pause
    backing_up, backup_faults = _backing_up(seed, of_backups)
    restoring, restore_faults = _restoring(seed, of_restores) if backing_up else ({}, {})
    return Options(
        seed=seed,
        cluster_size=size,
        agents=agents,
        single_instance=single,
        zones=zones,
        constraints=constraints,
        etcd_version=random.choice(VERSIONS),
        probe_interval=max(random.choice((1.0, 2.0, 5.0)), unhurried),
        bootstrap_limit=random.choice((10.0, 60.0, 180.0)),
        elected=_elected(seed),
        session_timeout=_session_timeout(seed, unhurried),
        ping_timeout=max(random.choice((1.0, 1.0, 15.0)), min(unhurried, 15.0)),
        faults={
            **_mix(random, usual),
            **_losing_quorum(seed, losing),
            **(_overtaken(seed) if OVERTAKEN in faults else {}),
            **backup_faults,
            **restore_faults,
        },
        faults_wanted=random.randint(5, 12),
        fault_pause=fault_pause,
        fault_seconds=random.choice((1.0, 4.0, 15.0, 60.0)),
        early=random.random() < 0.5,
        write_pause=max(random.choice((1.0, 3.0, 10.0)), unhurried / 2),
        neighbour=random.random() < 0.04,
        **_reseeding(seed),
        **backing_up,
        **restoring,
    )


def _reseeding(seed: int) -> dict[str, Any]:
    """What operators say of reseeding; drawn apart, so that the rest stays what it was."""
    random = Random(f"reseeding {seed}")  # noqa: S311 (nothing secret)
    policies = (ReseedPolicy.TIMEOUT, ReseedPolicy.TIMEOUT, ReseedPolicy.PROVEN)
    return {
        "auto_reseed": random.random() < AUTOMATIC,
        "reseed_timeout": random.choice((10.0, 40.0, 240.0)),
        "reseed_policy": random.choice(policies),
        "operator": random.random() < OPERATED,
    }


def _losing_quorum(seed: int, names: list[str]) -> dict[str, float]:
    """In about half of all worlds, some of the faults that take a quorum away."""
    random = Random(f"quorum {seed}")  # noqa: S311 (nothing secret)
    if random.random() >= LOSING:
        return {}
    share, often = random.choice((0.15, 0.4, 0.8)), random.choice((1.0, OFTEN, OFTEN**2))
    return {name: often for name in names if random.random() < share}


def _overtaken(seed: int) -> dict[str, float]:
    """In few worlds orders of a later scheduler overtake others, and there often.  Drawn apart, so
    that the rest of a world stays what it was."""
    often = Random(f"overtaken {seed}").random() < LATE_ORDERS  # noqa: S311 (nothing secret)
    return {OVERTAKEN: OFTEN**2} if often else {}


def _backing_up(seed: int, names: list[str]) -> tuple[dict[str, Any], dict[str, float]]:
    """In some worlds backups are taken, and what breaks with them exists; the others stay what they
    were."""
    random = Random(f"backups taken {seed}")  # noqa: S311 (nothing secret)
    if random.random() >= BACKED_UP:
        return {}, {}
    options = {
        "backup_interval": random.choice((60.0, 300.0, 1800.0)),
        "backup_keep": random.choice((1, 2, 3, 48)),
        "backup_partial": random.random() < 0.5,
        "backups_lost": random.random() < 0.2,
    }
    share, often = random.choice((0.3, 0.6)), random.choice((OFTEN, OFTEN**2))
    return options, {name: often for name in names if random.random() < share}


def _restoring(seed: int, names: list[str]) -> tuple[dict[str, Any], dict[str, float]]:
    """In some of the worlds with backups all members die, and what meets a restore happens; the
    others stay what they were."""
    random = Random(f"restoring {seed}")  # noqa: S311 (nothing secret)
    if random.random() >= RESTORED:
        return {}, {}
    options = {
        "restore_from": random.random() < RESTORED_FROM,
        "restore_automatic": random.random() < 0.5,
        "restore_older": random.random() < 0.5,
        "restore_answered": random.random() < 0.7,
    }
    share = random.choice((0.3, 0.6))
    mix = {name: OFTEN for name in names if random.random() < share}
    lost = {name: OFTEN**2 for name in names if name == EVERYBODY}
    return options, {**mix, **lost}


def _elected(seed: int) -> bool:
    return Random(f"election {seed}").random() < ELECTED  # noqa: S311 (nothing secret)


def _session_timeout(seed: int, unhurried: float) -> float:
    random = Random(f"session {seed}")  # noqa: S311 (nothing secret)
    return min(SESSION_MOST, max(random.choice((4.0, 10.0, 20.0)), 2 * unhurried))


def _placement(seed: int, size: int, agents: int) -> tuple[int, str]:
    """In some worlds, zones and constraints that leave every missing member a place, wherever the
    others are; those on the half of the agents, if there are twice as many as members.  Drawn
    apart, so that the rest of a seed's world stays what it was."""
    random = Random(f"placement {seed}")  # noqa: S311 (nothing secret)
    if random.random() >= ZONED:
        return 0, ""
    zones = random.choice((2, 3))
    share = -(-size // zones)
    choices = ["", "hostname:UNIQUE", "@region:CLUSTER,hostname:LIKE:agent-.*"]
    if agents // zones >= share:
        choices += [f"@zone:MAX_PER:{share}", "@zone:GROUP_BY"]
        choices += [f"@zone:GROUP_BY:{zones}"] if size >= zones else ["@zone:UNIQUE"]
    choices += ["half:LIKE:a", "half:UNLIKE:b"]
    return zones, random.choice(choices)


def _mix(random: Random, names: list[str]) -> dict[str, float]:
    """About half of all faults, each rare, usual or frequent."""
    share = random.choice((0.25, 0.5, 0.8))
    mix = {name: random.choice((RARE, 1.0, OFTEN)) for name in names if random.random() < share}
    return mix or {random.choice(names): 1.0}
