"""s3:// — S3 and what speaks like it.

Requests are signed by botocore, which also finds the credentials; its clients are not used, as they
need 30 MB of descriptions on disk and 20 MB of memory for the eight calls made here.  An executor
gets pre-signed URLs: each lets it write one part of one object for a few minutes.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import math
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from attrs import frozen

from etcdmesos.adapters.backups.calls import answered, call, reading
from etcdmesos.adapters.backups.target import SMALL_BYTES, TargetFailed
from etcdmesos.orders import Means, WayIn

MEBIBYTE = 1024 * 1024
ONE_PART_BYTES = 512 * MEBIBYTE
"""What is expected to be larger goes in parts."""
LARGEST_PART = 5 * 1024 * MEBIBYTE
"""S3's limit for one PUT."""
SMALLEST_PARTS = 64 * MEBIBYTE
MOST_PARTS = 100
"""So that their URLs fit into one framework message (about 50 KB)."""
ROOM = 2
"""A way in takes this many times what is expected."""


@frozen(kw_only=True)
class S3Account:
    """Where a bucket is, and as who to speak."""

    endpoint: str
    """http(s)://host:port, without a bucket."""
    region: str
    credentials: Any
    """botocore's Credentials, which renews itself where it can."""


def account(endpoint: str, region: str, key: str, secret: str) -> S3Account:
    """Raises TargetFailed when there are no credentials.  With no `key`, botocore looks where the
    AWS tools do: environment, ~/.aws, instance metadata."""
    # Not at the top: 0.2 s and 10 MB, for those who use S3.
    from botocore.credentials import Credentials
    from botocore.session import Session

    session = Session()
    found = Credentials(key, secret) if key else session.get_credentials()
    if found is None:
        raise TargetFailed(
            "no S3 credentials: give -backup-credentials-file, or set them as for the AWS tools"
        )
    region = region or session.get_config_variable("region") or "us-east-1"
    default = f"https://s3.{region}.amazonaws.com"
    return S3Account(endpoint=endpoint.rstrip("/") or default, region=region, credentials=found)


