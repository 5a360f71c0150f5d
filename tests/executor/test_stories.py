"""What the executor does, told as stories against the legal world; each states its rule."""

from __future__ import annotations

import json
import signal

import pytest
from attrs import evolve

from etcdmesos.executor import events as ev
from etcdmesos.executor.commands import (
    AskPeers,
    Prepare,
    ProbeMember,
    SendUpdate,
    SignalEtcd,
    StartEtcd,
    Subscribe,
)
from etcdmesos.executor.crashes import REMOVED
from etcdmesos.executor.model import ExecutorRecord
from etcdmesos.executor.settings import PROBE_INTERVAL, RESTARTS_MAX
from tests.executor.world import (
    CLUSTER_ID,
    MEMBER_ID,
    SETTINGS,
    SPEC,
    TASK,
    World,
    health,
    launched,
    peers_listing,
)

KILL = ev.KillAsked(task_id=TASK, grace_seconds=None)


def last(world: World) -> tuple[str, str]:
    update = list(world.at_agent.values())[-1]
    return update.state, update.message


# From LAUNCH to serving


def test_from_launch_to_serving() -> None:
    """STARTING is said with the start, RUNNING once Status says voter with a leader."""
    world = World()
    world.health = health(leader="")
    world.boot()
    world.feed(launched())
    assert world.saved == [ExecutorRecord(epoch=3, task_id=TASK)]
    world.end(world.of(Prepare)[0])
    assert {type(command) for command in world.pending} == {StartEtcd, SendUpdate}
    world.settle()
    world.pass_time(0.2)
    world.settle()
    assert world.told == [("TASK_STARTING", None)]
    world.health = health()
    world.pass_time(0.2)
    world.settle()
    assert world.told == [("TASK_STARTING", None), ("TASK_RUNNING", True)]
    data = json.loads(list(world.at_agent.values())[-1].data)
    assert data == {
        "member_id": MEMBER_ID,
        "cluster_id": CLUSTER_ID,
        "etcd_version": "3.5.30",
        "sandbox": "/sandbox",
        "pid": "101",
    }


def test_a_learner_stays_starting() -> None:
    """A learner knows a leader, and is no voter."""
    world = World()
    world.health = health(learner=True)
    world.serve()
    for _ in range(50):
        world.pass_time(1.0)
        world.settle()
    assert world.model.phase == "starting"
    assert world.told == [("TASK_STARTING", None)]


@pytest.mark.parametrize(
    ("age", "pace"), [(0.0, 0.05), (4.0, 0.05), (10.0, 0.25), (40.0, 1.0), (70.0, 5.0)]
)
def test_a_starting_member_is_probed_quickly_at_first(age: float, pace: float) -> None:
    """Others wait for RUNNING, so the first seconds are watched closely; after a minute, seconds
    count less."""
    world = World()
    world.health = health(leader="")
    world.serve()
    while world.now < 1000.0 + age:
        world.pass_time(0.05)
        world.settle()
    world.pass_time(max(2.0, pace))
    probe = world.of(ProbeMember)[0]
    asked_at = world.now
    world.end(probe)
    assert world.wake_at == pytest.approx(asked_at + pace) or age < 5 <= asked_at - 1000.0


def test_a_bad_description_fails_the_task_and_ends_the_executor() -> None:
    """What cannot be understood is not guessed."""
    world = World()
    world.boot()
    world.feed(ev.TaskLaunched(task_id=TASK, data=b'{"name": 1}', task_info="{}"))
    world.settle()
    state, message = last(world)
    assert state == "TASK_FAILED"
    assert "no member description" in message
    assert world.exit is not None
    assert world.exit.status == 0


def test_an_older_epoch_is_refused() -> None:
    """A scheduler that was replaced launches nothing where its successor was heard of."""
    world = World(record=ExecutorRecord(epoch=4))
    world.boot()
    world.feed(launched())
    world.settle()
    assert last(world)[0] == "TASK_FAILED"
    assert "epoch 3, but 4" in last(world)[1]


def test_a_second_task_fails_and_the_first_goes_on() -> None:
    """One executor runs one member; that one must not suffer for another's mistake."""
    world = World()
    world.serve()
    world.feed(launched(task_id="another"))
    world.settle()
    refused = list(world.at_agent.values())[-1]
    assert (refused.task_id, refused.state) == ("another", "TASK_FAILED")
    assert world.model.phase == "running"
    assert world.etcd_run == 1


def test_what_is_in_the_way_fails_the_task() -> None:
    """Nothing was started, and the reason is told."""
    world = World()
    world.boot()
    world.feed(launched())
    world.fail(world.of(Prepare)[0], "cannot listen on 127.0.0.11:31000: Address already in use")
    world.settle()
    assert last(world)[0] == "TASK_FAILED"
    assert "Address already in use" in last(world)[1]


