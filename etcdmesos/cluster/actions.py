"""The registry of actions that `statecharts/cluster.yaml` may name; what they do is in their rooms."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from etcdmesos.cluster import observe
from etcdmesos.cluster.bootstrap import plan_bootstrap
from etcdmesos.cluster.health import plan_probes
from etcdmesos.cluster.kills import plan_kills
from etcdmesos.cluster.links import keep_links
from etcdmesos.cluster.model import Draft
from etcdmesos.cluster.offers import plan_offers

ACTIONS: Mapping[str, Callable[[Draft], Draft]] = {
    action.__name__: action
    for action in (
        observe.take_record,
        observe.note_record_unavailable,
        observe.note_save_failed,
        observe.take_subscription,
        observe.note_disconnected,
        observe.give_up_framework,
        observe.stop,
        observe.take_master_state,
        observe.take_offers,
        observe.drop_offer,
        observe.drop_offers_of_agent,
        observe.take_task_update,
        observe.take_health,
        observe.take_progress,
        observe.take_outcome,
        keep_links,
        plan_bootstrap,
        plan_kills,
        plan_probes,
        plan_offers,
    )
}
