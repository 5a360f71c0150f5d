"""Debian's packages without installing them: apt in a folder of its own, dpkg as an unpacker.

apt fetches and checks against Debian's keys.  Nothing is installed, no service starts, root is not
needed, and the machine's own apt setup stays as it is.
"""

import shutil
import subprocess
from pathlib import Path

from steps import Refused, run

KEYRINGS = [
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
]


class OutOfReach(Refused):
    """Debian's archive does not answer, or not with what its keys have signed."""


def why_no_apt() -> str | None:
    """Why Debian's packages cannot be had here; None if they can."""
    for program in ("apt-get", "apt-cache", "dpkg"):
        if shutil.which(program) is None:
            return f"there is no {program}"
    if not any(keyring.exists() for keyring in KEYRINGS):
        return "Debian's keys are not here (package debian-archive-keyring)"
    if debian_mirror() is None:
        return "apt knows no Debian mirror"
    return None


def debian_mirror() -> str | None:
    """The mirror that this machine's own apt uses."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"],
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in targets.stdout.splitlines():
        uri, _, release = line.partition(" ")
        # Not the security archive, nor a third party's.  A wrong guess does no harm: what Debian's
        # keys did not sign is refused below.
        if uri.rstrip("/").endswith("/debian") and "-" not in release:
            return uri
    return None


def private_apt(suite: str, folder: Path) -> list[str]:
    """The options that make apt work in `folder` alone, on one suite, with Debian's keys only.

    The suite's lists are fetched.  Raises OutOfReach.
    """
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    keyring = next(keyring for keyring in KEYRINGS if keyring.exists())
    sources_list = folder / "sources.list"
    sources_list.write_text(f"deb [signed-by={keyring}] {debian_mirror()} {suite} main\n")
    # -c comes last of all of apt's settings, so it can undo the machine's.
    configuration = folder / "apt.conf"
    configuration.write_text(
        f"""
        Dir::State "{folder}";
        Dir::State::lists "{folder}/lists";
        Dir::State::status "{folder}/status";
        Dir::Cache "{folder}/cache";
        Dir::Etc::sourcelist "{sources_list}";
        Dir::Etc::sourceparts "/dev/null";
        Dir::Etc::preferences "/dev/null";
        Dir::Etc::preferencesparts "/dev/null";
        Acquire::Languages "none";
        Acquire::Retries "3";
        // Otherwise root's apt becomes a user that may not write into this folder.
        APT::Sandbox::User "root";
        // A failed download of the list must be an error, not a warning.
        APT::Update::Error-Mode "any";
        // These would clean the machine's own cache.
        #clear APT::Update::Post-Invoke;
        #clear APT::Update::Post-Invoke-Success;
        """
    )
    options = ["-c", str(configuration)]
    try:
        run(["apt-get", *options, "-qq", "update"])
    except Refused as refused:
        raise OutOfReach(f"Debian's archive is out of reach ({refused})") from None
    return options


def unpack(apt: list[str], packages: list[str], folder: Path) -> None:
    """Download `packages` (name or name=version) and unpack them into `folder`, as if it were /."""
    for package in packages:
        run(["apt-get", *apt, "-qq", "download", package], cwd=folder)
    for package_file in sorted(folder.glob("*.deb")):
        run(["dpkg", "-x", str(package_file), str(folder)])
