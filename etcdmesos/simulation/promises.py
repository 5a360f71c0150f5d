"""The promises of the design, quoted, and the failure that names the one that was broken.

What checks them is in `oracles`; nothing is checked here.
"""

from __future__ import annotations

import enum

from etcdmesos.errors import EtcdMesosError

__all__ = ["Promise", "PromiseBroken"]


class Promise(enum.Enum):
    """A promise and its number in the design (B: of backups; H: of healing; L: of liveness; M: of
    Mesos' API; E: the executor's; C: the core's own)."""

    NAMES = (
        "1",
        """A member's name and data are never used by another member: a removed member never comes
        back, a new one never starts on old data.""",
    )
    ONE_CHANGE = (
        "2",
        """At most one membership change is in flight; none but the removal of an unstarted or
        stalled member starts while a member is unstarted or an outcome is unknown.""",
    )
    LEARNERS = (
        "3",
        """Members added after the bootstrap join as learners and are promoted when caught up. A
        dead voter is removed before its replacement is added. A voter is removed only if the voters
        that remain healthy are a quorum of what remains.""",
    )
    SIZE = (
        "4",
        """etcd's list never holds more than cluster-size members (one more while a living one is
        moved). Nothing is launched while the tasks believed or possibly alive and still members,
        plus the pending ones, reach cluster-size. Never two members on one agent unless
        -single-instance-per-slave=false; pending ones count.""",
    )
    PLACES = ("4", "No launch breaks a placement constraint: those are hard.")
    INTENT = (
        "5",
        """Intent before effect: no launch, kill, add, remove, promote, hold or seed without the
        record that says so being durable. Takeover is sync, read, compare-and-set the record with
        epoch + 1, SUBSCRIBE, and only then act.""",
    )
    FENCED = (
        "5",
        """Record writes are fenced by version, Mesos calls by Mesos-Stream-Id, executor messages by
        epoch. At most one already released etcd call of a deposed scheduler may arrive late, and
        it is harmless: it names an exact member id, or adds only a learner.""",
    )
    FAILED_OVER = (
        "5",
        """Any number of schedulers; one acts, the rest stand by and take over. A second scheduler
        with the same name never kicks the first one off the master.""",
    )
    LINKS = (
        "6",
        """Without the Mesos master, the ZooKeeper session or a finished reconciliation, nothing is
        changed. A reconciled UNKNOWN is accounted for; it is not dead.""",
    )
    RESEED = (
        "7",
        """Reseed only after quorum has been gone without a break: no survivor reports a leader, no
        probe commits, and Mesos or the executors confirm it by a path other than the probes. Only
        time watched by a connected holder counts. Proven safe, it goes ahead at once. Not proven,
        with -reseed-policy=timeout it goes ahead after -reseed-timeout once Mesos reports every
        other such voter UNREACHABLE, LOST or UNKNOWN on an agent that is not registered, and says
        that a second cluster may serve; otherwise it waits for the operator. Every reseed says that
        acknowledged writes may be missing, and from which revision.""",
    )
    SEED = (
        "8",
        """Reseeding touches nothing it can't put back. Hold, then seed: any sign of the old quorum
        before the seed starts releases the holds. The seed's data directory is set aside by rename,
        never changed; the seed starts from a snapshot restored under a new token, so it has a new
        cluster id and no old member can join it. --force-new-cluster is only ever run on a copy.
        Announced only when it shows exactly one member, itself, and commits a probe. A failed seed
        is confirmed stopped before the next attempt, which is a new generation.""",
    )
    BOOTSTRAP = (
        "9",
        """A cluster that has ever served is never bootstrapped empty again. Before any bootstrap
        the scheduler reads the master's state and waits until the master has no recovered agents
        outstanding.""",
    )
    WRITES = ("10", "A write that etcd acknowledged survives the loss of any minority.")
    BACKUPS = (
        "12",
        """A backup counts only when its hash was verified at the destination; an older one is
        deleted only after that. One at a time, of a voter that has all that was published; a
        failing one blocks nothing else.""",
    )
    RESTORE = (
        "B4",
        """Restored is only what is lost, from a backup that counts, when asked or allowed to, and
        once: read back, fetched, verified, seeded under a new token, generation and cluster id. An
        older one only when that is allowed. A bad file can't loop; where nothing comes of it, all
        is as it was, nothing is begun empty, and why() says what was wrong.""",
    )
    STRAYS = ("11", "A task the record does not know is adopted or killed, never ignored.")
    REPLACED = (
        "H1",
        """An unreachable or silent member is replaced only after -member-timeout, while a quorum
        holds, and never let in again. A member that merely lost quorum is never killed for it.
        Unanswered for the grace period + 5 s, a KILL becomes a SHUTDOWN of the executor.""",
    )
    HEALTHY = (
        "L1",
        "Healthy: as many voters as wanted serve, agree on a stable leader, and commit proposals.",
    )
    LIVENESS = (
        "L2",
        """Once faults stop and enough offers come, the cluster is healthy with N voters within a
        bounded number of steps.""",
    )
    WHY = ("L3", "At any moment why() gives, in one sentence, what it is waiting for.")
    OFFERS = ("M1", "An offer is used only while it stands: not rescinded, not used, not returned.")
    UPDATES = (
        "M2",
        """A status update is acknowledged after the model has taken it in and its effect is
        durable; it is kept and sent again until the agent has acknowledged it.""",
    )
    EXECUTOR = (
        "E1",
        """A terminal status goes out only after etcd has been reaped. There are never two etcds of
        one executor. RUNNING is said of a voter that knows a leader.""",
    )
    CORE = ("C", "The core raises nothing: an event that cannot be taken in is a bug.")

    def __init__(self, number: str, quote: str) -> None:
        self.number = number
        self.quote = " ".join(quote.split())

    def __str__(self) -> str:
        return f"promise {self.number}"


class PromiseBroken(EtcdMesosError):
    """A promise was broken in the simulation."""

    def __init__(self, promise: Promise, oracle: str, detail: str) -> None:
        super().__init__(f"{promise} ({oracle}): {detail}\n  the promise: {promise.quote}")
        self.promise = promise
        self.oracle = oracle
        self.detail = detail
