"""The registry of actions that `statecharts/executor.yaml` may name; what they do is in their
rooms."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from etcdmesos.executor import (
    answers,
    backing_up,
    endings,
    holding,
    measuring,
    obeying,
    observe,
    outcomes,
    plans,
    reports,
    retention,
    seeding,
)
from etcdmesos.executor.links import keep_subscribed
from etcdmesos.executor.model import Draft

ACTIONS: Mapping[str, Callable[[Draft], Draft]] = {
    action.__name__: action
    for action in (
        observe.take_subscription,
        observe.note_disconnected,
        observe.take_acknowledgement,
        observe.take_task,
        obeying.take_message,
        observe.take_preparation,
        observe.note_started,
        observe.note_exit,
        observe.note_serving,
        observe.schedule_restart,
        observe.take_health,
        observe.take_peers,
        outcomes.take_outcome,
        outcomes.save_failed,
        endings.refuse_task,
        endings.refuse_second_task,
        endings.fail_preparation,
        endings.fail_unsaved,
        endings.fail_removed,
        endings.fail_data_gone,
        endings.fail_crashes,
        endings.stop_for_kill,
        endings.stop_for_shutdown,
        endings.stop_without_agent,
        endings.hasten_kill,
        endings.hasten_shutdown,
        endings.unknown_kill,
        endings.add_how_it_ended,
        holding.begin_holding,
        holding.take_log,
        holding.let_run,
        measuring.take_saved,
        seeding.take_seed,
        seeding.note_restored,
        seeding.fail_seed,
        keep_subscribed,
        plans.plan_preparation,
        plans.plan_start,
        plans.plan_probe,
        plans.plan_restart,
        plans.plan_stop,
        plans.leave,
        holding.plan_hold,
        holding.plan_cancel,
        measuring.plan_snapshot,
        measuring.plan_copy,
        seeding.plan_restore,
        retention.plan_removal,
        answers.plan_answer,
        backing_up.take_backup_progress,
        backing_up.take_backup_sent,
        backing_up.plan_backup,
        backing_up.plan_backup_report,
        reports.plan_report,
        reports.plan_last_word,
        reports.plan_sending,
    )
}
