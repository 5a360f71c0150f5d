"""The stage of `scripts/*.txt`: each directive is something the outside does, in one line.

The controller's answer is written down in the short form of `short.py`.  What recurs by itself
(timers, probes and their answers) is played along silently, and shown only where it leads to more
than another probe.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import evolve

from etcdmesos.cluster import commands as c
from etcdmesos.cluster import events as e
from etcdmesos.cluster.constraints import parse
from etcdmesos.cluster.findings import findings
from etcdmesos.cluster.health import assess
from etcdmesos.cluster.model import Model
from etcdmesos.cluster.record import Record
from etcdmesos.cluster.report import health as healthz
from etcdmesos.cluster.report import stats
from etcdmesos.cluster.reseed.dry_run import dry_run
from etcdmesos.cluster.settings import Errand, Settings
from etcdmesos.cluster.why import why
from etcdmesos.draft import event_name
from etcdmesos.member_spec import MemberSpec
from etcdmesos.mesos.statuses import TaskState
from etcdmesos.orders import Report, SavedSnapshot, Standing, encode
from etcdmesos.step import Command, Event
from tests.cluster import make, short
from tests.cluster.stage_backups import BackupDirectives, backup_settings
from tests.cluster.stage_etcd import RECURRING, Etcd
from tests.cluster.stage_restores import RestoreDirectives, restore_settings

OF_THE_MASTER = {"unreachable", "unknown", "dropped", "error", "lost", "gone", "gone_by_operator"}
"""States that the master reports in its own words: nothing to acknowledge."""


class Stage(BackupDirectives, RestoreDirectives):
    """One script being played."""

    def __init__(self) -> None:
        self.now = 0.0
        self.wake_at: float | None = None
        self.settings: Settings = make.settings()
        self.model: Model | None = None
        self.stored: Record | None = None
        self.store = "ok"
        self.etcd: Etcd | None = None
        self.asked: list[Command] = []
        self.probes: list[Command] = []
        self.lines: list[str] = []
        self.muted = False
        self.ended = False
        self.count: Counter[str] = Counter()

    def play(self, block: str) -> str:
        """What the directives of `block` lead to."""
        self.lines = []
        for line in block.splitlines():
            word, *arguments = shlex.split(line.replace("\\n", "\n"))
            if word in _STATES:
                self._update(word, arguments)
            else:
                direct: Callable[..., None] = getattr(self, "do_" + word.replace("-", "_"))
                direct(*arguments)
        if self.model is not None and not self.muted:
            self.say(f"why: {why(self.model, self.now)}")
        return "\n".join(self.lines)

    def say(self, line: str) -> None:
        if not self.muted:
            self.lines.append(line)

    # One event

    def feed(self, event: Event, said: str = "", quiet: bool = False) -> None:
        """Let `event` happen, and what it leads to at the same moment."""
        assert self.model is not None, "the script must start first"
        if self.ended:
            return
        before = self.model
        step = make.CONTROLLER.step(before, event, self.now)
        assert step.wake_at is None or step.wake_at > self.now, "would wake at once, for ever"
        self.model, self.wake_at = step.model, step.wake_at
        fails = step.save is not None and self.store != "ok"
        shown = [short.command(x) for x in step.commands if not isinstance(x, RECURRING)]
        if step.save is not None:
            if self.store in ("ok", "unknown-written"):
                self.stored = step.save
            shown.insert(0, short.record(step.save) + (f" -> {self.store}" if fails else ""))
        moved = step.model.phase != before.phase
        if shown or moved or not quiet:
            at = f" at {self.now:g} s" if quiet else ""
            phase = f": {before.phase} -> {step.model.phase}" if moved else ""
            self.say(f"{event_name(type(event))}{said and ' ' + said}{at}{phase}")
            for line in shown:
                self.say(f"  {line}")
        if fails:
            self._save_failed(step.commands)
            return
        self.asked += step.commands
        self.ended = any(isinstance(command, c.Exit) for command in step.commands)
        self.probes += [x for x in step.commands if isinstance(x, RECURRING)]
        self._answer_probes()

    def _answer_probes(self) -> None:
        while self.etcd is not None and self.probes:
            probe = self.probes.pop(0)
            self.feed(self.etcd.answer(probe), getattr(probe, "member", ""), quiet=True)

    def _save_failed(self, dropped: tuple[Command, ...]) -> None:
        """As the runtime does: the failure first, then every command that was not released."""
        self.feed(e.SaveFailed(reason=self.store, conflict=self.store == "conflict"))
        for command in dropped:
            failed = e.CommandFailed(command=command, reason="the record was not saved")
            self.feed(failed, type(command).__name__, quiet=True)

    # Scenery

    def do_start(self, *options: str) -> None:
        """A new scheduler process; `start size=3 cpus=2` with other settings than before, and
        `bumps=no` with a tool that raises no revisions."""
        if options:
            texts = _options(options)
            size = int(texts.pop("size", "3"))
            constraints = parse(texts.pop("constraints", ""))
            errand = Errand(texts.pop("errand", "run"))
            backups, restore = backup_settings(texts), restore_settings(texts)
            bumps = texts.pop("bumps", "yes") == "yes"
            others = {k: json.loads(v) for k, v in texts.items()}
            self.settings = make.settings(
                size,
                constraints=constraints,
                errand=errand,
                backups=backups,
                restore=restore,
                artifacts=make.artifacts(bumps=bumps),
                **others,
            )
        self.model, self.ended = make.CONTROLLER.start(self.settings), False
        self.feed(e.TimerFired())

    def do_given(self, what: str, *options: str) -> None:
        """Shortcut, unseen: connected, launched, started, or healthy; `given healthy size=5`."""
        self.muted = True
        self.do_start(*options)
        size = self.settings.cluster_size
        names = [f"etcd-{n}" for n in range(1, size + 1)]
        for line in ("record none", "subscribed fw-1", "state"):
            self.play(line)
        if what != "connected":
            self.play("offers " + " ".join("abcdefg"[:size]))
        if what in ("started", "healthy"):
            self.play("starting " + " ".join(names))
        if what == "healthy":
            self.play("running " + " ".join(names))
            self.play("etcd " + " ".join(names))
            self.play("tick 1")
        self.muted = False
        assert self.model is not None
        version = f"{self.model.record.epoch}.{self.model.record.sequence}"
        self.say(f"{self.model.phase} at {self.now:g} s with record {version}")

    def do_store(self, mode: str) -> None:
        """How saves end from here on: ok, conflict, unavailable, unknown-written, unknown-lost."""
        self.store = mode

    def do_etcd(self, *arguments: str) -> None:
        """Which members answer probes from here on, and how; `etcd etcd-1 etcd-2 leader=etcd-2`."""
        up = tuple(word for word in arguments if "=" not in word)
        if self.etcd is None:
            assert self.model is not None
            self.etcd = Etcd.of_gang(self.model.record)
        self.etcd.become(up, _options(a for a in arguments if "=" in a))
        self._answer_probes()

    def do_tick(self, seconds: str) -> None:
        """Let time pass; timers fire when they are due."""
        end = self.now + float(seconds)
        while self.wake_at is not None and self.wake_at <= end:
            self.now = self.wake_at
            self.feed(e.TimerFired(), quiet=True)
        self.now = end

    def do_asleep(self, seconds: str) -> None:
        """The process is stopped for so long; then what is overdue happens."""
        self.now += float(seconds)
        self.feed(e.TimerFired(), quiet=True)

    # What the outside says

    def do_record(self, what: str, *reason: str) -> None:
        """The record is read: none, stored, or unavailable, unreadable or too-new with a reason."""
        if what in ("unavailable", "unreadable", "too-new"):
            text, too_new = " ".join(reason), what == "too-new"
            unreadable = too_new or what == "unreadable"
            self.feed(e.RecordUnavailable(reason=text, unreadable=unreadable, too_new=too_new))
        else:
            self.feed(e.RecordLoaded(record=self.stored if what == "stored" else None), what)

    def do_put_aside(self, name: str) -> None:
        """What was stored is kept under `name`."""
        self.stored = None
        self.feed(e.RecordPutAside(name=name), name)

    def do_wiped(self) -> None:
        """Somebody removed the stored record."""
        self.stored = None

    def do_somebody_else_wrote(self, epoch: str) -> None:
        """Another scheduler took over the stored record."""
        assert self.stored is not None
        self.stored = evolve(self.stored, epoch=int(epoch), sequence=1)

    def do_leadership(self, what: str, *reason: str) -> None:
        """The election speaks: gained, or suspended or lost with a reason."""
        text = " ".join(reason)
        event = {
            "gained": e.LeadershipGained(),
            "suspended": e.LeadershipSuspended(reason=text),
            "lost": e.LeadershipLost(reason=text),
        }[what]
        self.feed(event)

    def do_leader_seen(self, holder: str = "") -> None:
        self.feed(e.LeaderSeen(holder=holder), holder)

    def do_subscribed(self, framework: str, *options: str) -> None:
        """The master took the subscription, and the record is read; `unread`: it is not.

        Who asked for the master's state before has seen that it is alone.
        """
        assert self.model is not None
        if self.model.mesos.reading_state and not self.model.store.rebuilding:
            self.feed(
                e.MasterStateRead(state=make.master_state(), subscription=self.model.mesos.number),
                quiet=True,
            )
        self.feed(e.Subscribed(framework_id=framework, master="m:5050"), framework)
        if "unread" not in options and not self.ended:
            self.feed(e.RecordLoaded(record=self.stored), "stored", quiet=True)

    def do_disconnected(self, *reason: str) -> None:
        self.feed(e.Disconnected(reason=" ".join(reason)))

    def do_framework_refused(self, *message: str) -> None:
        self.feed(e.FrameworkRefused(message=" ".join(message)))

    def do_stop(self) -> None:
        self.feed(e.StopAsked())

    def do_operator(self, what: str, cluster: str = "c") -> None:
        """Asked over the admin interface: `operator uninstall`, `operator forget other`."""
        kind = {"uninstall": e.UninstallAsked, "forget": e.ForgetAsked}[what]
        self.feed(kind(number=1, cluster=cluster), cluster)

    def do_reseed(self, member: str = "") -> None:
        """Asked over the admin interface."""
        self.feed(e.ReseedAsked(number=1, member=member), member)

    def do_dry_run(self, member: str = "") -> None:
        assert self.model is not None
        for line in dry_run(self.model, self.now, member)["lines"]:
            self.say(f"dry run: {line}")

    def do_report(self, task: str, standing: str, *options: str) -> None:
        """An executor answers the attempt under way: `report etcd-1 held commit=10 snapshot=9`
        (its applied index), `failed=seed reason=...`, `epoch=7`, `generation=1`,
        `kept=aside/etcd-1-2,reseed/2/snapshot.db`."""
        assert self.model is not None
        record = self.model.record
        texts: dict[str, Any] = dict(_options(options))
        under_way = record.reseed or record.restore
        attempt = under_way.generation if under_way else record.generation
        applied = texts.pop("snapshot", "")
        kept = tuple(path for path in texts.pop("kept", "").split(",") if path)
        snapshot = SavedSnapshot(
            sha256=f"{task}@{applied}",
            size=1,
            revision=int(applied or 0) + 90,
            applied_index=int(applied or 0),
            path="reseed/snapshot.db",
        )
        report = Report(
            task_id=_task_id(task),
            epoch=int(texts.pop("epoch", record.epoch)),
            generation=int(texts.pop("generation", attempt)),
            standing=Standing(standing),
            commit_index=int(texts.pop("commit", "0")),
            snapshot=snapshot if applied else None,
            kept=kept,
            **texts,
        )
        agent = self._agent_of(report.task_id)
        said = e.ExecutorSaid(agent_id=agent, executor_id=report.task_id, data=encode(report))
        self.feed(said, f"{task} {standing}")

    def do_seeded(self, name: str) -> None:
        """etcd of this member serves as a new cluster, of itself alone."""
        assert self.etcd is not None
        self.etcd.reseed(name)

    def do_stats(self, *names: str) -> None:
        """These fields of /stats."""
        assert self.model is not None
        shown = stats(self.model, self.now)
        for name in names:
            self.say(f"{name}: {json.dumps(shown[name])}")

    def do_state(self, *options: str) -> None:
        """The master's state: `state outstanding=2 fw-0=task-1,task-2` (with a dash before those
        that ended: `fw-1=-etcd-2-1`); `state asked=1`, as asked for under the first
        subscription."""
        assert self.model is not None
        texts = _options(options)
        asked = int(texts.pop("asked", self.model.mesos.number))
        outstanding = int(texts.pop("outstanding", "0"))
        others = {framework: tuple(tasks.split(",")) for framework, tasks in texts.items()}
        launches = [x for x in self.asked if isinstance(x, c.Launch)]
        labels = {task.id: dict(task.labels) for launch in launches for task in launch.tasks}
        state = make.master_state(outstanding, others, labels)
        self.feed(e.MasterStateRead(state=state, subscription=asked))

    def do_offers(self, *agents: str) -> None:
        """One offer from each agent: `offers a b:cpus=0.5 c:ports=31000-31000+31005-31005`,
        `offers a:zone=z1:rack=r1` (region, zone, and an attribute)."""
        offers = []
        for text in agents:
            agent, *amounts = text.split(":")
            self.count[agent] += 1
            offers.append(
                make.offer(f"{agent}-{self.count[agent]}", agent, **_amounts(_options(amounts)))
            )
        event = e.OffersReceived(offers=tuple(offers))
        self.feed(event, " ".join(offer.id for offer in offers))

    def do_rescind(self, offer_id: str) -> None:
        self.feed(e.OfferRescinded(offer_id=offer_id), offer_id)

    def do_agent_lost(self, agent: str) -> None:
        self.feed(e.AgentLost(agent_id=agent), agent)

    def do_executor_lost(self, task: str) -> None:
        event = e.ExecutorLost(agent_id="a", executor_id=_task_id(task), wait_status=9)
        self.feed(event, task)

    def do_outcome(self, how: str, *words: str) -> None:
        """The last command whose short form has all of `words` ends: done, failed, or unknown, of
        which a change of etcd's list may be unknown-applied; `reason=...` is what etcd says."""
        reasons = _options(w for w in words if "=" in w)
        words = tuple(w for w in words if "=" not in w)
        command = next(x for x in reversed(self.asked) if all(w in short.command(x) for w in words))
        outcome: Event
        if how == "done" and isinstance(command, c.DeleteRecord):
            self.stored = None
        if how in ("done", "unknown-applied") and self.etcd is not None:
            self.etcd.apply(command)
        if how == "done":
            outcome = e.CommandDone(command=command)
        elif how == "failed":
            outcome = e.CommandFailed(command=command, reason=reasons.get("reason", "refused"))
        else:
            outcome = e.CommandUnknown(command=command, reason="the answer was lost")
        self.feed(outcome, short.command(command))

    def do_applied_late(self, *words: str) -> None:
        """A change of etcd's list that nobody waits for any more is carried out after all."""
        assert self.etcd is not None
        self.etcd.apply(
            next(x for x in reversed(self.asked) if all(w in short.command(x) for w in words))
        )

    def do_by_hand(self, what: str, member: str, *options: str) -> None:
        """Somebody changes etcd's list: `by-hand remove etcd-2`, `by-hand add x started`."""
        assert self.etcd is not None
        entry = make.listed(
            make.member(99, "y"), id=f"id-{member}", name=member if "started" in options else ""
        )
        if what == "add":
            entry = evolve(entry, learner="learner" in options)
            self.etcd.members = (*self.etcd.members, entry)
        else:
            gone = make.member_id(member)
            self.etcd.members = tuple(x for x in self.etcd.members if x.id != gone)

    def do_list(self) -> None:
        """What etcd lists."""
        assert self.etcd is not None
        for entry in self.etcd.members:
            role = "learner" if entry.learner else "voter"
            self.say(f"listed: {entry.id} {role} {entry.name or 'unstarted'}")

    def do_probed(self, member: str, *options: str) -> None:
        """An answer to a probe that nobody waits for any more: `probed etcd-1 leader=none`."""
        answer = Etcd((member,), _options(options)).answer(
            c.ProbeMember(member=member, client_url="")
        )
        self.feed(answer, member)

    def _update(self, state: str, arguments: list[str]) -> None:
        """`running etcd-1 etcd-2`, `failed etcd-1 message="..."`, `running etcd-1 reconciled`."""
        options = _options(a for a in arguments if "=" in a)
        reconciled = "reconciled" in arguments
        for word in arguments:
            if "=" in word or word == "reconciled":
                continue
            self.count["uuid"] += 1
            silent = reconciled or state in OF_THE_MASTER
            status = make.status(
                _task_id(word),
                TaskState[state.upper()],
                options.get("agent", self._agent_of(_task_id(word))),
                uuid="" if silent else f"u{self.count['uuid']}",
                message=options.get("message", ""),
                healthy={"true": True, "false": False}.get(options.get("healthy", "")),
                data=_data(sandbox=options["sandbox"]) if "sandbox" in options else "",
            )
            self.feed(e.TaskUpdated(status=status), f"{status.task_id} {state}")

    def _agent_of(self, task_id: str) -> str:
        assert self.model is not None
        owner = self.model.record.owner(task_id)
        return "z" if owner is None else owner.agent_id

    # What people look at

    def do_members(self) -> None:
        assert self.model is not None
        for member in self.model.record.members:
            self.say(f"{short.member(member)} {member.role.value} id {member.id or 'unknown'}")

    def do_specs(self) -> None:
        """What the members last launched are told of the cluster."""
        launches = [x for x in self.asked if isinstance(x, c.Launch)]
        for task in (task for launch in launches for task in launch.tasks):
            spec = MemberSpec.from_json(task.data)
            self.say(f"{spec.name}: {spec.token} {spec.initial_cluster_state}")
            self.say(f"  {spec.initial_cluster}")

    def do_findings(self) -> None:
        assert self.model is not None
        for finding in findings(self.model, assess(self.model, self.now), self.now):
            self.say(f"finding {finding.kind.value}: {finding.text}")

    def do_healthz(self) -> None:
        assert self.model is not None
        good, line = healthz(self.model, self.now)
        self.say(f"healthz {200 if good else 500} {line}")


_STATES = {state.name.lower() for state in TaskState}


def _options(words: Iterable[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for word in words)


def _amounts(options: Mapping[str, str]) -> dict[str, Any]:
    scalars = ("cpus", "mem", "disk")
    amounts: dict[str, Any] = {k: float(v) for k, v in options.items() if k in scalars}
    amounts |= {k: v for k, v in options.items() if k in ("region", "zone")}
    named = (*scalars, *amounts, "ports")
    amounts["attributes"] = {k: v for k, v in options.items() if k not in named}
    if "ports" in options:
        pairs = [text.split("-") for text in options["ports"].split("+") if text]
        amounts["ports"] = tuple((int(begin), int(end)) for begin, end in pairs)
    return amounts


def _task_id(word: str) -> str:
    """`etcd-2` is short for its first task."""
    return f"{word}-1" if re.fullmatch(r"etcd-\d+", word) else word


def _data(**texts: str) -> str:
    return base64.b64encode(json.dumps(texts).encode()).decode()
