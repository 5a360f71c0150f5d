"""Go-style flags: one dash or two, `=` or a space, and every one from the environment, too.

`-cluster-name=x`, `--cluster-name x` and `ETCD_MESOS_CLUSTER_NAME=x` say the same; the command line
wins.  Nothing is known here of what any flag means.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from attrs import frozen

from etcdmesos.errors import BadUsage
from etcdmesos.version import VERSION

ENVIRONMENT_PREFIX = "ETCD_MESOS_"


def text(value: str) -> str:
    """Any text."""
    return value


def whole_number(value: str) -> int:
    """A whole number, as in 23400."""
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"'{value}' is not a whole number") from None


def number(value: str) -> float:
    """A finite number, as in 1.5."""
    try:
        result = float(value)
    except ValueError:
        raise ValueError(f"'{value}' is not a number") from None
    if not math.isfinite(result):
        raise ValueError(f"'{value}' is not a finite number")
    return result


def boolean(value: str) -> bool:
    """true or false, as Go's flag package reads them."""
    if value.lower() in ("1", "t", "true"):
        return True
    if value.lower() in ("0", "f", "false"):
        return False
    raise ValueError(f"'{value}' is neither true nor false")


@frozen
class Flag:
    """One flag.  `name` is without dashes; `kind` turns text into the value or raises
    ValueError."""

    name: str
    kind: Callable[[str], Any]
    default: Any
    help: str
    repeatable: bool = False
    """Given several times, the values add up (in the environment: separated by spaces)."""
    one_variable: bool = False
    """Repeatable, but a value may hold spaces: the environment gives one."""

    @property
    def key(self) -> str:
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        return ENVIRONMENT_PREFIX + self.key.upper()


class _Parser(argparse.ArgumentParser):
    """argparse, but a mistake is one line of its own instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        raise BadUsage(f"{message} (-help lists the flags)")


def parse(
    program: str,
    description: str,
    flags: Iterable[Flag],
    arguments: Sequence[str],
    environment: Mapping[str, str],
    words: Sequence[str] = (),
) -> dict[str, Any]:
    """The value of every flag by its key (dashes as underscores), and of each of `words`.

    A word that ends in a question mark may be left out, and is "" then.

    Flags may stand before, between and behind the words.  Prints the flags or the version and exits
    with 0 on -help and -version.  Raises BadUsage, naming the flag, the variable or the word.
    """
    flags = tuple(flags)
    parser = _Parser(
        prog=program,
        usage=" ".join([program, "[FLAG]...", *map(shown, words)]),
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    parser.add_argument("-h", "-help", "--help", action="help", help="list the flags and exit")
    parser.add_argument(
        "-version",
        "--version",
        action="version",
        version=f"{program} {VERSION}",
        help="print the version and exit",
    )
    for flag in flags:
        _add(parser, flag)
    for word in words:
        parser.add_argument(
            named(word), metavar=named(word).upper(), nargs="?" if word != named(word) else None
        )
    given = vars(parser.parse_intermixed_args(list(arguments)))
    values: dict[str, Any] = {named(word): given[named(word)] or "" for word in words}
    for flag in flags:
        if flag.key in given:
            values[flag.key] = _convert(flag, given[flag.key], f"-{flag.name}")
        elif flag.variable in environment:
            said = environment[flag.variable]
            values[flag.key] = _convert(flag, _spread(flag, said), flag.variable)
        else:
            values[flag.key] = flag.default
    return values


def shown(word: str) -> str:
    """A word as usage shows it."""
    return named(word).upper() if word == named(word) else f"[{named(word).upper()}]"


def named(word: str) -> str:
    """A word's name, whether or not it may be left out."""
    return word.removesuffix("?")


def _spread(flag: Flag, said: str) -> str | list[str]:
    """What a variable says, as the command line would give it."""
    if not flag.repeatable:
        return said
    return [said] if flag.one_variable else said.split()


def _add(parser: argparse.ArgumentParser, flag: Flag) -> None:
    options: dict[str, Any] = {
        "dest": flag.key,
        "default": argparse.SUPPRESS,
        "help": f"{flag.help} (default: {_shown(flag.default)})".replace("%", "%%"),
        "metavar": "BOOL" if flag.kind is boolean else "VALUE",
    }
    if flag.repeatable:
        options["action"] = "append"
    elif flag.kind is boolean:
        options |= {"nargs": "?", "const": "true"}
    parser.add_argument(f"-{flag.name}", f"--{flag.name}", **options)


def _convert(flag: Flag, raw: Any, origin: str) -> Any:
    try:
        if flag.repeatable:
            return tuple(flag.kind(value) for value in raw)
        return flag.kind(raw)
    except ValueError as error:
        raise BadUsage(f"{origin}: {error}") from None


def _shown(default: Any) -> str:
    if default in ("", (), None):
        return "none"
    return str(default).lower() if isinstance(default, bool) else str(default)
