"""/files of an agent: browse, read and download sandboxes, by real and by virtual path."""

from __future__ import annotations

import base64
import grp
import os
import pwd
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from etcdmesos.embedded.executors import Executor
from etcdmesos.embedded.server import Endpoints, answer, answer_json, not_found

Json = dict[str, Any]

_PAGE_BYTES = 16 * 4096


class FilesError(Exception):
    """The path is refused with this status and text."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Files:
    """The attached sandboxes of one agent."""

    def __init__(self, executors: Callable[[], Iterable[Executor]]) -> None:
        self._executors = executors

    def install(self, endpoints: Endpoints) -> None:
        """Serve the endpoints."""
        endpoints.add("/files/browse", self._browse)
        endpoints.add("/files/read", self._read)
        endpoints.add("/files/download", self._download)
        endpoints.add("/files/debug", self._debug)

    def attached(self) -> dict[str, str]:
        """Virtual and real paths to the sandboxes they show."""
        table = {}
        for executor in self._executors():
            real = str(executor.directory)
            runs = executor.directory.parent
            virtual = f"/frameworks/{executor.framework_id}/executors/{executor.executor_id}"
            table[f"{virtual}/runs/latest"] = real
            table[real] = real
            table[f"{runs}/latest"] = real
        return table

    def resolve(self, path: str) -> Path:
        """The real path behind a requested one; FilesError if it is not to be seen."""
        for virtual, real in sorted(self.attached().items(), key=lambda pair: -len(pair[0])):
            if path == virtual or path.startswith(virtual + "/"):
                sandbox = Path(real).resolve()
                found = Path(os.path.normpath(real + path[len(virtual) :]))
                target = found.resolve()
                if target != sandbox and sandbox not in target.parents:
                    raise FilesError(400, f"'{path}' is inaccessible.\n")
                if not target.exists():
                    raise FilesError(404)
                return target
        raise FilesError(404)

    def listing(self, path: str) -> list[Json]:
        """What is in a directory, named by the path that was asked for."""
        target = self.resolve(path)
        if not target.is_dir():
            return []
        return [_info(f"{path.rstrip('/')}/{one.name}", one) for one in sorted(target.iterdir())]

    def piece(self, path: str, offset: int, length: int) -> tuple[int, bytes]:
        """Size of a file and the bytes from an offset on."""
        target = self.resolve(path)
        if target.is_dir():
            raise FilesError(400, "Cannot read a directory.\n")
        size = target.stat().st_size
        if offset == -1:
            return size, b""
        with open(target, "rb") as file:
            file.seek(offset)
            return size, file.read(min(length, _PAGE_BYTES))

    async def _browse(self, request: Request) -> Response:
        try:
            return answer_json(request, self.listing(_path(request)))
        except FilesError as error:
            return _refuse(error)

    async def _read(self, request: Request) -> Response:
        try:
            path = _path(request)
            offset = _number(request, "offset", -1)
            length = _number(request, "length", -1)
            if offset < -1:
                raise FilesError(400, f"Negative offset provided: {offset}.\n")
            if length < -1:
                raise FilesError(400, f"Negative length provided: {length}.\n")
            wanted = _PAGE_BYTES if length == -1 else length
            size, data = self.piece(path, offset, wanted)
        except FilesError as error:
            return _refuse(error)
        text = data.decode("utf-8", "surrogateescape")
        return answer_json(request, {"data": text, "offset": size if offset == -1 else offset})

    async def _download(self, request: Request) -> Response:
        try:
            target = self.resolve(_path(request))
        except FilesError as error:
            return not_found() if error.status == 404 else _refuse(error)
        if target.is_dir():
            return answer(400, "Cannot download a directory.\n")
        headers = {"content-disposition": f"attachment; filename={target.name}"}
        response = FileResponse(target, headers=headers)
        response.headers["content-type"] = "text/plain"
        return response

    async def _debug(self, request: Request) -> Response:
        return answer_json(request, dict(sorted(self.attached().items())))

    def operator_list(self, call: Json) -> Json:
        """LIST_FILES of the operator API."""
        path = str(call.get("list_files", {}).get("path", ""))
        infos = []
        for item in self.listing(path):
            status = os.stat(self.resolve(item["path"]))
            infos.append(
                {
                    "path": item["path"],
                    "nlink": item["nlink"],
                    "size": item["size"],
                    "mtime": {"nanoseconds": int(item["mtime"]) * 10**9},
                    "mode": status.st_mode,
                    "uid": item["uid"],
                    "gid": item["gid"],
                }
            )
        return {"file_infos": infos}

    def operator_read(self, call: Json) -> Json:
        """READ_FILE of the operator API."""
        asked: Json = call.get("read_file", {})
        length = int(asked.get("length", _PAGE_BYTES))
        size, data = self.piece(str(asked.get("path", "")), int(asked.get("offset", 0)), length)
        return {"size": size, "data": base64.b64encode(data).decode()}


def _refuse(error: FilesError) -> Response:
    response = answer(error.status, error.text)
    response.headers["content-type"] = "text/plain; charset=utf-8"
    return response


def _path(request: Request) -> str:
    path = request.query_params.get("path")
    if not path:
        raise FilesError(400, "Expecting 'path=value' in query.\n")
    return path


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        return int(text)
    except ValueError as error:
        reason = f"Failed to convert '{text}' to number."
        raise FilesError(400, f"Failed to parse {name}: {reason}\n") from error


def _info(path: str, entry: Path) -> Json:
    status = entry.lstat()
    return {
        "gid": _group(status.st_gid),
        "mode": stat.filemode(status.st_mode),
        "mtime": float(int(status.st_mtime)),
        "nlink": status.st_nlink,
        "path": path,
        "size": status.st_size,
        "uid": _user(status.st_uid),
    }


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
