"""Containers: real processes in sessions of their own, started, watched and killed.

They belong to the host, not to the agent: an agent may die and come back while they
live on. A watchdog process ends them if this process dies without saying goodbye.
Nothing of Mesos' protocol is here.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import subprocess
import sys
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from etcdmesos.embedded import process_tree


class Container:
    """One started container; `exited` becomes the wait status of its first process."""

    def __init__(
        self, container_id: str, pid: int, sandbox: Path, exited: asyncio.Future[int]
    ) -> None:
        self.container_id = container_id
        self.pid = pid
        self.sandbox = sandbox
        self.exited = exited

    @property
    def running(self) -> bool:
        """Has its first process not ended?"""
        return not self.exited.done()


class Containers:
    """All containers of all agents of this process."""

    def __init__(self, work_dir: Path) -> None:
        self._work_dir = work_dir
        self._containers: dict[str, Container] = {}
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._pipe = -1

    def start_watchdog(self) -> None:
        """Start the process that ends the containers if this one is killed."""
        reading, self._pipe = os.pipe()
        # A copy: our own modules may lie in a zip file, where no interpreter starts them.
        script = self._work_dir / "watchdog.py"
        script.write_text(inspect.getsource(process_tree))
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", str(script), str(reading)],
            pass_fds=[reading],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
        os.close(reading)
        self._tell(f"={self._work_dir}{os.sep}")

    def _tell(self, line: str) -> None:
        if self._pipe >= 0:
            os.write(self._pipe, line.encode() + b"\n")

    def start(
        self,
        container_id: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        sandbox: Path,
    ) -> Container:
        """Start a process in its sandbox; OSError if there is no such program."""
        with (
            open(sandbox / "stdout", "ab") as stdout,
            open(sandbox / "stderr", "ab") as stderr,
        ):
            process = subprocess.Popen(
                arguments,
                env=dict(environment),
                cwd=sandbox,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                umask=0o022,
            )
        self._tell(f"+{process.pid}")
        loop = asyncio.get_running_loop()
        exited: asyncio.Future[int] = loop.create_future()
        container = Container(container_id, process.pid, sandbox, exited)
        self._containers[container_id] = container
        watcher = threading.Thread(
            target=self._wait, args=(process, container, loop), name="container", daemon=True
        )
        watcher.start()
        return container

    def _wait(
        self,
        process: subprocess.Popen[bytes],
        container: Container,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        # A thread per container: pidfd is not to be had on every kernel and sandbox.
        code = process.wait()
        status = -code if code < 0 else code << 8
        # What is left of the container goes with its first process, as with Mesos.
        process_tree.kill({process.pid})
        # A closed loop means that nobody waits any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._ended, container, status)

    def _ended(self, container: Container, status: int) -> None:
        self._tell(f"-{container.pid}")
        if not container.exited.done():
            container.exited.set_result(status)

    def find(self, container_id: str) -> Container | None:
        """A container started by this process, ended or not."""
        return self._containers.get(container_id)

    def forget(self, container_id: str) -> None:
        """Drop an ended container from the books."""
        self._containers.pop(container_id, None)

    async def destroy(self, container: Container) -> int:
        """SIGKILL the whole container and wait for its end; its wait status."""
        if container.running:
            await asyncio.to_thread(process_tree.kill, {container.pid})
        return await container.exited

    async def destroy_under(self, directory: Path, keep: Collection[str] = ()) -> None:
        """Destroy the containers with a sandbox under this directory, but for those to keep."""
        chosen = [
            one
            for one in list(self._containers.values())
            if one.running and directory in one.sandbox.parents and one.container_id not in keep
        ]
        await asyncio.gather(*(self.destroy(one) for one in chosen))

    async def stop(self) -> None:
        """End everything that is left, and the watchdog."""
        running = {one.pid for one in self._containers.values() if one.running}
        marks = (f"{self._work_dir}{os.sep}",)
        await asyncio.to_thread(process_tree.kill, running, marks)
        for container in self._containers.values():
            await container.exited
        if self._watchdog is not None:
            os.close(self._pipe)
            self._pipe = -1
            await asyncio.to_thread(self._watchdog.wait)
            self._watchdog = None
