"""Planted bugs in the executor's core."""

from __future__ import annotations

from attrs import evolve

from etcdmesos.executor.actions import ACTIONS
from etcdmesos.executor.command_line import arguments
from etcdmesos.executor.commands import SendUpdate, StartEtcd
from etcdmesos.executor.guards import GUARDS
from etcdmesos.executor.model import Draft, Process
from etcdmesos.simulation.options import Cores
from etcdmesos.simulation.planted.registry import executor_with, planted
from etcdmesos.step import CommandDone


@planted("the_end_is_told_after_it")
def says_the_end_before_etcd_is_reaped() -> Cores:
    """A killed task is reported as soon as the signal is sent."""

    def etcd_gone(draft: Draft) -> bool:
        return GUARDS["etcd_gone"](draft) or draft.model.etcd.signalled != 0

    return executor_with(guards={"etcd_gone": etcd_gone})


@planted("running_means_serving")
def says_running_at_once() -> Cores:
    """TASK_RUNNING is said when etcd's process runs, as in the original."""

    def serving(draft: Draft) -> bool:
        return draft.model.etcd.process is Process.ALIVE

    return executor_with(guards={"serving": serving})


@planted("one_etcd_per_executor", "the_core_takes_everything_in")
def starts_a_second_etcd() -> Cores:
    """An etcd that does not answer is replaced, and not ended first."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_probe"](draft)
        etcd = done.model.etcd
        unwell = etcd.unwell_since is not None and draft.now - etcd.unwell_since > 2.0
        if not unwell or etcd.process is not Process.ALIVE:
            return done
        spec = done.model.spec
        assert spec is not None
        again = StartEtcd(run=etcd.run, arguments=arguments(spec, done.model.data_directory))
        return done.with_etcd(unwell_since=None).asking(again)

    return executor_with(actions={"plan_probe": plan})


@planted("data_belongs_to_one_member")
def starts_again_without_its_data() -> Cores:
    """Every start of etcd gets a fresh data directory: a member that forgets what it promised."""

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_start"](draft)
        run = done.model.etcd.run
        commands = tuple(
            evolve(c, arguments=tuple(_elsewhere(x, run) for x in c.arguments))
            if isinstance(c, StartEtcd) and run > 1
            else c
            for c in done.commands
        )
        return evolve(done, commands=commands)

    return executor_with(actions={"plan_start": plan})


def _elsewhere(argument: str, run: int) -> str:
    return f"{argument}-{run}" if argument.startswith("--data-dir=") else argument


@planted("it_ends_well")
def never_restarts() -> Cores:
    """An etcd that crashed is left lying, and its executor lives on."""
    return executor_with(guards={"restart_due": lambda _: False})


@planted("updates_reach_their_agents", "it_ends_well")
def drops_updates_without_an_agent() -> Cores:
    """Updates made while no agent is there are lost: pymesos keeps none either."""

    def note(draft: Draft) -> Draft:
        done = ACTIONS["note_disconnected"](draft)
        return done.having(updates=())

    def plan(draft: Draft) -> Draft:
        done = ACTIONS["plan_report"](draft)
        return done if done.model.link.subscribed else done.having(updates=())

    return executor_with(actions={"note_disconnected": note, "plan_report": plan})


@planted("updates_reach_their_agents", "it_ends_well")
def a_failed_update_is_not_repeated() -> Cores:
    """An update is sent once, and its failure only logged."""

    def take(draft: Draft) -> Draft:
        done = ACTIONS["take_outcome"](draft)
        event = draft.event
        command = getattr(event, "command", None)
        if not isinstance(command, SendUpdate) or isinstance(event, CommandDone):
            return done
        kept = tuple(u for u in done.model.updates if u.uuid != command.update.uuid)
        return done.having(updates=kept)

    return executor_with(actions={"take_outcome": take})


@planted("it_does_not_spin", "it_ends_well", "no_stray_survives")
def stays_after_a_kill() -> Cores:
    """After its last word the executor waits for the next task, for ever: a zombie that eats
    offers (recorded by the original)."""
    return executor_with(guards={"last_word_heard": lambda _: False})


@planted("the_deposed_order_nothing")
def takes_orders_of_an_old_epoch() -> Cores:
    """An order is an order: its epoch is noted, and not compared with the highest one seen."""

    def take(draft: Draft) -> Draft:
        seen = draft.model.record.epoch
        done = ACTIONS["take_message"](draft.with_record(epoch=0))
        return done if done.model.record.epoch else done.with_record(epoch=seen)

    return executor_with(actions={"take_message": take})