def test_no_etcd_without_a_durable_epoch() -> None:
    """A sandbox that cannot be written to fails the task before etcd is started."""
    world = World()
    world.boot()
    world.feed(launched())
    dropped = world.of(Prepare)[0]
    world.feed(ev.SaveFailed(reason="disk full", conflict=False))
    world.fail(dropped)
    world.settle()
    assert last(world)[0] == "TASK_FAILED"
    assert world.model.etcd.run == 0


# Crashes


def test_a_crashed_etcd_is_started_again_with_growing_pauses() -> None:
    """1, 2, 4, 8, 16 s; then it is given up, and every arrow in between was told."""
    world = World()
    world.serve()
    for crash in range(RESTARTS_MAX):
        world.etcd_exits(1)
        world.settle()
        world.pass_time(2**crash - 0.1)
        world.settle()
        assert len(world.started) == crash + 1, "started before the pause was over"
        world.pass_time(0.2)
        world.settle()
        assert len(world.started) == crash + 2
        assert world.model.phase == "running"
    world.etcd_exits(1)
    world.settle()
    assert last(world)[0] == "TASK_FAILED"
    assert "exited with status 1; given up after 5 restarts" in last(world)[1]
    flaps = [("TASK_RUNNING", False), ("TASK_RUNNING", True)] * RESTARTS_MAX
    assert world.told == [
        ("TASK_STARTING", None),
        ("TASK_RUNNING", True),
        *flaps,
        ("TASK_FAILED", None),
    ]


def test_crashes_are_forgotten_after_serving_well() -> None:
    """A crash a minute is bad luck, not a hopeless member."""
    world = World()
    world.serve()
    for _ in range(3 * RESTARTS_MAX):
        world.etcd_exits(1)
        world.settle()
        world.pass_time(1.1)
        for _ in range(70):
            world.settle()
            world.pass_time(1.0)
    world.settle()
    assert world.model.phase == "running"


@pytest.mark.parametrize("wait_status", [0, 1])
def test_a_removed_member_is_never_started_again(wait_status: int) -> None:
    """etcd says so in its last words, with whatever exit status."""
    world = World()
    world.serve()
    log = f'{{"level":"warn","msg":"server error","error":"{REMOVED}"}}\n'
    world.etcd_exits(wait_status, log)
    world.settle()
    assert last(world) == ("TASK_FAILED", "the member was removed from its cluster")
    assert world.model.etcd.run == 1


def test_peers_that_do_not_list_it_any_more_keep_it_down() -> None:
    """A member removed while it was down is not started to find that out."""
    world = World()
    world.serve()
    world.answers = (peers_listing("00000000000000a2"),)
    world.etcd_exits(-9)
    world.removed = True
    world.settle()
    assert last(world) == ("TASK_FAILED", "the member was removed from its cluster")


@pytest.mark.parametrize(
    "answers",
    [
        (),
        (peers_listing("00000000000000a2"), peers_listing(MEMBER_ID)),
        (peers_listing("00000000000000a2", cluster_id="00000000000000c9"),),
    ],
    ids=["none answers", "one lists it", "another cluster answers"],
)
def test_peers_that_do_not_agree_on_its_removal_do_not_keep_it_down(
    answers: tuple[ev.PeerAnswer, ...],
) -> None:
    """Only if all peers that answered lack it, it was removed."""
    world = World()
    world.serve()
    world.answers = answers
    world.etcd_exits(-9)
    world.settle()
    world.pass_time(1.1)
    world.settle()
    assert world.model.phase == "running"


def test_an_answer_of_peers_is_waited_for() -> None:
    """The pause alone does not start it again."""
    world = World()
    world.serve()
    world.etcd_exits(-9)
    world.pass_time(30.0)
    assert world.of(StartEtcd) == []
    world.end(world.of(AskPeers)[0])
    assert len(world.of(StartEtcd)) == 1


def test_a_late_answer_of_an_earlier_etcd_says_nothing_about_this_one() -> None:
    """It is told apart by its run."""
    world = World()
    world.serve()
    world.health = health(leader="")
    world.etcd_exits(-9)
    world.settle()
    world.pass_time(1.1)
    world.settle()
    world.feed(ev.MemberProbed(run=1, health=health()))
    assert world.model.phase == "starting"


def test_a_start_that_fails_counts_as_a_crash() -> None:
    """A binary that went away is tried again, and given up in the end."""
    world = World()
    world.boot()
    world.feed(launched())
    world.end(world.of(Prepare)[0])
    while world.exit is None:
        for start in world.of(StartEtcd):
            world.fail(start, "No such file or directory")
        world.settle()
        world.pass_time(60.0)
    assert "could not be started: No such file" in last(world)[1]
    assert world.model.etcd.run == RESTARTS_MAX + 1


