"""From -backup-url and the file of credentials to a target.  Opens no connection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attrs import field, frozen

from etcdmesos.adapters.backups.directory import DirectoryTarget
from etcdmesos.adapters.backups.http_put import HttpTarget
from etcdmesos.adapters.backups.s3 import S3Target, account
from etcdmesos.adapters.backups.target import Target
from etcdmesos.adapters.backups.url import TargetUrl
from etcdmesos.adapters.backups.webhdfs import WebHdfsTarget
from etcdmesos.errors import BadUsage


@frozen(kw_only=True)
class Access:
    """Where backups go, and what is needed to get there."""

    url: TargetUrl
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """The lines of -backup-credentials-file.  S3: `KEY:SECRET`.  HTTP: the Authorization header of
    the scheduler's own requests, and in a second line, if there is one, that of the executors'.
    HDFS: a delegation token."""
    s3_endpoint: str = ""
    s3_region: str = ""

    def __attrs_post_init__(self) -> None:
        most = {"s3": 1, "hdfs": 1, "http": 2, "https": 2}.get(self.url.scheme, 0)
        if len(self.secrets) > most:
            lines = f"at most {most} of the lines" if most else "none of the lines"
            raise BadUsage(f"{self.url.scheme}:// needs {lines} in it")
        if self.url.scheme == "s3" and self.secrets and not all(self.key_and_secret()):
            raise BadUsage("must hold KEY:SECRET for s3://")

    def key_and_secret(self) -> tuple[str, str]:
        """S3's two, "" where there are none."""
        key, _, secret = self.secrets[0].rpartition(":") if self.secrets else ("", "", "")
        return key, secret


def opener(access: Access, cluster: str) -> Callable[[], Target]:
    """How to get at the folder of that cluster: a function that opens it, which may take time (S3's
    signing is loaded, credentials looked for) and raise TargetFailed."""
    url = access.url
    folder = f"{url.path}/{cluster}"
    if url.scheme == "s3":
        key, secret = access.key_and_secret()
        endpoint, region = access.s3_endpoint, access.s3_region
        return lambda: S3Target(account(endpoint, region, key, secret), url.host, folder)
    if url.scheme == "hdfs":
        token = access.secrets[0] if access.secrets else ""
        return lambda: WebHdfsTarget(url.host, folder, user=url.user, delegation=token)
    if url.scheme == "file":
        return lambda: DirectoryTarget(Path(folder))
    own = access.secrets[0] if access.secrets else ""
    theirs = access.secrets[-1] if access.secrets else ""
    base = f"{url.scheme}://{url.host}{folder}"
    return lambda: HttpTarget(base, authorization=own, upload_authorization=theirs)
