"""What the targets that speak HTTP share: one call, and what is wrong when it is refused."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping

from etcdmesos.adapters.backups.target import IDLE_SECONDS, SHORT, SMALL_BYTES, TargetFailed
from etcdmesos.adapters.http_exchange import Answer, ExchangeFailed, Limits, exchange

Explain = Callable[[bytes], str]
"""The error's name in a refusal's body, "" for none.  Bodies themselves are never shown: S3 repeats
signatures in them."""


def _unexplained(_: bytes) -> str:
    return ""


@contextlib.contextmanager
def answered(
    method: str,
    url: str,
    what: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    welcome: Collection[int] = (200, 201, 204),
    explain: Explain = _unexplained,
    limits: Limits = SHORT,
) -> Iterator[Answer]:
    """The answer to a call, if its status is `welcome`.  Raises TargetFailed; `what` says in it
    what was to be done."""
    try:
        with exchange(method, url, headers=headers, body=body, limits=limits) as answer:
            if answer.status not in welcome:
                said = explain(answer.body(SMALL_BYTES))
                raise TargetFailed(
                    f"{what}: refused with {answer.status}" + (f" ({said})" if said else "")
                )
            yield answer
    except ExchangeFailed as error:
        raise TargetFailed(f"{what}: {error}") from error


def call(
    method: str,
    url: str,
    what: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    welcome: Collection[int] = (200, 201, 204),
    explain: Explain = _unexplained,
) -> bytes:
    """The body of a small answer.  Raises TargetFailed."""
    with answered(
        method, url, what, headers=headers, body=body, welcome=welcome, explain=explain
    ) as answer:
        return answer.body(SMALL_BYTES)


def reading(seconds: float) -> Limits:
    """The limits of reading a snapshot back."""
    return Limits(idle=min(IDLE_SECONDS, seconds), total=seconds)
