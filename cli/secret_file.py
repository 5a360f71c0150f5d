"""Secrets come in files, never in arguments; no error says any of their content."""

from __future__ import annotations

from pathlib import Path

from etcdmesos.errors import BadUsage


def read_secret(flag: str, path: str, how: str = "") -> str:
    """What stands in a file of secrets, without space at its ends; no error shows any of it.

    `how` says what makes one that is not there.  Raises BadUsage, also for an empty file: it would
    mean that nothing is proven to anybody.
    """
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except FileNotFoundError as error:
        raise BadUsage(f"-{flag}={path}: {error.strerror}; {how}".rstrip("; ")) from None
    except (OSError, UnicodeDecodeError) as error:
        detail = error.strerror if isinstance(error, OSError) else "is not text"
        raise BadUsage(f"-{flag}={path}: {detail}") from None
    if not secret:
        raise BadUsage(f"-{flag}={path}: is empty")
    return secret
