"""etcd-mesos-ctl: shows how a cluster stands, and tells its scheduler what the operator wants.

A thin client of the admin interface; no policy in here.  Another command is another row of
COMMANDS.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from attrs import frozen

from etcdmesos.backups.source import LATEST
from etcdmesos.errors import BadUsage, EtcdMesosError

from . import flags as f
from .admin_client import AdminClient, addresses
from .admin_token import checked_token, read_token
from .ctl_backup import FLAGS as FLAGS_OF_BACKUP
from .ctl_backup import backup
from .tables import table

PROGRAM = "etcd-mesos-ctl"
WIDTH = 78
"""Columns of what -help prints."""
TOKEN_VARIABLE = f"{f.ENVIRONMENT_PREFIX}TOKEN"

FLAGS = (
    f.Flag("admin", addresses, "127.0.0.1:23400", "host:port of the admin interface; of several "
           "schedulers, comma separated, the one that holds the cluster is found"),
    f.Flag("token-file", f.text, "", "file with the token that changes need; or the token itself "
           f"in {TOKEN_VARIABLE}"),
)  # fmt: skip

Values = Mapping[str, Any]


@frozen
class Command:
    """What can be said to the program: `words` follow the name, `flags` are its own."""

    name: str
    run: Callable[[AdminClient, Values], None]
    """Prints what there is to say.  Raises EtcdMesosError."""
    help: str
    words: tuple[str, ...] = ()
    flags: tuple[f.Flag, ...] = ()

    @property
    def usage(self) -> str:
        return " ".join([self.name, *map(f.shown, self.words)])


def status(client: AdminClient, _values: Values) -> None:
    """Phase, why, and the members."""
    stats = client.get("/stats")
    print(f"{stats['cluster_name']}: {stats['phase']}, {stats['why']}")
    if stats["role"] != "leader":
        print(f"as told by a {stats['role']}, from the record")
    print(
        f"{stats['cluster_size']} members wanted, generation {stats['generation']}, "
        f"epoch {stats['epoch']}, revision {stats['highest_revision']}; "
        f"etcd's cluster {stats['cluster_id'] or 'not known yet'}"
    )
    print(
        f"framework {stats['framework_id'] or 'not known yet'} at "
        f"{stats['master'] or 'no Mesos master'}"
    )
    for told in (*stats["reseeds"][-1:], *stats["restores"][-1:]):
        print(told["text"])
    for finding in stats["findings"]:
        print(f"{finding['name']}: {finding['text']}")
    if stats["members"]:
        print()
        print(table(stats["members"], MEMBERS))


MEMBERS = {
    "NAME": "name",
    "HOST": "hostname",
    "ROLE": "role",
    "STEP": "step",
    "SERVING": "serving",
    "LEADER": "leader",
    "TASK": "taskState",
    "VERSION": "version",
    "CLIENT": "clientURL",
    "ALARMS": "alarms",
}
"""The columns of a table of members, and the fields of /members they show."""


def members(client: AdminClient, _values: Values) -> None:
    """The members, one line each."""
    print(table(client.get("/members"), MEMBERS))


def events(client: AdminClient, _values: Values) -> None:
    """What happened lately, oldest first."""
    for event in client.get("/events"):
        mark = "!" if event["warning"] else " "
        print(f"{event['time']} {mark} {event['kind']:<10} {event['text']}")


def uninstall(client: AdminClient, values: Values) -> None:
    """Have the cluster of this name ended."""
    print(client.post("/uninstall", {"cluster": values["name"]}))


def forget(client: AdminClient, values: Values) -> None:
    """Have the cluster of this name forgotten, which Mesos has removed."""
    print(client.post("/forget", {"cluster": values["name"]}))


def reseed(client: AdminClient, values: Values) -> None:
    """Have a new cluster grown from a survivor, or see what that would come to."""
    member = values["member"]
    if not values["dry_run"]:
        print(client.post("/reseed", {"member": member}))
        return
    for line in client.get(f"/reseed/dry-run?member={quote(member)}")["lines"]:
        print(line)


def restore(client: AdminClient, values: Values) -> None:
    """Have the cluster that was lost restored, or see what that would come to."""
    source = values["source"] or LATEST
    if not values["dry_run"]:
        print(client.post("/restore", {"source": source, "older": values["older"]}))
        return
    for line in client.get(f"/restore/dry-run?source={quote(source, safe='')}")["lines"]:
        print(line)


COMMANDS = (
    Command("status", status, "how the cluster stands, and what it waits for"),
    Command("members", members, "its members"),
    Command("events", events, "what happened lately, as the scheduler that is asked saw it"),
    Command("reseed", reseed, "quorum is lost for good: grow a new cluster from the best survivor",
            flags=(
                f.Flag("dry-run", f.boolean, False, "only print the calculation and the steps"),
                f.Flag("member", f.text, "", "grow it from this member and from no other one"),
            )),
    Command("restore", restore, "every member is lost: make the cluster from a backup; SOURCE is "
            "latest, the name or address of a backup, or file:///path on the scheduler's host",
            ("source?",),
            (
                f.Flag("dry-run", f.boolean, False, "only print which backup, and the steps"),
                f.Flag("older", f.boolean, False, "the one before the newest, if that is damaged"),
            )),
    Command("backup", backup, "list those that count; take one now; verify: read one back; "
            "fetch: write one to a file",
            ("action",), FLAGS_OF_BACKUP),
    Command("forget", forget, "put the record aside of the cluster of this name, whose framework "
            "Mesos has removed", ("name",)),
    Command("uninstall", uninstall, "end the cluster of this name: its tasks and its framework",
            ("name",)),
)  # fmt: skip


def main() -> None:
    """The console script: exit status 2 for bad usage, 1 when it was refused or nobody answers."""
    try:
        run(sys.argv[1:], os.environ)
    except BadUsage as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        sys.exit(2)
    except EtcdMesosError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        sys.exit(1)


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Do what the arguments say.  Raises EtcdMesosError."""
    named = next((i for i, word in enumerate(arguments) if word in _BY_NAME), None)
    if named is None:
        for asked in ("help", "version"):
            if any(word.lstrip("-") in (asked, asked[0]) for word in arguments):
                f.parse(PROGRAM, _described(), FLAGS, [f"-{asked}"], environment, ("command",))
        commands = ", ".join(c.usage for c in COMMANDS)
        raise BadUsage(f"give one command of {commands} (COMMAND -help says more)")
    command = _BY_NAME[arguments[named]]
    rest = [*arguments[:named], *arguments[named + 1 :]]
    values = f.parse(
        f"{PROGRAM} {command.name}",
        textwrap.fill(command.help, WIDTH),
        (*FLAGS, *command.flags),
        rest,
        environment,
        command.words,
    )
    command.run(AdminClient(values["admin"], _token(values, environment)), values)


_BY_NAME = {command.name: command for command in COMMANDS}


def _described() -> str:
    lines = ["Looks after one etcd cluster on Mesos.  Commands (COMMAND -help says more):", ""]
    for command in COMMANDS:
        first = f"  {command.usage:<18}"
        lines += textwrap.wrap(
            command.help, WIDTH, initial_indent=first, subsequent_indent=" " * len(first)
        )
    return "\n".join(lines)


def _token(values: Values, environment: Mapping[str, str]) -> str:
    path = values["token_file"]
    if path:
        return read_token("token-file", path)
    told = environment.get(TOKEN_VARIABLE, "")
    return checked_token(told, TOKEN_VARIABLE) if told else ""
