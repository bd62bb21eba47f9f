"""Unpacks Debian packages into a folder of their own, without root and without touching the host.

Only ``apt-get``, ``dpkg`` and ``dpkg-deb`` are used, which every Debian and Ubuntu has. apt works on a
state of its own (lists, status, cache), with the mirror and the keys that the machine itself is
configured for. The unpacked tree carries its own C library and loader, so it runs on any glibc host
of the same processor.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Report = Callable[[str], None]
"""Told, in one line of words, what is being done."""

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_LEFT_OUT = ("doc", "man", "locale", "perl", "zoneinfo")


class UnpackingError(Exception):
    """The packages could not be had; the message says what to do.

    ``retryable``: whether the same request may succeed later.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Tree:
    """An unpacked set of packages that runs with its own loader."""

    prefix: Path

    @property
    def libraries(self) -> Path:
        """Folder of the shared libraries."""
        return next((self.prefix / "usr" / "lib").glob("*-linux-gnu*"))

    def command(self, program: str, *arguments: str) -> list[str]:
        """The command line that runs ``program`` (a path below the prefix) of this tree."""
        loader = next(self.libraries.glob("ld-linux*.so.*"))
        return [
            str(loader),
            "--library-path",
            str(self.libraries),
            str(self.prefix / program),
            *arguments,
        ]


def can_unpack() -> str | None:
    """Why this machine cannot unpack Debian packages; None if it can."""
    missing = [name for name in ("apt-get", "dpkg", "dpkg-deb") if not shutil.which(name)]
    if missing:
        return f"{', '.join(missing)} not found: this works on Debian and Ubuntu only"
    if not KEYRING.exists():
        return f"{KEYRING} not found: install the package debian-archive-keyring"
    return None


def debian_mirror() -> str:
    """The Debian mirror that this machine's own apt is configured for.

    Raises:
        UnpackingError: it has none (an Ubuntu machine, say).
    """
    listed = _run(
        ["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages"]
    )
    for line in listed.stdout.splitlines():
        label, _, uri = line.partition(" ")
        if label == "Debian":
            return uri
    raise UnpackingError(
        "apt on this machine knows no Debian mirror: name one in DEBIAN_MIRROR, "
        "or install the server from your distribution"
    )


def unpack(
    packages: Sequence[str],
    prefix: Path,
    *,
    suites: Sequence[str] = ("forky",),
    report: Report = lambda _: None,
) -> Tree:
    """Unpack ``packages`` and all they depend on into ``prefix``, which appears whole or not at all.

    Args:
        packages: Debian package names.
        prefix: the folder to make; a folder already there is replaced.
        suites: Debian releases to try, in order.
        report: told about progress.

    Raises:
        UnpackingError: no mirror, no network, or no such package.
    """
    if reason := can_unpack():
        raise UnpackingError(reason)
    mirror = os.environ.get("DEBIAN_MIRROR") or debian_mirror()
    prefix = prefix.absolute()
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=prefix.parent, prefix=f".{prefix.name}-") as folder:
        work = Path(folder)
        environment = _private_apt(work)
        failures = []
        for suite in suites:
            report(f"reading the package lists of Debian {suite}")
            failure = _download(packages, work, environment, f"{mirror} {suite} main", report)
            if failure is None:
                break
            failures.append(f"{suite}: {failure}")
        else:
            raise UnpackingError(
                f"apt could not fetch {', '.join(packages)} ({'; '.join(failures)}): "
                "check the network and the mirror, then try again",
                retryable=True,
            )
        tree = work / "tree"
        tree.mkdir()
        archives = sorted((work / "cache" / "archives").glob("*.deb"))
        report(f"unpacking {len(archives)} packages")
        for archive in archives:
            _extract(archive, tree)
        if prefix.exists():
            shutil.rmtree(prefix)
        tree.rename(prefix)
    return Tree(prefix)


def _private_apt(work: Path) -> dict[str, str]:
    """Lay out an apt state below ``work``; the environment that makes apt use it."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    architecture = _run(["dpkg", "--print-architecture"]).stdout.strip()
    (work / "apt.conf").write_text(
        f"""Dir::Etc::sourcelist "{work}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::lists "{work}/lists";
Dir::State::status "{work}/status";
Dir::State::extended_states "{work}/extended_states";
Dir::Cache "{work}/cache";
Dir::Log "{work}";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Debug::NoLocking "true";
""",
        encoding="utf-8",
    )
    return {**os.environ, "APT_CONFIG": str(work / "apt.conf"), "LC_ALL": "C.UTF-8"}


def _download(
    packages: Sequence[str], work: Path, environment: dict[str, str], source: str, report: Report
) -> str | None:
    """Fetch the archives of ``packages`` from ``source``; what apt said if it failed."""
    (work / "sources.list").write_text(f"deb [signed-by={KEYRING}] {source}\n", encoding="utf-8")
    update = ["apt-get", "-qq", "update"]
    fetch = ["apt-get", "-qq", "-y", "--download-only", "install", *packages]
    for command, words in ((update, ""), (fetch, f"fetching {', '.join(packages)}")):
        if words:
            report(words)
        done = _run(command, environment)
        if done.returncode:
            return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return None


def _extract(archive: Path, tree: Path) -> None:
    """Add one package's files to the tree, without what only people read."""
    if _run(["dpkg-deb", "-x", str(archive), str(tree)]).returncode:
        raise UnpackingError(f"{archive.name} is damaged: try again", retryable=True)
    for name in _LEFT_OUT:
        shutil.rmtree(tree / "usr" / "share" / name, ignore_errors=True)


def _run(
    command: list[str], environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - fixed programs with paths and package names of our own
        command, env=environment, capture_output=True, text=True, check=False
    )