def test_a_member_without_leader_is_called_unhealthy_after_a_while() -> None:
    """An election is no news; five seconds without a leader are, and so is the way back."""
    world = World()
    world.serve()
    world.health = health(leader="")
    world.pass_time(PROBE_INTERVAL)
    world.settle()
    for _ in range(4):
        world.pass_time(1.0)
        world.settle()
    assert world.told[-1] == ("TASK_RUNNING", True)
    for _ in range(8):
        world.pass_time(1.0)
        world.settle()
    assert world.told[-1] == ("TASK_RUNNING", False)
    assert last(world)[1] == "etcd knows no leader"
    world.health = health()
    world.pass_time(3.0)
    world.settle()
    assert world.told[-2:] == [("TASK_RUNNING", False), ("TASK_RUNNING", True)]


# The end


def test_kill_ends_etcd_gently_then_by_force() -> None:
    """SIGTERM, SIGKILL after the grace period, and TASK_KILLED once it is reaped."""
    world = World()
    world.serve()
    world.feed(KILL)
    assert [command.signal for command in world.of(SignalEtcd)] == [signal.SIGTERM]
    world.settle()
    world.pass_time(2.9)
    assert world.of(SignalEtcd) == []
    world.pass_time(0.2)
    assert [command.signal for command in world.of(SignalEtcd)] == [signal.SIGKILL]
    assert ("TASK_KILLED", None) not in world.told
    world.settle()
    assert last(world) == ("TASK_KILLED", "killed; etcd was ended by signal 9")
    assert world.exit is not None
    assert world.exit.status == 0


@pytest.mark.parametrize(("asked", "given"), [(None, 3.0), (1.0, 1.0), (600.0, 8.0), (0.0, 0.0)])
def test_the_grace_of_a_kill(asked: float | None, given: float) -> None:
    """The call's own, else the description's; never more than the agent grants an executor."""
    world = World()
    world.serve()
    world.feed(ev.KillAsked(task_id=TASK, grace_seconds=asked))
    assert world.model.kill_at == pytest.approx(world.now + given)


def test_a_second_kill_may_hasten_and_never_delays() -> None:
    """The shorter time holds."""
    world = World()
    world.serve()
    world.feed(KILL)
    at = world.model.kill_at
    world.feed(ev.KillAsked(task_id=TASK, grace_seconds=600.0))
    assert world.model.kill_at == at
    world.feed(ev.KillAsked(task_id=TASK, grace_seconds=0.5))
    assert world.model.kill_at == pytest.approx(world.now + 0.5)


def test_a_kill_of_another_task_is_nothing() -> None:
    """Only our own task is ours to kill."""
    world = World()
    world.serve()
    world.feed(ev.KillAsked(task_id="another", grace_seconds=None))
    assert world.model.phase == "running"


def test_a_kill_while_etcd_is_being_started_waits_for_the_process() -> None:
    """Nothing is said of the end while there may be an etcd."""
    world = World()
    world.boot()
    world.feed(launched())
    world.end(world.of(Prepare)[0])
    start = world.of(StartEtcd)[0]
    world.feed(KILL)
    assert world.model.phase == "stopping"
    world.end(start)
    assert [command.signal for command in world.of(SignalEtcd)] == [signal.SIGTERM]
    world.etcd_exits(0)
    world.settle()
    assert last(world)[0] == "TASK_KILLED"


def test_a_kill_during_the_pause_after_a_crash_needs_no_signal() -> None:
    """etcd is gone already."""
    world = World()
    world.serve()
    world.etcd_exits(1)
    world.feed(KILL)
    world.settle()
    assert last(world) == ("TASK_KILLED", "killed")


def test_shutdown_before_any_task_just_ends() -> None:
    """There is nothing to say."""
    world = World()
    world.boot()
    world.feed(ev.ShutdownAsked(by="SIGTERM"))
    assert world.exit is not None
    assert world.exit.status == 0
    assert world.at_agent == {}


def test_the_last_word_waits_for_its_acknowledgement_but_not_for_ever() -> None:
    """5 s, then it leaves all the same: its agent tells the master how it ended."""
    world = World()
    world.serve()
    world.feed(KILL)
    world.etcd_exits(0)
    while world.pending:
        world.end(world.pending[0])
    world.pass_time(4.9)
    assert world.exit is None
    world.pass_time(0.2)
    assert world.exit is not None


# The agent