class S3Target:
    """A Target."""

    def __init__(self, account: S3Account, bucket: str, folder: str) -> None:
        self._account = account
        self._bucket = bucket
        self._folder = folder.strip("/")

    def way_in(self, file: str, *, size: int, seconds: float) -> WayIn:
        self._end_other_uploads(file)
        if size <= ONE_PART_BYTES:
            url = self._presigned("PUT", file, {}, seconds)
            return WayIn(means=Means.PUT, parts=(url,), part_bytes=LARGEST_PART)
        part_bytes = max(SMALLEST_PARTS, math.ceil(size * ROOM / MOST_PARTS))
        if part_bytes > LARGEST_PART:
            raise TargetFailed(f"{size} bytes are more than goes into {MOST_PARTS} parts")
        upload = self._begin(file)
        parts = tuple(
            self._presigned("PUT", file, {"partNumber": str(n), "uploadId": upload}, seconds)
            for n in range(1, math.ceil(size * ROOM / part_bytes) + 1)
        )
        return WayIn(means=Means.PUT, parts=parts, part_bytes=part_bytes)

    def finish(self, file: str, way: WayIn, tags: tuple[str, ...]) -> None:
        if len(way.parts) == 1:
            return
        upload = self._upload_of(file)
        listed = "".join(
            f"<Part><PartNumber>{n}</PartNumber><ETag>{escape(tag)}</ETag></Part>"
            for n, tag in enumerate(tags, 1)
        )
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        answer = self._call("POST", file, f"completing {file}", {"uploadId": upload}, body)
        if said := _code(answer):
            # S3 begins its answer before it knows the outcome.
            raise TargetFailed(f"completing {file}: refused ({said})")

    def abandon(self, file: str, way: WayIn) -> None:
        self._end_other_uploads("")
        self.delete(file)

    def files(self) -> tuple[str, ...]:
        found: list[str] = []
        query = {"list-type": "2", "prefix": self._key("")}
        while True:
            page = _parsed(self._call("GET", None, "listing the bucket", query))
            keys = [node.text or "" for node in page.findall("{*}Contents/{*}Key")]
            found += [key.removeprefix(self._key("")) for key in keys]
            token = page.findtext("{*}NextContinuationToken")
            if not token:
                return tuple(found)
            query["continuation-token"] = token

    @contextlib.contextmanager
    def read(self, file: str, *, seconds: float) -> Iterator[Iterator[bytes]]:
        url = self._url(file, {})
        with answered(
            "GET",
            url,
            f"reading {file}",
            headers=self._signed("GET", url, b""),
            explain=_code,
            limits=reading(seconds),
        ) as answer:
            yield answer.blocks()

    def write(self, file: str, content: bytes) -> None:
        self._call("PUT", file, f"writing {file}", {}, content)

    def delete(self, file: str) -> None:
        self._call("DELETE", file, f"deleting {file}", {}, welcome=(200, 204, 404))

    # Uploads in parts

    def _begin(self, file: str) -> str:
        what = f"beginning the upload of {file}"
        answer = _parsed(self._call("POST", file, what, {"uploads": ""}))
        upload = answer.findtext("{*}UploadId")
        if not upload:
            raise TargetFailed(f"{what}: the answer is not S3's")
        return upload

    def _uploads(self) -> list[tuple[str, str]]:
        """(file, upload id) of each upload in parts that was begun in our folder and not ended."""
        query = {"uploads": "", "prefix": self._key("")}
        page = _parsed(self._call("GET", None, "listing uploads", query))
        return [
            (
                (node.findtext("{*}Key") or "").removeprefix(self._key("")),
                node.findtext("{*}UploadId") or "",
            )
            for node in page.findall("{*}Upload")
        ]

    def _upload_of(self, file: str) -> str:
        for name, upload in self._uploads():
            if name == file:
                return upload
        raise TargetFailed(f"completing {file}: the upload is not there any more")

    def _end_other_uploads(self, file: str) -> None:
        """Those of schedulers that died: S3 charges for their parts until somebody ends them."""
        for name, upload in self._uploads():
            if name != file:
                query = {"uploadId": upload}
                self._call(
                    "DELETE", name, f"ending the upload of {name}", query, welcome=(204, 404)
                )

    # Requests

    def _key(self, file: str) -> str:
        return f"{self._folder}/{file}" if self._folder else file

    def _url(self, file: str | None, query: Mapping[str, str]) -> str:
        """Of a file, or (None) of the bucket; the bucket in the path works everywhere."""
        path = f"/{quote(self._bucket)}"
        if file is not None:
            path += f"/{quote(self._key(file))}"
        return self._account.endpoint + path + (f"?{urlencode(query)}" if query else "")

    def _call(
        self,
        method: str,
        file: str | None,
        what: str,
        query: Mapping[str, str],
        body: bytes = b"",
        welcome: tuple[int, ...] = (200, 204),
    ) -> bytes:
        assert len(body) <= SMALL_BYTES
        url = self._url(file, query)
        headers = self._signed(method, url, body)
        return call(method, url, what, headers=headers, body=body, welcome=welcome, explain=_code)

    def _signed(self, method: str, url: str, body: bytes) -> Mapping[str, str]:
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest

        request = AWSRequest(method, url, data=body)
        if body:
            digest = hashlib.md5(body, usedforsecurity=False).digest()
            request.headers["Content-MD5"] = base64.b64encode(digest).decode()
        S3SigV4Auth(self._frozen(), "s3", self._account.region).add_auth(request)
        return dict(request.headers.items())

    def _presigned(self, method: str, file: str, query: Mapping[str, str], seconds: float) -> str:
        from botocore.auth import S3SigV4QueryAuth
        from botocore.awsrequest import AWSRequest

        request = AWSRequest(method, self._url(file, query))
        region = self._account.region
        S3SigV4QueryAuth(self._frozen(), "s3", region, expires=math.ceil(seconds)).add_auth(request)
        return str(request.url)

    def _frozen(self) -> Any:
        return self._account.credentials.get_frozen_credentials()


def _parsed(body: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(body)  # noqa: S314 - from the server that has our backups
    except ElementTree.ParseError as error:
        raise TargetFailed("the answer is not S3's") from error


def _code(body: bytes) -> str:
    """The error's code, such as NoSuchBucket; "" when it is no error."""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError:
        return ""
    if root.tag.rpartition("}")[2] != "Error":
        return ""
    return (root.findtext("{*}Code") or root.findtext("Code") or "")[:80]
