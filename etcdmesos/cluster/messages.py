"""An order on its way to a member's executor."""

from __future__ import annotations

from etcdmesos import orders
from etcdmesos.cluster.commands import SendMessage
from etcdmesos.cluster.record import Member


def message(member: Member, order: orders.Order) -> SendMessage:
    """The command that sends `order` to the executor of the member's last task."""
    task = member.tasks[-1]
    return SendMessage(
        executor_id=task.executor_id, agent_id=task.agent_id, data=orders.encode(order)
    )
