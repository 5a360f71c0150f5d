"""Where backups go, as -backup-url says it."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from attrs import frozen

from etcdmesos.errors import BadUsage

SCHEMES = ("s3", "hdfs", "http", "https", "file")
NAMENODE_PORT = 9870
"""Of WebHDFS on a NameNode since Hadoop 3; 50070 before."""


@frozen(kw_only=True)
class TargetUrl:
    """A target, without secrets."""

    scheme: str
    host: str
    """The bucket for S3, host or host:port for HDFS and HTTP, "" for files."""
    path: str
    """Without a slash at its end; for files absolute, otherwise "" or with one at its beginning."""
    user: str = ""
    """HDFS: who the files belong to."""

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        return f"{self.scheme}://{user}{self.host}{self.path}"

    @classmethod
    def parse(cls, text: str) -> TargetUrl:
        """Raises BadUsage; the message never repeats a password."""
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise BadUsage(f"is no URL: {error}") from None
        if parts.scheme not in SCHEMES:
            raise BadUsage(f"must begin with one of {', '.join(s + '://' for s in SCHEMES)}")
        if parts.password is not None or (parts.username and parts.scheme != "hdfs"):
            raise BadUsage("holds credentials: -backup-credentials-file keeps them out of there")
        if parts.query or parts.fragment:
            raise BadUsage("must be a plain address, without ? or #")
        path = unquote(parts.path).rstrip("/")
        if parts.scheme == "file":
            if parts.netloc not in ("", "localhost") or not path:
                raise BadUsage("must be file:///path, a folder that scheduler and agents share")
            return cls(scheme="file", host="", path=path)
        if not parts.hostname:
            raise BadUsage("names no host" if parts.scheme != "s3" else "names no bucket")
        if parts.scheme == "s3" and port:
            raise BadUsage("s3:// names a bucket: -backup-s3-endpoint says where the server is")
        host = f"{parts.hostname}:{port}" if port else parts.hostname
        if parts.scheme == "hdfs" and not port:
            host = f"{parts.hostname}:{NAMENODE_PORT}"
        return cls(scheme=parts.scheme, host=host, path=path, user=unquote(parts.username or ""))
