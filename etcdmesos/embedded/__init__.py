"""The embedded Mesos: a development stand-in for Apache Mesos, honest about being one.

One master and N agents in one process that speak the v1 scheduler, executor and
operator APIs (JSON over RecordIO) as Apache Mesos 1.12 does, run real executor
processes in real sandboxes, and can be broken and healed over a control API.
Production uses Apache Mesos. Nothing in here may import the rest of etcdmesos but
`etcdmesos.mesos`.

    with running(work_dir, master_port=0, agent_port=0, agents=3) as mesos:
        mesos.master     # "127.0.0.1:PORT"
        mesos.control    # "http://127.0.0.1:PORT"

What it does not do
-------------------
- protobuf bodies: only application/json is spoken (Mesos takes both);
- authentication, authorization, ACLs, TLS, user switching;
- isolation: resources are accounted for, not enforced; containers are sessions, as with
  Mesos' posix launcher; no images, volumes, networks or nested containers; LAUNCH_GROUP is
  a TASK_ERROR, DEFAULT executors never register; no checks or health checks of command
  tasks and no max_completion_time;
- reservations, quota, weights, revocable resources, oversubscription, maintenance,
  inverse offers, resource providers and operations on resources: ACCEPT performs LAUNCH
  only, ACCEPT_INVERSE_OFFERS, DECLINE_INVERSE_OFFERS, REQUEST, UPDATE_FRAMEWORK and the
  operation calls are answered 202 and do nothing;
- a replicated registry: masters that contend in ZooKeeper (`zk`, `masters`) are all of one
  process, which refuses a path where another one's are; without them a fail-over is a new
  master at the same address;
- memory across runs: started again on the same work directory it is a new cluster;
- the executor of a command task is not a process of its own: executor_pid is the
  command's, and the agent counts no overhead for it;
- the web UI, /help, and the writing half of the operator API but TEARDOWN;
- /flags and /metrics/snapshot hold a choice of what Mesos shows.
"""

from etcdmesos.embedded.mesos import EmbeddedMesos
from etcdmesos.embedded.running import running

__all__ = ["EmbeddedMesos", "running"]
