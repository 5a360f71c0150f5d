"""The pure parts of the embedded Mesos: RecordIO, resources, allocation, update streams."""

from __future__ import annotations

import random
from typing import Any

import pytest

from etcdmesos.embedded import allocator, resources, statuses, validation
from etcdmesos.embedded.allocator import Demand
from etcdmesos.embedded.executors import duration
from etcdmesos.embedded.resources import Resources
from etcdmesos.embedded.status_updates import UpdateStream
from etcdmesos.mesos import recordio
from tests.embedded import captures

Json = dict[str, Any]


def test_recordio_survives_any_cut() -> None:
    """However the bytes are cut, the same records come out, empty ones too."""
    records = [b"", b"x", b"\n1\n", bytes(range(256)) * 20, b"12345"]
    stream = b"".join(recordio.encode(record) for record in records)
    chance = random.Random(7)
    for _ in range(200):
        decoder = recordio.Decoder()
        found: list[bytes] = []
        position = 0
        while position < len(stream):
            step = chance.choice([1, 2, 3, 50, 4000])
            found += decoder.feed(stream[position : position + step])
            position += step
        assert found == records


def test_recordio_frames_as_recorded() -> None:
    """`{"type":"HEARTBEAT"}` is 20 bytes and a newline is between."""
    assert recordio.encode(b'{"type":"HEARTBEAT"}') == b'20\n{"type":"HEARTBEAT"}'


@pytest.mark.parametrize("garbage", [b"\n", b"x\n", b"-1\n", b"1 \nx", b"9" * 21, b"1.5\nx"])
def test_recordio_refuses_a_bad_length(garbage: bytes) -> None:
    """What is no length raises ValueError at once, also before its newline."""
    with pytest.raises(ValueError, match="RecordIO"):
        recordio.Decoder().feed(garbage)


def whole() -> Resources:
    return Resources({"cpus": 1000, "mem": 1024000}, {"ports": ((31000, 31099),)})


def test_resources_come_and_go_exactly() -> None:
    """Adding and taking away thousands of times leaves what was there."""
    rest = whole()
    part = Resources({"cpus": 100, "mem": 32000}, {"ports": ((31005, 31006),)})
    for _ in range(1000):
        rest = rest - part
        assert rest.scalar("cpus") == 0.9
        assert not rest.contains(part)
        rest = rest + part
        assert rest == whole()


def test_resources_print_as_mesos_does() -> None:
    """The text of the recorded TASK_ERROR, the short object of /state."""
    message = captures.updates("life.console")["a-toobig"][0]["message"]
    available = whole() + Resources({"disk": 4096000})
    assert message.endswith(resources.describe(available, "*"))
    left = whole() - Resources({}, {"ports": ((31005, 31006),)})
    assert resources.summary(left)["ports"] == "[31000-31004, 31007-31099]"


def test_resources_with_a_reservation_are_others() -> None:
    """cpus of a role are not cpus of everybody."""
    reserved = [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.5}, "role": "r"}]
    assert not whole().contains(resources.parse(reserved))
    with pytest.raises(ValueError, match="SET"):
        resources.parse([{"name": "zone", "type": "SET"}])


def test_the_poorest_framework_is_served_first() -> None:
    """One agent each as long as both are equal, and never one that refuses."""
    agents = [(f"a{number}", whole()) for number in range(4)]
    demands = [Demand("f1", "*", resources.NONE), Demand("f2", "*", whole())]
    total = resources.total(free for _, free in agents)
    grants = allocator.plan(agents, demands, total, lambda *_: False)
    assert [one.framework_id for one in grants].count("f1") > 1
    assert {one.framework_id for one in grants} == {"f1", "f2"}
    refused = allocator.plan(agents, demands, total, lambda framework, *_: framework == "f1")
    assert {one.framework_id for one in refused} == {"f2"}
    crumbs = [("a", Resources({"disk": 10**9}, {"ports": ((1, 9),)}))]
    assert allocator.plan(crumbs, demands, total, lambda *_: False) == []


def status(uuid: str, state: str = "TASK_RUNNING") -> Json:
    return statuses.status("t", state, uuid=uuid)


def test_an_update_stream_sends_one_at_a_time() -> None:
    """The second waits for the acknowledgement of the first; a repeated one is dropped."""
    stream = UpdateStream("f", "t", 10.0, 600.0)
    assert stream.add(status("a"))
    assert not stream.add(status("b", "TASK_FINISHED"))
    assert not stream.add(status("a"))
    assert (stream.head() or {})["uuid"] == "a"
    assert stream.latest_state() == "TASK_FINISHED"
    assert not stream.acknowledge("b")
    assert [stream.next_retry() for _ in range(8)] == [10, 20, 40, 80, 160, 320, 600, 600]
    assert stream.acknowledge("a")
    assert (stream.head() or {})["uuid"] == "b"
    assert stream.next_retry() == 10
    assert stream.acknowledge("b")
    assert stream.head() is None


def test_aggregated_offers_belong_to_one_agent() -> None:
    """Offers of two agents can't be accepted together; of one agent they can."""
    offers = {"o1": "s1", "o2": "s1", "o3": "s2"}
    assert validation.offers_error(["o1", "o2"], offers) is None
    error = validation.offers_error(["o1", "o3"], offers)
    assert error is not None
    assert error.startswith("Aggregated offers must belong to one single agent")


def test_a_changed_executor_reads_as_recorded() -> None:
    """The message shows both ExecutorInfos in protobuf's text form."""
    recorded = captures.updates("executor_console")["v-other_command"][0]["message"]
    existing = {"executor_id": {"value": "ex-main"}, "command": {"value": "a"}, "type": "CUSTOM"}
    error = validation.executor_error({**existing, "command": {"value": "b"}}, "f", existing)
    assert error is not None
    assert error.split("\n")[:5] == recorded.split("\n")[:5]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4, "4secs"), (900, "15mins"), (0.5, "500ms"), (2.5, "2.5secs"), (86400, "1days")],
)
def test_durations_print_as_mesos_does(seconds: float, text: str) -> None:
    """The unit is the largest that fits without a rest."""
    assert duration(seconds) == text
