"""Random schedules of faults against simulated etcd, and a watch over raft's promises.

Names of the properties are those of the raft paper, section 5, figure 3.
"""

from __future__ import annotations

from random import Random
from typing import Any

from etcdmesos.adapters.etcd_gateway import GatewayError
from etcdmesos.simulation.etcd import DataDirectory, EtcdProcess
from etcdmesos.simulation.etcd.log import Entry
from etcdmesos.simulation.etcd.members import quorum
from tests.simulation.etcd.simulated import World


class Watch:
    """Remembers who led, what was applied where, and what was acknowledged."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.leaders: dict[tuple[int, int], int] = {}
        self.applied: dict[tuple[int, int], Entry] = {}
        self.acknowledged: dict[str, int] = {}
        self.highest: dict[int, int] = {}
        world.etcd.on_elected = self._elected
        world.etcd.on_applied = self._applied

    def _elected(self, process: EtcdProcess) -> None:
        """Election safety: at most one leader in a term.  Leader completeness: it has every
        committed entry."""
        raft = process.raft
        place = process.cluster_id, raft.term
        assert self.leaders.setdefault(place, raft.id) == raft.id, f"two leaders in {raft.term}"
        for index in range(raft.log.base_index + 1, self.highest.get(process.cluster_id, 0) + 1):
            entry = self.applied.get((process.cluster_id, index))
            own = raft.log.entry(index) if index <= raft.log.last_index else None
            assert entry is None or own == entry, f"a leader without committed entry {index}"

    def _applied(self, process: EtcdProcess, index: int, entry: Entry) -> None:
        """State machine safety: nobody applies another entry at an index."""
        place = process.cluster_id, index
        assert self.applied.setdefault(place, entry) == entry, f"two entries applied at {index}"
        self.highest[process.cluster_id] = max(self.highest.get(process.cluster_id, 0), index)

    def check_logs(self) -> None:
        """Log matching: two logs with an entry of one index and term agree up to there."""
        running = [p for p in self.world.etcd.processes if p.serving_peers]
        for number, a in enumerate(running):
            for b in running[number + 1 :]:
                if a.cluster_id == b.cluster_id:
                    _logs_match(a, b)

    def check_acknowledged(self) -> None:
        """Every acknowledged write is there once the cluster is whole again."""
        leader = self.world.leader()
        if leader is None:
            # A member that was removed, or never got to start, may have been needed.
            assert not self.quorum_runs(), "no leader once everything is healed"
            return
        for key, revision in self.acknowledged.items():
            assert leader.raft.state.keys.get(key) == revision, f"{key} is lost"

    def quorum_runs(self) -> bool:
        """Whether everybody who runs sees a quorum of the list he has applied.

        Who was restarted may have forgotten that a removal was committed, and wait for the removed
        one: the commit index gets to disk with the next entry only.
        """
        running = {p.member_id: p for p in self.world.etcd.processes if p.serving_peers}
        lists = [process.raft.state.voters for process in running.values()]
        return all(sum(one in running for one in voters) >= quorum(len(voters)) for voters in lists)


def _logs_match(a: EtcdProcess, b: EtcdProcess) -> None:
    one, other = a.raft.log, b.raft.log
    first = max(one.base_index, other.base_index) + 1
    last = min(one.last_index, other.last_index)
    while last >= first and one.term_at(last) != other.term_at(last):
        last -= 1
    for index in range(first, last + 1):
        assert one.entry(index) == other.entry(index), f"logs differ at {index}"


class Schedule:
    """One random run: faults that leave a majority its disks, writes, changes of the list."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.world = World(seed, self.random.choice(["3.4.23", "3.5.30"]))
        self.size = self.random.choice([1, 2, 3, 3, 3, 5, 5, 7])
        self.options: dict[str, Any] = {
            "pre_vote": self.random.choice([None, True, False]),
            "snapshot_count": self.random.choice([100_000, 8]),
        }
        self.world.network.late_probability = self.random.choice([0.0, 0.3])
        self.watch = Watch(self.world)
        self.initial = range(self.size)
        for number in self.initial:
            self.world.start(number, self.initial, **self.options)
        self.next_number = self.size
        self.writes = 0
        self.faults = [
            self.kill, self.restart, self.restart, self.pause, self.resume, self.cut, self.heal,
            self.stall, self.terminate, self.power, self.move_leader,
            self.change_list, self.change_list, self.change_list, self.slow, self.crash_in_write,
            self.change_twice,
            self.crash_in_election,
        ]  # fmt: skip

    def run(self, actions: int = 80) -> None:
        """Break things, then heal them and look whether everything is there."""
        for _ in range(actions):
            self.act()
            self.world.etcd.check()
            self.watch.check_logs()
        self.heal_everything()
        self.world.run(40.0)
        self.watch.check_logs()
        self.watch.check_acknowledged()

    def act(self) -> None:
        for _ in range(self.random.randrange(4)):
            self.put()
        if self.random.random() < 0.7:
            self.random.choice(self.faults)()
        self.world.run(
            self.random.choice([0.001, 0.01, 0.1, 1.0, 3.0, 6.0]) * self.random.random() * 2
        )

    def running(self) -> EtcdProcess | None:
        processes = self.world.etcd.processes
        return self.random.choice(processes) if processes else None

    def put(self) -> None:
        process = self.running()
        if process is None:
            return
        self.writes += 1
        key = f"k{self.writes}"

        def done(answer: Any) -> None:
            if not isinstance(answer, GatewayError):
                self.watch.acknowledged[key] = answer

        self.world.client.put(process.options.client_url, key, done)

    def kill(self) -> None:
        if process := self.running():
            process.kill()

    def terminate(self) -> None:
        if process := self.running():
            process.terminate()

    def pause(self) -> None:
        if process := self.running():
            process.pause()

    def resume(self) -> None:
        if process := self.running():
            process.resume()

    def restart(self) -> None:
        """Start a member that has ended and was not removed, on its own data."""
        ended = [
            process
            for process in self.world.processes.values()
            if not process.running and process.host.up and process.status not in (0, 1)
        ]
        if ended:
            self.start_again(self.random.choice(ended))

    def start_again(self, process: EtcdProcess) -> None:
        number = int(process.options.name[1:])
        kept = process.host.disk.read("/data")
        if isinstance(kept, DataDirectory) and not kept.empty:
            self.world.start(number, **self.options)
        elif number < self.size:
            self.world.start(number, self.initial, **self.options)

    def power(self) -> None:
        host = self.random.choice(self.world.hosts.all())
        if host.up and self.random.random() < 0.5:
            host.power_off()
        else:
            host.power_on()

    def cut(self) -> None:
        parties = self.world.network.parties
        a, b = self.random.choice(parties), self.random.choice(parties)
        if self.random.random() < 0.3:
            self.world.network.isolate(a)
        elif a != b:
            self.world.network.cut(a, b, one_way=self.random.random() < 0.3)

    def heal(self) -> None:
        self.world.network.heal_all()

    def stall(self) -> None:
        disk = self.random.choice(self.world.hosts.all()).disk
        disk.stalled_until = self.world.clock.now + self.random.random() * 4

    def slow(self) -> None:
        """Messages between two hosts take so long that they overtake whole elections."""
        hosts = self.world.hosts.all()
        a, b = self.random.choice(hosts), self.random.choice(hosts)
        self.world.network.slow(a.name, b.name, self.random.choice([0.0, 0.3, 2.0]))

    def crash_in_write(self) -> None:
        """A leader is killed while it writes, comes back, and somebody else goes."""
        leader = self.world.leader()
        if leader is None:
            return
        leader.host.disk.stalled_until = self.world.clock.now + 0.4
        self.put()
        self.put()
        self.world.run(0.05 + 0.1 * self.random.random())
        leader.kill()
        self.kill()
        leader.host.disk.stalled_until = 0.0
        if leader.host.up:
            self.start_again(leader)

    def crash_in_election(self) -> None:
        """A leader goes, votes are slow to be written and to arrive, and a voter is killed."""
        leader = self.world.leader()
        if leader is None:
            return
        for host in self.world.hosts.all():
            host.disk.slowness = 100.0
        self.slow()
        self.slow()
        leader.kill()
        self.world.run(1.0 + 1.2 * self.random.random())
        if voter := self.running():
            voter.kill()
            self.start_again(voter)
        self.world.run(0.3)
        for host in self.world.hosts.all():
            host.disk.slowness = 1.0

    def change_twice(self) -> None:
        """Two changes of the list at once, and a cut."""
        self.change_list()
        self.change_list()
        self.world.run(0.01 * self.random.random())
        self.cut()

    def move_leader(self) -> None:
        leader, to = self.world.leader(), self.running()
        if leader is not None and to is not None and to.member_id:
            url = leader.options.client_url
            self.world.client.move_leader(url, f"{to.member_id:016x}", lambda _: None)

    def change_list(self) -> None:
        leader = self.world.leader()
        if leader is None:
            return
        members = leader.raft.state.list()
        url = leader.options.client_url
        choice = self.random.random()
        if choice < 0.4 and len(members) <= self.size:
            self.add(url)
        elif choice < 0.7:
            one = self.random.choice(members)
            self.world.client.remove_member(url, f"{one.id:016x}", lambda _: None)
        else:
            for member in members:
                if member.learner:
                    self.world.client.promote(url, f"{member.id:016x}", lambda _: None)

    def add(self, url: str) -> None:
        number, self.next_number = self.next_number, self.next_number + 1
        learner = self.random.random() < 0.7

        def added(answer: Any) -> None:
            leader = self.world.leader()
            if isinstance(answer, GatewayError) or leader is None:
                return
            listed = leader.raft.state.list()
            numbers = [int(m.peer_urls[0].split(":")[1].strip("/h")) for m in listed]
            if number in numbers:
                options = {"initial_cluster_state": "existing", **self.options}
                self.world.start(number, numbers, **options)

        self.world.client.add_member(url, (f"http://h{number}:2380",), added, learner=learner)

    def heal_everything(self) -> None:
        self.world.network.heal_all()
        for host in self.world.hosts.all():
            host.power_on()
        for process in tuple(self.world.etcd.processes):
            process.resume()
        self.world.run(0.5)
        for process in self.world.processes.values():
            if not process.running and process.status not in (0, 1):
                self.start_again(process)
