"""The secret that the admin interface asks for before anything is changed; always in a file, never
in an argument list."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from etcdmesos.errors import BadUsage

from .secret_file import read_secret

SHORTEST = 16
"""Characters; what is shorter can be guessed."""
READABLE_BY_ALL = stat.S_IROTH


def read_token(flag: str, path: str) -> str:
    """The token in the file `path`.  Raises BadUsage, naming `flag`; its text holds no token."""
    how = f"to make one: (umask 077; openssl rand -hex 32 >{path})"
    return checked_token(read_secret(flag, path, how), f"-{flag}={path}")


def checked_token(text: str, origin: str) -> str:
    """`text`, if it can be a token.  Raises BadUsage, naming `origin`."""
    token = text.strip()
    visible = token.isascii() and token.isprintable() and " " not in token
    if not visible or len(token) < SHORTEST:
        raise BadUsage(
            f"{origin}: must hold a token of at least {SHORTEST} ASCII characters without spaces"
        )
    return token


def make_token(path: Path) -> None:
    """Write a new token to the file `path`, which only its owner may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(32) + "\n")


def readable_by_all(path: str) -> bool:
    """Whether everybody on this machine can read the token."""
    return bool(Path(path).stat().st_mode & READABLE_BY_ALL)
