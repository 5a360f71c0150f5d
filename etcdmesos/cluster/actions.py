"""The registry of actions that `statecharts/cluster.yaml` may name; what they do is in their
rooms."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from etcdmesos.cluster.backups import observe as backups
from etcdmesos.cluster.backups.taking import look_at_backups, plan_backups
from etcdmesos.cluster.bootstrap import plan_bootstrap
from etcdmesos.cluster.kills import plan_kills
from etcdmesos.cluster.links import keep_links
from etcdmesos.cluster.membership import plan_membership
from etcdmesos.cluster.model import Draft
from etcdmesos.cluster.observe import (
    etcd,
    executors,
    leadership,
    mesos,
    operator,
    outcomes,
    store,
    tasks,
)
from etcdmesos.cluster.offers import plan_offers
from etcdmesos.cluster.probes import plan_probes
from etcdmesos.cluster.rebuild import plan_rebuild
from etcdmesos.cluster.reseed.beginning import watch_quorum
from etcdmesos.cluster.reseed.quorum_loss import stop_watching
from etcdmesos.cluster.reseed.retention import plan_retention
from etcdmesos.cluster.reseed.stages import plan_reseed
from etcdmesos.cluster.restore import observe as restoring
from etcdmesos.cluster.restore.beginning import restore_if_lost, restore_if_new
from etcdmesos.cluster.restore.stages import plan_restore
from etcdmesos.cluster.uninstall import plan_putting_aside, plan_uninstall

ACTIONS: Mapping[str, Callable[[Draft], Draft]] = {
    action.__name__: action
    for action in (
        store.take_record,
        store.note_record_unavailable,
        store.note_save_failed,
        store.take_put_aside,
        leadership.take_leadership,
        leadership.suspend_leadership,
        leadership.lose_leadership,
        leadership.note_holder,
        mesos.take_subscription,
        mesos.note_disconnected,
        mesos.give_up_framework,
        mesos.stop,
        mesos.take_master_state,
        mesos.take_offers,
        mesos.drop_offer,
        mesos.drop_offers_of_agent,
        tasks.take_task_update,
        etcd.take_health,
        etcd.take_progress,
        etcd.take_listing,
        outcomes.take_outcome,
        operator.take_uninstall,
        operator.take_forget,
        operator.take_reseed,
        executors.take_message,
        backups.take_catalogue,
        backups.take_way_in,
        backups.take_counted,
        backups.take_backup_report,
        backups.take_backup_asked,
        restoring.take_checked,
        restoring.take_damaged,
        restoring.take_lent,
        restoring.take_restore_asked,
        look_at_backups,
        plan_backups,
        plan_putting_aside,
        plan_rebuild,
        plan_uninstall,
        keep_links,
        restore_if_new,
        restore_if_lost,
        plan_restore,
        plan_bootstrap,
        stop_watching,
        watch_quorum,
        plan_reseed,
        plan_retention,
        plan_membership,
        plan_kills,
        plan_probes,
        plan_offers,
    )
}