def test_an_agent_that_comes_back_is_told_what_it_missed() -> None:
    """With checkpoint etcd serves on, and unacknowledged updates are named when subscribing."""
    world = World()
    world.serve()
    world.disconnect()
    world.etcd_exits(1)
    for subscribe in world.of(Subscribe):
        world.fail(subscribe)
    world.pass_time(0.2)
    named = world.of(Subscribe)[0]
    assert [(u.state, u.healthy) for u in named.updates] == [("TASK_RUNNING", False)]
    assert named.tasks == ()
    world.settle()
    assert world.told[-1] == ("TASK_RUNNING", False)
    assert world.model.updates == ()


def test_a_task_of_which_nothing_was_acknowledged_is_named_when_subscribing() -> None:
    """Or the agent would take it for never delivered."""
    world = World()
    world.boot()
    world.feed(launched())
    world.disconnect()
    world.pass_time(0.2)
    assert [json.loads(task) for task in world.of(Subscribe)[0].tasks] == [
        {"task_id": {"value": TASK}}
    ]


def test_an_update_whose_answer_was_lost_is_sent_again_as_the_same() -> None:
    """The agent tells by the uuid that it has it."""
    world = World()
    world.serve()
    world.etcd_exits(1)
    sent = world.of(SendUpdate)[0]
    world.lose_answer(sent, arrived=True)
    world.pass_time(1.5)
    again = world.of(SendUpdate)[0]
    assert again.update.uuid == sent.update.uuid
    world.settle()
    assert world.told.count(("TASK_RUNNING", False)) == 1


def test_a_later_update_never_overtakes_an_earlier_one() -> None:
    """One that failed is tried again first."""
    world = World()
    world.boot()
    world.feed(launched())
    world.end(world.of(Prepare)[0])
    starting = world.of(SendUpdate)[0]
    world.end(world.of(StartEtcd)[0])
    world.end(world.of(ProbeMember)[0])
    assert world.model.phase == "running"
    world.fail(starting, "the agent answered 503")
    world.pass_time(1.5)
    assert [command.update.state for command in world.of(SendUpdate)] == ["TASK_STARTING"]
    world.settle()
    assert world.told == [("TASK_STARTING", None), ("TASK_RUNNING", True)]


def test_an_agent_away_for_too_long_ends_etcd() -> None:
    """With checkpoint after the recovery time-out; attempts to subscribe grow no further apart
    than the agent allows."""
    world = World()
    world.serve()
    world.disconnect()
    attempts = 0
    while world.model.phase == "running" and attempts < 1000:
        for subscribe in world.of(Subscribe):
            attempts += 1
            world.fail(subscribe)
        for probe in world.of(ProbeMember):
            world.end(probe)
        world.pass_time(0.1)
    assert world.now - 1000.0 == pytest.approx(SETTINGS.recovery_timeout, abs=0.5)
    assert attempts >= SETTINGS.recovery_timeout / SETTINGS.backoff_max
    world.etcd_exits(0)
    assert world.exit is not None


def test_without_checkpoint_the_agent_is_not_waited_for() -> None:
    """Mesos has given the task up already; another may be started elsewhere."""
    world = World(evolve(SETTINGS, checkpoint=False))
    world.serve()
    world.disconnect()
    assert [command.signal for command in world.of(SignalEtcd)] == [signal.SIGTERM]
    world.etcd_exits(0)
    assert world.exit is not None


def test_an_agent_that_is_never_there_is_given_up_with_status_1() -> None:
    """There is nothing to report, and nobody to report it to."""
    world = World(evolve(SETTINGS, checkpoint=False))
    world.feed(ev.TimerFired())
    while world.exit is None:
        for subscribe in world.of(Subscribe):
            world.fail(subscribe, "could not connect")
        world.pass_time(1.0)
    assert world.exit.status == 1
    assert world.now - 1000.0 <= 61.0


def test_the_command_line_says_everything() -> None:
    """Operator options come last, and win."""
    world = World()
    world.boot()
    world.feed(launched(evolve(SPEC, options=("--heartbeat-interval=50",))))
    world.end(world.of(Prepare)[0])
    assert world.of(StartEtcd)[0].arguments == (
        "--name=etcd-1",
        "--data-dir=data/etcd-1",
        "--initial-cluster=etcd-1=http://127.0.0.11:31000,etcd-2=http://127.0.0.12:31000",
        "--initial-cluster-token=demo/f/1",
        "--initial-cluster-state=new",
        "--listen-peer-urls=http://127.0.0.11:31000",
        "--initial-advertise-peer-urls=http://127.0.0.11:31000",
        "--listen-client-urls=http://127.0.0.11:31001",
        "--advertise-client-urls=http://127.0.0.11:31001",
        "--quota-backend-bytes=67108864",
        "--strict-reconfig-check=true",
        "--pre-vote=true",
        "--logger=zap",
        "--log-outputs=stderr",
        "--heartbeat-interval=50",
    )
