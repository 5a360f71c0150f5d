"""From an HTTP request to a call: media types, JSON, required fields, base64, unions.

Pure but for reading the request. The texts are those of Apache Mesos. Which calls
mean what is for the API modules.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

Json = dict[str, Any]

# Fields that are bytes in the protobuf and base64 in JSON, wherever they stand.
_BYTES_FIELDS = frozenset({"data", "uuid"})

_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n")


class Refused(Exception):
    """The call is answered with this status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def check_media_types(content_type: str | None, accept: str | None) -> None:
    """Only JSON in and JSON out; Mesos compares the Content-Type as a whole."""
    if content_type is None:
        raise Refused(400, "Expecting 'Content-Type' to be present")
    if content_type not in ("application/json", "application/x-protobuf"):
        text = "Expecting 'Content-Type' of application/json or application/x-protobuf"
        raise Refused(415, text)
    kinds = [part.split(";")[0].strip() for part in (accept or "*/*").split(",")]
    known = {"application/json", "application/x-protobuf", "application/*", "*/*"}
    if not known.intersection(kinds):
        text = "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'"
        raise Refused(406, text)
    if content_type == "application/x-protobuf":
        raise Refused(400, "Failed to parse body into Call protobuf")


def parse(body: bytes) -> Json:
    """The JSON object in the body."""
    try:
        value = json.loads(body)
    except ValueError as error:
        raise Refused(
            400, "Failed to parse body into JSON: syntax error at line 1 near: "
        ) from error
    if not isinstance(value, dict):
        raise convert_error("Expecting a JSON object")
    check_bytes(value)
    return value


def convert_error(text: str) -> Refused:
    """JSON that is no message of the protobuf type."""
    return Refused(400, f"Failed to convert JSON into Call protobuf: {text}")


def check_bytes(value: Any) -> None:
    """Refuse bytes fields that are not base64."""
    if isinstance(value, list):
        for item in value:
            check_bytes(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name in _BYTES_FIELDS and isinstance(item, str):
                _check_base64(name, item)
            else:
                check_bytes(item)


def _check_base64(name: str, text: str) -> None:
    for character in text:
        if character not in _BASE64:
            reason = f"Invalid character '{character}'"
            raise convert_error(f"Failed to base64 decode bytes field '{name}': {reason}")
    try:
        base64.b64decode(text)
    except binascii.Error as error:
        reason = "Invalid base64"
        raise convert_error(f"Failed to base64 decode bytes field '{name}': {reason}") from error


def present(call: Json, path: str) -> bool:
    """Is there something at this dotted path?"""
    value: Any = call
    for part in path.split("."):
        if not isinstance(value, dict) or value.get(part) is None:
            return False
        value = value[part]
    return True


def require(call: Json, *paths: str) -> None:
    """Required protobuf fields; only asked for where their message is there."""
    missing = [path for path in paths if _parent(call, path) and not present(call, path)]
    if missing:
        raise convert_error(f"Missing required fields: {', '.join(missing)}")


def _parent(call: Json, path: str) -> bool:
    parent, _, _ = path.rpartition(".")
    return not parent or present(call, parent)


def valid_uuid(text: str) -> bool:
    """Base64 of sixteen bytes that are an RFC 4122 uuid."""
    raw = base64.b64decode(text)
    return len(raw) == 16 and raw[8] >> 6 == 2


def identifier(value: Json | None) -> str:
    """The text in `{"value": text}`."""
    return str((value or {}).get("value", ""))
