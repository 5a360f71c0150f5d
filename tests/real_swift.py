"""A real S3 server for tests: OpenStack Swift with s3api and tempauth, its store on disk.

`.cache/swift/` holds it (`make swift` puts it there).  It checks credentials and digests.  Nothing
here is used by the package.
"""

from __future__ import annotations

import atexit
import http.client
import os
import shutil
import signal
import subprocess
import tempfile
from functools import cache, partial
from pathlib import Path

import pytest

from tests.free_ports import free_port
from tests.real_etcd import until

_ROOT = Path(__file__).resolve().parent.parent

KEY = "etcd:backup"
SECRET = "planted-s3-secret"
BUCKET = "backups"

_KINDS = ("object", "container", "account")
_PROXY = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
swift_dir = {folder}
user = {user}

[pipeline:main]
pipeline = catch_errors proxy-logging listing_formats bulk s3api tempauth slo versioned_writes \
symlink proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true

[filter:catch_errors]
use = egg:swift#catch_errors
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
check_bucket_owner = false
[filter:tempauth]
use = egg:swift#tempauth
user_etcd_backup = {secret} .admin
user_etcd_stranger = other-secret
[filter:slo]
use = egg:swift#slo
[filter:versioned_writes]
use = egg:swift#versioned_writes
[filter:symlink]
use = egg:swift#symlink
"""
_STORE = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
swift_dir = {folder}
devices = {folder}/store
mount_check = false
fallocate_reserve = 0
user = {user}

[pipeline:main]
pipeline = {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}
"""


def _bin() -> Path:
    folder = Path(os.environ.get("ETCD_MESOS_TEST_SWIFT", _ROOT / ".cache" / "swift")) / "bin"
    if not (folder / "swift-proxy-server").exists():
        pytest.fail(f"{folder.parent} is not there: run `make swift`")
    return folder


class SwiftServer:
    """The four processes of one server, and its S3 endpoint."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {kind: free_port() for kind in (*_KINDS, "proxy")}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports['proxy']}"

    def start(self) -> None:
        """Configure it and wait until it answers."""
        programs = _bin()
        (self.folder / "store" / "d1").mkdir(parents=True)
        hashes = "[swift-hash]\nswift_hash_path_suffix = a\nswift_hash_path_prefix = b\n"
        (self.folder / "swift.conf").write_text(hashes)
        user = subprocess.check_output(["id", "-un"], text=True).strip()
        for kind in _KINDS:
            self._ring(programs, kind)
            self._write(kind, _STORE, user=user, kind=kind)
        self._write("proxy", _PROXY, user=user, secret=SECRET)
        for kind in self.ports:
            # setpriv asks the kernel to kill it if the test's process dies without clean-up.
            command = ["setpriv", "--pdeathsig", "KILL", str(programs / f"swift-{kind}-server")]
            with open(self.folder / f"{kind}.log", "wb") as log:
                self._processes[kind] = subprocess.Popen(
                    [*command, str(self.folder / f"{kind}.conf")], stdout=log, stderr=log
                )
        # Of all four: the proxy answers before the others do, and as long as one of them does
        # not, it refuses whatever needs that one with 503.
        for kind in self.ports:
            until(partial(self._answers, kind), f"Swift's {kind} answers")

    def _ring(self, programs: Path, kind: str) -> None:
        builder = str(self.folder / f"{kind}.builder")
        device = f"r1z1-127.0.0.1:{self.ports[kind]}/d1"
        for words in (["create", "4", "1", "1"], ["add", device, "1"], ["rebalance"]):
            # Status 1 is a warning: one device is not many.
            done = subprocess.run(
                [programs / "swift-ring-builder", builder, *words], capture_output=True, check=False
            )
            assert done.returncode in (0, 1), done.stdout

    def _write(self, name: str, template: str, **values: str) -> None:
        text = template.format(port=self.ports[name], folder=self.folder, **values)
        (self.folder / f"{name}.conf").write_text(text)

    def _answers(self, kind: str) -> bool:
        """Whether it speaks HTTP; what it says to nonsense does not matter."""
        if self._processes[kind].poll() is not None:
            pytest.fail(f"Swift's {kind} ended: {(self.folder / f'{kind}.log').read_text()[-500:]}")
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[kind], timeout=2)
        try:
            connection.request("GET", "/")
            connection.getresponse()
        except (OSError, http.client.HTTPException):
            return False
        else:
            return True
        finally:
            connection.close()

    def close(self) -> None:
        """End all that runs, by id."""
        for process in self._processes.values():
            process.send_signal(signal.SIGKILL)
        for process in self._processes.values():
            process.wait()
        self._processes.clear()
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def shared() -> SwiftServer:
    """A server for all tests of this run that have a path of their own."""
    server = SwiftServer(Path(tempfile.mkdtemp(prefix="etcd-mesos-swift-")))
    atexit.register(server.close)
    server.start()
    return server
