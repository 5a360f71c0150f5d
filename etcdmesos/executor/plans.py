"""Plans for etcd: what is to be asked of it now, worked out from the whole model."""

from __future__ import annotations

import signal

from attrs import evolve

from etcdmesos.executor.command_line import arguments, peer_urls
from etcdmesos.executor.commands import AskPeers, Prepare, ProbeMember, SignalEtcd, StartEtcd
from etcdmesos.executor.model import Draft, Process
from etcdmesos.step import Exit


def plan_preparation(draft: Draft) -> Draft:
    """Have it looked at, once, whether etcd can be started here."""
    model, spec = draft.model, draft.model.spec
    assert spec is not None
    if model.preparing:
        return draft
    return draft.having(preparing=True).asking(
        Prepare(
            data_directory=model.data_directory,
            host=spec.host,
            ports=(spec.peer_port, spec.client_port),
            room_bytes=spec.quota_bytes,
        )
    )


def plan_start(draft: Draft) -> Draft:
    """Start etcd if there is none."""
    model, etcd = draft.model, draft.model.etcd
    assert model.spec is not None
    if etcd.process is not Process.NONE:
        return draft
    run = etcd.run + 1
    return draft.with_etcd(process=Process.ASKED, run=run).asking(
        StartEtcd(run=run, arguments=arguments(model.spec, model.data_directory))
    )


def plan_probe(draft: Draft) -> Draft:
    """Ask etcd how it is, whenever that is due."""
    etcd, spec = draft.model.etcd, draft.model.spec
    assert spec is not None
    if etcd.process is not Process.ALIVE or etcd.probing:
        return draft
    if draft.now < etcd.probe_at:
        return draft.waking(etcd.probe_at)
    return draft.with_etcd(probing=True).asking(
        ProbeMember(run=etcd.run, client_url=spec.client_url)
    )


def plan_restart(draft: Draft) -> Draft:
    """Ask the peers whether we are still a member while the pause passes."""
    model, restart = draft.model, draft.model.restart
    assert model.spec is not None
    if restart.at > draft.now:
        draft = draft.waking(restart.at)  # after that, the peers' answer is waited for
    if restart.asking or restart.asked:
        return draft
    urls = peer_urls(model.spec)
    if not urls or not model.member_id:
        # Alone, or never yet a member: etcd itself will find out.
        return draft.having(restart=evolve(restart, asked=True))
    return draft.having(restart=evolve(restart, asking=True)).asking(
        AskPeers(run=model.etcd.run, peer_urls=urls)
    )


def plan_stop(draft: Draft) -> Draft:
    """SIGTERM, and SIGKILL when that has had its time."""
    model, etcd = draft.model, draft.model.etcd
    if etcd.process is not Process.ALIVE or etcd.signalling:
        return draft
    if draft.now >= model.kill_at:
        wanted = signal.SIGKILL
    else:
        wanted = signal.SIGTERM
        draft = draft.waking(model.kill_at)
    if etcd.signalled in (wanted, signal.SIGKILL):
        return draft
    return draft.with_etcd(signalling=True).asking(SignalEtcd(run=etcd.run, signal=wanted))


def leave(draft: Draft) -> Draft:
    """End the process; only a failure to find the agent at all is the executor's own."""
    model = draft.model
    if not model.link.ever:
        return draft.asking(Exit(status=1, reason=model.remark or "there was no agent"))
    ending = model.ending
    failed = ending is not None and ending.state == "TASK_FAILED"
    return draft.asking(Exit(status=0, reason=ending.message if ending and failed else ""))
